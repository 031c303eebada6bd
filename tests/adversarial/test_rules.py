import pytest

from ancestral.adversarial.rules import GameRules


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("loss", "cross"),
        ("regulariser", "r3"),
        ("penalty", -1.0),
        ("updates", (0, 1)),
        ("augment", "flip"),
        ("smoothing", 1.0),
    ],
)
def test_settings_outside_their_range_are_named(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{argument} must be"):
        GameRules(**{argument: value})
