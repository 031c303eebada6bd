"""``ancestral compare``: several models, one report."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ancestral.cli import console
from ancestral.cli.options import Common, Ending, Folder, Pairs
from ancestral.errors import ConfigError

if TYPE_CHECKING:
    from ancestral.recipes import Comparison


def compare(
    data: str,
    /,
    *,
    models: str | None = None,
    ending: Ending = Ending(),  # noqa: B008 - frozen
    set_: Annotated[Pairs, Parameter(name="--set")] = None,
    folder: Folder = Folder(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Compare models.

    Parameters
    ----------
    data
        A name, a file or a folder.
    models
        Names separated by commas, and folders of runs of these data, which are measured as they
        are; by the kind of data if not given.
    set_
        Of the data: size=32, label=COLUMN, split_seed=1; of the measuring: samples=2000,
        target=COLUMN; of one model: MODEL.key=value; of how a run is sampled: NAME.key=value, by
        the name of its folder.
    """
    from ancestral.recipes.comparing import check_folder, contest
    from ancestral.settings import parse_pairs

    common.apply()
    end = ending.read() or "30s"
    if folder.out is not None:
        check_folder(folder.out, overwrite=folder.overwrite)
    what = contest(
        data,
        models=_names(models),
        budget=end,
        settings=parse_pairs(set_ or ()),
        seed=common.seed_or_default,
        device=common.device_or_default,
        out=folder.out,
    )
    found = hold_with_bar(what, overwrite=folder.overwrite, choose_threads=common.threads is None)
    if common.json:
        console.emit(found.to_json())
    else:
        console.section(found.section)
        console.write(f"report: {found.report}")
    return int(found.failed)


def hold_with_bar(what: "Comparison", *, overwrite: bool, choose_threads: bool) -> "Comparison":
    """Fit and measure, with a bar for each piece of work; say aloud what failed."""
    from ancestral.recipes.comparing import hold

    for note in what.data.notes:
        console.tell(note, f"{what.data.name}: ")
    try:
        with console.Bar("compare") as bar:
            found = hold(
                what, overwrite=overwrite, progress=bar.turn, choose_threads=choose_threads
            )
    except KeyboardInterrupt:
        console.say(f"stopped; the runs so far are in {what.folder}")
        raise
    for model in found.models:
        if model.error is not None:
            console.say(f"{model.name} failed: {model.error}")
        for note in model.evaluation.notes if model.evaluation else ():
            console.say(f"{model.name}: {note}")
    if found.failed:
        console.say(f"all {len(found.models)} models failed: there is nothing to compare")
    return found


def _names(models: str | None) -> list[str] | None:
    if models is None:
        return None
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"--models must be names separated by commas, got {models!r}")
    return names
