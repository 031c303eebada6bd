"""``ancestral interpolate`` and ``ancestral encode``: the latents of a run."""

from pathlib import Path

from ancestral.cli import console
from ancestral.cli.options import Common, Destination, Flag
from ancestral.cli.written import deliver, deliver_examples


def interpolate(
    run: Path,
    a: str,
    b: str,
    /,
    *,
    steps: int = 10,
    slerp: Flag = False,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Walk from A to B through the latents.

    Parameters
    ----------
    run
        A run folder.
    a
        Start: a row of the held-out test split, from 0, or a file with one example.
    b
        End, likewise.
    steps
        Points on the way, both ends included.
    slerp
        Walk along the great circle, where draws of the prior live, not the straight line.
    """
    from ancestral.recipes import Run, interpolate_run

    common.apply()
    to.check()
    opened = Run.open(run)
    if opened.record.data.kind != "images":
        to.check_table(kind=opened.record.data.kind, arrays=True)
    x = interpolate_run(opened, a, b, steps=steps, spherical=slerp, device=common.device_or_default)
    method = "slerp" if slerp else "straight"
    answer = {"run": str(run), "from": a, "to": b, "steps": steps, "method": method}
    deliver_examples(opened, x, answer, out=to.out, name="path.png", json=common.json)
    return 0


def encode(
    run: Path,
    data: str,
    /,
    *,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write mean and standard deviation of q(z | x) for each example, in the file's order.

    Parameters
    ----------
    run
        A run folder.
    data
        A name, a file or a folder.
    """
    import torch

    from ancestral.data.fields import Vector
    from ancestral.data.writing import write_samples
    from ancestral.recipes import encode_run

    common.apply()
    to.check()
    to.check_table(kind="vectors", arrays=True)
    latents = encode_run(run, data, device=common.device_or_default)
    size = latents.mean.shape[1]
    columns = [f"z{i}" for i in range(1, size + 1)] + [f"std{i}" for i in range(1, size + 1)]
    table = torch.cat((latents.mean, latents.std), dim=1)
    answer: dict[str, object] = {"run": str(run), "data": data, "n": len(table), "latent": size}
    deliver(
        answer,
        write=lambda path: write_samples(table, path, Vector.of_numbers(columns)),
        fields=lambda: {"columns": columns, "latents": table.tolist()},
        show=lambda: console.csv(columns, table.tolist()),
        out=to.out,
        json=common.json,
    )
    return 0
