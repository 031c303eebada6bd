"""Names of states: what is written finds the state that is meant, or none."""

import sys

import numpy as np
import pytest
import torch

from ancestral.data.states import StateNames, state_at

LEVELS = ("1.0", "2.0", "10")
WORDS = ("low", "high", "<5")


@pytest.mark.parametrize(
    ("states", "value", "at"),
    [
        (LEVELS, "2.0", 1),
        (LEVELS, 1, 0),  # The number one, not the second state.
        (LEVELS, "1", 0),
        (LEVELS, 1.0, 0),
        (LEVELS, np.int64(10), 2),
        (LEVELS, np.float32(2), 1),
        (LEVELS, "1e1", 2),
        (LEVELS, 0, None),  # A number is never a position beside numbers,
        (("1", "2", "3+"), 2, 1),  # even one of them.
        (("0", "1"), 1, 1),
        (("0.1", "0.2"), np.float32(0.1), 0),
        (("-1", "0"), -1, 0),
        (("1", "01", "2"), "01", 1),  # A name as it stands comes first,
        (("1", "01", "2"), 1, 0),
        (("1", "01", "2"), "1.0", None),  # and of several equal numbers none is meant.
        (WORDS, 1, 1),
        (WORDS, "1", 1),
        (WORDS, "<5", 2),
        (WORDS, 3, None),
        (WORDS, -1, None),
        (WORDS, 1.0, None),
        (WORDS, "LOW", None),
        (WORDS, "9" * 5000, None),
        (("9" * 5000, "x"), "9" * 5000 + ".0", 0),
        (WORDS, "\N{ARABIC-INDIC DIGIT ONE}", None),
        (WORDS, "\N{SUPERSCRIPT ONE}", None),
        (("nan", "inf"), 0, 0),
        (("True", "False"), True, 0),
        (("True", "False"), np.False_, 1),
        (("false", "true"), True, 1),
        (("FALSE", "TRUE"), "true", 1),
        (("0", "1"), True, None),
        (WORDS, True, None),
        (("no", "yes"), False, None),
        (("None", "1"), None, None),
        (LEVELS, torch.tensor(1), None),
        (LEVELS, [1], None),
    ],
)
def test_what_is_meant(states: tuple[str, ...], value: object, at: int | None) -> None:
    assert state_at(states, value) == at


def test_words_that_say_nothing_have_no_place_unless_a_state_is_called_so() -> None:
    places = StateNames(["?", "1.0", "false"], nothing=["", "?", "*"])
    assert [places[word] for word in ("?", "*", "", "1", "FALSE")] == [0, -1, -1, 1, 2]
    assert "2" not in places
    assert dict(places) == {"": -1, "?": 0, "*": -1, "1.0": 1, "false": 2}
    assert sys.get_int_max_str_digits() < 5000  # What the long names above stand for.
