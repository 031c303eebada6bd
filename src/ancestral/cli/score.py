"""``ancestral score``: how surprised a run is by each row, image or token; which label it has."""

from pathlib import Path

from ancestral.cli import console
from ancestral.cli.options import Common, Destination
from ancestral.cli.written import deliver


def score(
    run: Path,
    data: str,
    /,
    *,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write the surprise, minus log p in nats, of each row, image or token, in the file's order.

    Of a classifier: the likeliest label, its probability, and the surprise at the label in the
    data, where they have one.

    Parameters
    ----------
    run
        A run folder.
    data
        A name, a file or a folder; of a language model, a text.
    """
    from ancestral.recipes import Run
    from ancestral.recipes.kinds import score_run

    common.apply()
    to.check()
    to.check_table()
    opened = Run.open(run)
    seed, device = common.seed_or_default, common.device_or_default
    found = score_run(opened, data, seed=seed, device=device)
    if found.facts["kind"] == "bound":
        console.say("of a lower bound on the likelihood: the true surprise is at most this")
    answer = {"run": str(run), "data": data, "unit": "nats"}
    deliver(found, answer, out=to.out, json=common.json)
    return 0
