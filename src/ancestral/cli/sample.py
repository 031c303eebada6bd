"""x."""

from ancestral.cli.options import Common


def sample(a: str, *, common: Common = Common()) -> int:
    """Do sample it.

    Example: `ancestral sample`
    """
