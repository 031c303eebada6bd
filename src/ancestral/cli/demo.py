"""``ancestral demo``: two comparisons in one report."""

import time
from pathlib import Path

from ancestral.cli import console
from ancestral.cli.compare import hold_with_bar
from ancestral.cli.options import Common, Ending, Folder

DATA = ("digits", "swiss-roll")


def demo(
    *,
    ending: Ending = Ending(),  # noqa: B008 - frozen
    folder: Folder = Folder(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Compare all paradigms on two data sets; the last line is the path of the report."""
    from ancestral.data.files import free_name
    from ancestral.evaluation.report import write_report
    from ancestral.recipes.comparing import check_folder, contest

    common.apply()
    begun, out = time.monotonic(), folder.out or free_name(Path("runs/demo"))
    end = ending.read() or "15s"
    for name in DATA:
        check_folder(out / Path(name).stem, overwrite=folder.overwrite)
    found = []
    for name in DATA:
        what = contest(
            name,
            budget=end,
            seed=common.seed_or_default,
            device=common.device_or_default,
            out=out / Path(name).stem,
        )
        console.say(f"comparing {', '.join(what.names)} on {name} ...")
        found.append(
            hold_with_bar(what, overwrite=folder.overwrite, choose_threads=common.threads is None)
        )
        if not common.json:
            console.section(found[-1].section)
    title = "Generative models, compared"
    report = write_report(
        out / "report.html", title=title, sections=[each.section for each in found]
    )
    console.say(f"done in {time.monotonic() - begun:.0f} s; open the report in a browser:")
    if common.json:
        answers = [each.to_json() for each in found]
        console.emit({"comparisons": answers, "report": str(report.resolve())})
    else:
        console.write(str(report.resolve()))
    return int(all(each.failed for each in found))
