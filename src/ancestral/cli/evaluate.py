"""``ancestral evaluate``: measure a run on held-out data."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ancestral.cli import console
from ancestral.cli.options import Common, Pairs


def evaluate(
    run: Path,
    data: str | None = None,
    /,
    *,
    means: Annotated[bool, Parameter(negative="--no-means")] = True,
    samples: int = 10_000,
    set_: Annotated[Pairs, Parameter(name="--set")] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Measure a run.

    Parameters
    ----------
    run
        A run folder.
    data
        Other data of the same kind; the run's own held-out data if not given.
    means
        Also measure the means of p(x | z), where there are any; labelled so.
    samples
        Examples generated.
    set_
        Of the measuring, key=value: target=COLUMN of mixed tables, references, radii, k, draws.
    """
    from ancestral.evaluation.setting import Setting
    from ancestral.recipes import Run, evaluate_run
    from ancestral.settings import build, parse_pairs

    common.apply()
    opened = Run.open(run)
    own = Setting(samples=samples, seed=common.seed_or_default, means=means)
    setting = build(Setting, parse_pairs(set_ or ()), base=own)
    with console.Bar("evaluate") as bar:
        found = evaluate_run(
            opened,
            data,
            setting=setting,
            device=common.device_or_default,
            progress=lambda title, share: bar.move(share, title),
        )
    for note in found.evaluation.notes:
        console.say(note)
    if found.problem is not None:
        console.say(found.problem)
    if common.json:
        console.emit(found.to_json())
        return 0
    console.section(found.section)
    if found.report is not None:
        console.write(f"report: {found.report}")
    return 0
