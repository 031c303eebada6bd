import math

import pytest

from ancestral.errors import ConfigError
from ancestral.serving.limits import LONGEST_PROMPT, Limits


def test_a_prompt_fits_into_the_window_whatever_is_allowed() -> None:
    assert Limits().prompt(16) == 15
    assert Limits(max_prompt=100).prompt(16) == 15
    assert Limits(max_prompt=7).prompt(16) == 7
    assert Limits().prompt(None) == LONGEST_PROMPT
    assert Limits(max_prompt=10**6).prompt(None) == 10**6


@pytest.mark.parametrize(
    "wrong",
    [
        {"slots": 0},
        {"queue": -1},
        {"max_tokens": 0},
        {"max_prompt": 0},
        {"max_body": 0},
        {"timeout": 0.0},
        {"timeout": math.nan},
        {"grace": math.inf},
    ],
)
def test_values_out_of_their_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=rf"{next(iter(wrong))} must be"):
        Limits(**wrong)
