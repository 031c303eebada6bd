"""``ancestral sample``: new examples from a run."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ancestral.cli.options import Common, Destination, Flag, Pairs
from ancestral.cli.written import deliver
from ancestral.cli.written_text import TextOptions


def sample(
    run: Path,
    /,
    *,
    n: Annotated[int | None, Parameter(name=["-n", "--n"])] = None,
    given: Pairs = None,
    means: Flag = False,
    text: TextOptions = TextOptions(),  # noqa: B008 - frozen
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Draw from a run.

    Parameters
    ----------
    run
        A run folder.
    n
        Number of draws; 16 if not given, of text 1, of a folder of given images one each.
    given
        label=NAME, image=FILE, of a conditional model; of bayes-net COLUMN=STATE, of gmm
        z=COMPONENT.
    means
        Means of p(x | z) in place of draws: they are not draws of the model.
    """
    from ancestral.recipes import Run
    from ancestral.recipes.kinds import ways_of
    from ancestral.recipes.sampling import Asked

    common.apply()
    to.check()
    opened = Run.open(run)
    to.check_samples(opened.record.data.field)
    asked = Asked(
        n=n,
        given=given or (),
        means=means,
        writing=text.given(),
        seed=common.seed_or_default,
        device=common.device_or_default,
    )
    answer = ways_of(opened).draw(opened, asked)
    deliver(answer, {"run": str(run)}, out=to.out, json=common.json)
    return 0
