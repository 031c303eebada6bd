"""x."""

from ancestral.cli.options import Common


def demo(a: str, *, common: Common = Common()) -> int:
    """Do demo it.

    Example: `ancestral demo`
    """
