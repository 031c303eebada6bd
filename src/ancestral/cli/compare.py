"""x."""

from ancestral.cli.options import Common


def compare(a: str, *, common: Common = Common()) -> int:
    """Do compare it.

    Example: `ancestral compare`
    """
