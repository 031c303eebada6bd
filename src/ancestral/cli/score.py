"""``ancestral score``: how strange each row, image or token is to a run; which label it has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ancestral.cli import console
from ancestral.cli.options import Common, Destination
from ancestral.cli.written import deliver


def score(
    run: Path,
    data: str,
    /,
    *,
    alarm: float | None = None,
    abnormal: str = "",
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write how strange each row, image or token is, in the file's order.

    The surprise, minus log p in nats; of a model with codes also what is lost in the
    reconstruction, how far the code is from those of the training, and both together. Of a
    classifier: the likeliest label, its probability, and the surprise at the label in the data,
    where they have one.

    Parameters
    ----------
    run
        A run folder.
    data
        A name, a file or a folder; of a language model, a text.
    alarm
        Share of normal examples that may raise a false alarm, such as 0.05: a column says which
        examples are above the threshold, by the last score.
    abnormal
        Labels of DATA that are abnormal, separated by commas: how well each score tells them.
    """
    from ancestral.recipes import Run
    from ancestral.recipes.kinds import score_run

    common.apply()
    to.check()
    to.check_table()
    opened = Run.open(run)
    seed, device = common.seed_or_default, common.device_or_default
    names = [name.strip() for name in abnormal.split(",") if name.strip()]
    how = {"alarm": alarm, "abnormal": names}
    found = score_run(opened, data, seed=seed, device=device, **how)
    _say(found.facts)
    if found.facts["kind"] == "bound":
        console.say("of a lower bound on the likelihood: the true surprise is at most this")
    answer = {"run": str(run), "data": data, "unit": "nats"}
    deliver(found, answer, out=to.out, json=common.json)
    return 0


def _say(facts: Mapping[str, Any]) -> None:
    if "threshold" in facts:
        console.say(
            f"alarm where {facts['score']} is above {facts['threshold']:.4g}: of normal examples "
            f"{100 * facts['alarm']:g}% at most"
        )
    for name, found in facts.get("detection", {}).items():
        console.say(
            f"{name}: AUROC {found['auroc']:.3f} ± {found['se']:.3f}, AUPRC {found['auprc']:.3f}"
        )
