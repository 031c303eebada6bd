"""x."""

from ancestral.cli.options import Common


def fit(a: str, *, common: Common = Common()) -> int:
    """Do fit it.

    Example: `ancestral fit`
    """
