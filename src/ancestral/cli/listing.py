"""``ancestral models`` and ``ancestral datasets``: what there is."""

from ancestral.cli import console
from ancestral.cli.options import Common


def models(*, common: Common = Common()) -> int:
    """Show the models by paradigm, and what each can do.

    Example: `ancestral models`
    """
    console.say(common)
    return 0


def datasets(*, common: Common = Common()) -> int:
    """Show the data that have a name."""
    return 0
