"""``ancestral sample``: new examples from a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ancestral.cli.options import Common, Destination, Flag, Pairs, Text
from ancestral.cli.written import deliver
from ancestral.cli.written_text import TextOptions


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is drawn, and how.

    Parameters
    ----------
    given
        label=NAME, image=FILE, of a conditional model; of a table COLUMN=VALUE, of gmm
        z=COMPONENT.
    balance
        A category of a table whose states come equally often.
    edit
        An image, or a folder of them, of which new ones are made that agree with it: by a diffusion
        or score model. Smaller ones are enlarged, grey ones coloured.
    mask
        An image that is bright where --edit is to be drawn anew; all else keeps every bit.
    means
        Means of p(x | z) in place of draws: they are not draws of the model.
    steps
        Of a model that draws in steps: how many.
    sampler
        Of such a model: how a step is made.
    guidance
        Of such a model with labels: how far the label guides; 0 is without it, 1 with it.
    set_
        How draws are made, key=value, where the model has a choice; of gan truncation=NUMBER.
    """

    given: Pairs = None
    balance: str | None = None
    edit: Text = None
    mask: Text = None
    means: Flag = False
    steps: int | None = None
    sampler: Text = None
    guidance: float | None = None
    set_: Annotated[Pairs, Parameter(name="--set")] = None

    def settings(self) -> dict[str, object]:
        """Return how draws are made, by name: what has an option of its own, and ``--set``."""
        from ancestral.settings import parse_pairs

        names = ("balance", "steps", "sampler", "guidance")
        own = {name: getattr(self, name) for name in names}
        given = {name: value for name, value in own.items() if value is not None}
        return {**parse_pairs(self.set_ or ()), **given}


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
        Number of draws; 16 if not given, of text 1, of a folder of given images one each.
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
        given=draws.given or (),
        edit=draws.edit,
        mask=draws.mask,
        means=draws.means,
        settings=draws.settings(),
        writing=text.given(),
        seed=common.seed_or_default,
        device=common.device_or_default,
    )
    answer = ways_of(opened).draw(opened, asked)
    deliver(answer, {"run": str(run)}, out=to.out, json=common.json)
    return 0
