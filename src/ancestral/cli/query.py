"""x."""

from ancestral.cli.options import Common


def query(a: str, *, common: Common = Common()) -> int:
    """Do query it.

    Example: `ancestral query`
    """
