"""``interpolate``, ``grid``, ``shift``, ``encode`` and ``reconstruct``: the latents of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ancestral.cli.options import Common, Destination, Flag
from ancestral.cli.written import deliver

if TYPE_CHECKING:
    from ancestral.data.answers import Answer
    from ancestral.data.fields import Field
    from ancestral.recipes import Run


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
    """Walk from A to B through the latents; a picture shows A and B themselves beside the way.

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
    from ancestral.data.answers import walk_answer
    from ancestral.recipes.paths import walk_run

    opened, field, place = _opened(run, to, common, "path.png")
    walk = walk_run(opened, a, b, steps=steps, spherical=slerp, device=common.device_or_default)
    method = "slerp" if slerp else "straight"
    facts = {"run": str(run), "from": a, "to": b, "steps": steps, "method": method}
    answer = walk_answer(walk.x, walk.ends, field, facts, beside=place)
    return _delivered(answer, to, common)


def grid(  # noqa: PLR0913 - a door: everything that can be asked for
    run: Path,
    a: str,
    b: str,
    c: str,
    d: str,
    /,
    *,
    steps: int = 8,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Show what lies between four examples in the latents, A and B above, C and D below.

    Parameters
    ----------
    run
        A run folder.
    a
        Top left: a row of the held-out test split, from 0, or a file with one example.
    b
        Top right, likewise.
    c
        Bottom left.
    d
        Bottom right.
    steps
        Of each side.
    """
    from ancestral.data.answers import examples_answer
    from ancestral.recipes.paths import grid_run

    opened, field, place = _opened(run, to, common, "grid.png")
    x = grid_run(opened, (a, b, c, d), steps=steps, device=common.device_or_default)
    facts = {"run": str(run), "corners": [a, b, c, d], "steps": steps}
    answer = examples_answer(x, field, facts, beside=place)
    return _delivered(answer, to, common)


def shift(
    run: Path,
    a: str,
    /,
    *,
    toward: str,
    away: str | None = None,
    strengths: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-1,-0.5,0,0.5,1,1.5,2",
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Give an example more or less of an attribute, along a direction of the latents.

    Parameters
    ----------
    run
        A run folder.
    a
        The example: a row of the held-out test split, from 0, or a file with one.
    toward
        Examples with the attribute: label=VALUE, or a file or folder of them.
    away
        Examples without it; all others if not given.
    strengths
        How far: 0 is the example as the model makes it, 1 the way between both means.
    """
    from ancestral.data.answers import walk_answer
    from ancestral.recipes.paths import shift_run

    opened, field, place = _opened(run, to, common, "shift.png")
    how = {"away": away, "strengths": _numbers(strengths), "device": common.device_or_default}
    found = shift_run(opened, a, toward, **how)
    facts = {"run": str(run), "example": a, "toward": toward, "away": away}
    facts |= {"strengths": how["strengths"]}
    return _delivered(walk_answer(found.x, found.ends, field, facts, beside=place), to, common)


def _numbers(text: str) -> list[float]:
    from ancestral.errors import ConfigError

    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--strengths must be numbers separated by commas, got {text!r}"
        ) from None


def encode(
    run: Path,
    data: str,
    /,
    *,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write mean and standard deviation of q(z | x) for each example, in the file's order.

    Of a model without an encoder, such as a GAN, the latents that nearly make the example.

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
    parts = {"z": latents.mean} | ({} if latents.std is None else {"std": latents.std})
    size = latents.mean.shape[1]
    columns = [f"{name}{i}" for name in parts for i in range(1, size + 1)]
    table = torch.cat([*parts.values()], dim=1)
    facts = {"run": str(run), "data": data, "n": len(table), "latent": size}
    field = Vector.of_numbers(columns)
    answer = examples_answer(table, field, facts, beside=run, key="latents")
    return _delivered(answer, to, common)


def reconstruct(
    run: Path,
    data: str,
    /,
    *,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write each example as the run makes it of its latents; a denoising-ae cleans it.

    Parameters
    ----------
    run
        A run folder.
    data
        A name, a file or a folder.
    """
    from ancestral.data.answers import examples_answer
    from ancestral.recipes.paths import reconstruct_run

    opened, field, place = _opened(run, to, common, "reconstructions.png")
    x = reconstruct_run(opened, data, device=common.device_or_default)
    facts = {"run": str(run), "data": data, "n": len(x)}
    answer = examples_answer(x, field, facts, beside=place)
    return _delivered(answer, to, common)


def _opened(
    run: Path, to: Destination, common: Common, picture: str
) -> tuple["Run", "Field", Path]:
    """Check what is asked; return the run, what it models, and where a picture of that goes."""
    from ancestral.recipes import Run

    common.apply()
    to.check()
    opened = Run.open(run)
    field = opened.record.data.field
    to.check_samples(field)
    return opened, field, opened.folder / picture


def _delivered(answer: "Answer", to: Destination, common: Common) -> int:
    deliver(answer, {}, out=to.out, json=common.json)
    return 0
