"""x."""

from ancestral.cli.options import Common


def evaluate(a: str, *, common: Common = Common()) -> int:
    """Do evaluate it.

    Example: `ancestral evaluate`
    """
