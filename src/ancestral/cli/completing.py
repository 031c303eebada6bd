"""``ancestral impute``, and ``ancestral query`` of a run on a mixed table."""

from pathlib import Path
from typing import TYPE_CHECKING

from ancestral.cli import console
from ancestral.cli.asking import Asking
from ancestral.cli.options import Common, Destination, Pairs
from ancestral.cli.written import deliver
from ancestral.errors import ConfigError

if TYPE_CHECKING:
    from ancestral.recipes import Run

_SHOWN = 12


def impute(
    run: Path,
    data: str,
    /,
    *,
    draws: int = 1,
    best: bool = False,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Fill the gaps of a table: each draw is one from p(missing | known).

    Parameters
    ----------
    run
        A run on a mixed table.
    data
        A table of the same columns, with gaps.
    draws
        Tables that are written, one below the other; the column ``draw`` tells them apart.
    best
        One table, each gap at its mean or most probable state: of least error, and of too little
        spread.
    """
    from ancestral.recipes import Run
    from ancestral.recipes.imputing import impute_table

    common.apply()
    to.check()
    to.check_table()
    opened = Run.open(run)
    seed, device = common.seed_or_default, common.device_or_default
    answer = impute_table(opened, data, draws=draws, best=best, seed=seed, device=device)
    deliver(answer, {"run": str(run), "data": data}, out=to.out, json=common.json)
    return 0


def table_run(source: str) -> "Run | None":
    """Return the run on a mixed table that a source is, or None if it is none."""
    from ancestral.recipes import Run

    if not (Path(source) / "run.toml").is_file():
        return None
    run = Run.open(source)
    return run if run.record.data.kind == "mixed" else None


def answer_columns(
    run: "Run", targets: tuple[str, ...], given: Pairs, asking: Asking, common: Common
) -> None:
    """Show the law of each column that is asked for, given others.

    Raises:
        AncestralError: If a column or a value is none, or more is asked than such a run can tell.
    """
    from ancestral.recipes.completing import column_laws
    from ancestral.settings import parse_pairs

    if asking != Asking():
        raise ConfigError("of a run on a mixed table query takes columns and --given alone")
    known = parse_pairs(given or (), option="--given", names=run.record.data.columns)
    seed, device = common.seed_or_default, common.device_or_default
    laws = column_laws(run, targets, known, seed=seed, device=device)
    if common.json:
        tables = {
            law.name: dict(zip(law.cells, law.probabilities.tolist(), strict=True)) for law in laws
        }
        numbers = {law.name: law.summary for law in laws if law.summary}
        shown = {"network": str(run.folder), "given": known, "posteriors": tables}
        console.emit({**shown, "summaries": numbers})
        return
    rows = []
    for law in laws:
        order = law.probabilities.argsort(descending=True)[:_SHOWN].tolist()
        for number, at in enumerate(order if law.column.discrete else sorted(order)):
            p = law.probabilities[at].item()
            name = "" if number else law.name
            rows.append((name, law.cells[at], f"{p:.6f}", "█" * round(32 * p)))
        if len(law.cells) > _SHOWN:
            rest = 1 - law.probabilities[order].sum().item()
            rows.append(("", f"{len(law.cells) - _SHOWN} others", f"{rest:.6f}", ""))
        if law.summary:
            words = ", ".join(
                f"{name} {value if isinstance(value, str) else f'{value:,.6g}'}"
                for name, value in law.summary.items()
            )
            rows.append(("", words, "", ""))
    title = ", ".join(f"{name} = {value}" for name, value in known.items())
    console.table(("column", "value", "probability", ""), rows, title=title and f"given {title}")
