"""Names of states: which of them is meant by what is written, or by a value of Python.

This is the one place that tells a name from a position, for files, options and Python alike.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

import numpy as np

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_POSITION = re.compile(r"[0-9]{1,9}")
_SEVERAL = -2


class StateNames(Mapping[str, int]):
    """Places of the states of a variable by name, where a name may be spelled in other ways.

    A name counts as it stands. Else a number finds the state that is the same number (1 and 01
    the state 1.0), and a truth value the state that is called so in any case (true the state
    TRUE), if there is one such state.

    Args:
        names: Names of the states, which differ.
        nothing: Words that say nothing, unless a state is called so; their place is -1.

    Example:
        >>> places = StateNames(["1.0", "2.0", "True"], nothing=["?"])
        >>> places["2"], places["TRUE"], places["?"], places.get("3")
        (1, 2, -1, None)
    """

    def __init__(self, names: Iterable[str], *, nothing: Iterable[str] = ()) -> None:
        self._places = dict.fromkeys(nothing, -1) | {name: at for at, name in enumerate(names)}
        self._meant: dict[Decimal | str | None, int] = {}
        for name, place in self._places.items():
            if (meaning := _meaning(name)) is not None:
                self._meant[meaning] = _SEVERAL if meaning in self._meant else place
        self.numeric = any(isinstance(meaning, Decimal) for meaning in self._meant)
        """Whether the name of a state looks like a number."""

    def __getitem__(self, word: str) -> int:
        place = self._places.get(word)
        if place is None:
            place = self._meant.get(_meaning(word), _SEVERAL)
        if place == _SEVERAL:
            raise KeyError(word)
        return place

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def state_at(states: Sequence[str], value: object) -> int | None:
    """Return the position of the state that a text, a number or a truth value stands for, or None.

    It is taken as a name, see :class:`StateNames`. Only where no state looks like a number, a
    whole number that is no name is a position, from 0. A truth value is never one.

    Example:
        >>> state_at(["1.0", "2.0"], 1), state_at(["low", "high"], 1), state_at(["a", "b"], "1")
        (0, 1, 1)
        >>> state_at(["True", "False"], True), state_at(["no", "yes"], True)
        (0, None)
    """
    return _find(tuple(states), str(value)) if np.isscalar(value) else None


@lru_cache(maxsize=4096)  # The same question is asked again and again with other evidence.
def _find(states: tuple[str, ...], word: str) -> int | None:
    names = StateNames(states)
    if word not in names and not names.numeric and _POSITION.fullmatch(word):
        return int(word) if int(word) < len(states) else None
    return names.get(word)


def _meaning(word: str) -> Decimal | str | None:
    """Return the number or the truth value that a word spells, None if it spells neither."""
    if _NUMBER.fullmatch(word):
        return Decimal(word)
    return word.lower() if word.lower() in {"true", "false"} else None
