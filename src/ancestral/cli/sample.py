"""``ancestral sample``: new examples from a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ancestral.cli.options import Common, Destination, Flag, Pairs
from ancestral.cli.written import deliver_examples
from ancestral.cli.written_text import TextOptions, write_texts
from ancestral.errors import CapabilityError


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is drawn, and how.

    Parameters
    ----------
    given
        label=NAME, of a conditional model; of bayes-net COLUMN=STATE, of gmm z=COMPONENT.
    means
        Means of p(x | z) in place of draws: they are not draws of the model.
    set_
        How draws are made, key=value, where the model has a choice; of gan truncation=NUMBER.
    """

    given: Pairs = None
    means: Flag = False
    set_: Annotated[Pairs, Parameter(name="--set")] = None


def sample(
    run: Path,
    /,
    *,
    n: Annotated[int | None, Parameter(name=["-n", "--n"])] = None,
    draws: Draws = Draws(),
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
        Number of draws; 16 if not given, of text 1.
    """
    from ancestral.recipes import Run, sample_run
    from ancestral.recipes.sampling import names_of_nodes
    from ancestral.recipes.settings import parse_pairs

    common.apply()
    to.check()
    opened = Run.open(run)
    if opened.record.data.kind == "text":
        if draws.given or draws.means:
            raise CapabilityError("--given and --means are not of language models; try --prompt")
        return write_texts(opened, 1 if n is None else n, text, to, common)
    text.refuse(opened)
    if opened.record.data.kind != "images":
        to.check_table(kind=opened.record.data.kind, arrays=True)
    n = 16 if n is None else n
    x = sample_run(
        opened,
        n,
        given=parse_pairs(draws.given or (), option="--given", names=names_of_nodes(opened)),
        means=draws.means,
        settings=parse_pairs(draws.set_ or ()),
        seed=common.seed_or_default,
        device=common.device_or_default,
    )
    answer = {"run": str(run), "n": n, "means": draws.means}
    deliver_examples(opened, x, answer, out=to.out, name="samples", json=common.json)
    return 0
