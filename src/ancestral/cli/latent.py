"""``ancestral interpolate`` and ``ancestral encode``: the latents of a run."""

from pathlib import Path

from ancestral.cli.options import Common, Destination, Flag
from ancestral.cli.written import deliver


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
    from ancestral.data.answers import examples_answer
    from ancestral.recipes import Run, interpolate_run

    common.apply()
    to.check()
    opened = Run.open(run)
    to.check_samples(opened.record.data.field)
    x = interpolate_run(opened, a, b, steps=steps, spherical=slerp, device=common.device_or_default)
    method = "slerp" if slerp else "straight"
    facts = {"run": str(run), "from": a, "to": b, "steps": steps, "method": method}
    walk = examples_answer(x, opened.record.data.field, facts, beside=opened.folder / "path.png")
    deliver(walk, {}, out=to.out, json=common.json)
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

    from ancestral.data.answers import examples_answer
    from ancestral.data.columns import Vector
    from ancestral.recipes import encode_run

    common.apply()
    to.check()
    to.check_samples(Vector.of_numbers(()))
    latents = encode_run(run, data, device=common.device_or_default)
    size = latents.mean.shape[1]
    columns = [f"z{i}" for i in range(1, size + 1)] + [f"std{i}" for i in range(1, size + 1)]
    table = torch.cat((latents.mean, latents.std), dim=1)
    facts = {"run": str(run), "data": data, "n": len(table), "latent": size}
    field = Vector.of_numbers(columns)
    deliver(
        examples_answer(table, field, facts, beside=run, key="latents"),
        {},
        out=to.out,
        json=common.json,
    )
    return 0
