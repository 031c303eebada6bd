"""x."""

from ancestral.cli.options import Common


def encode(a: str, *, common: Common = Common()) -> int:
    """Do it.

    Example: `ancestral`
    """


def interpolate(a: str, *, common: Common = Common()) -> int:
    """Do it.

    Example: `ancestral`
    """
