from dataclasses import dataclass, field
from typing import Literal

import pytest

from ancestral.errors import ConfigError
from ancestral.settings import build, convert, nearest, parse_pairs, plain, rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    count: int = 3
    rate: float | None = field(default=None, metadata={"none": "learned"})
    flag: bool = False
    widths: tuple[int, ...] = (2, 3)
    pair: tuple[float, float] = (0.5, 0.9)
    kind: Literal["a", "b"] = "a"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("count", 7, 7),
        ("rate", "1e-3", 1e-3),
        ("rate", "2", 2.0),
        ("rate", "learned", None),
        ("rate", "none", None),
        ("rate", None, None),
        ("flag", "yes", True),
        ("flag", "False", False),
        ("flag", True, True),
        ("widths", "8,16", (8, 16)),
        ("widths", "(8, 16)", (8, 16)),
        ("widths", [8, 16], (8, 16)),
        ("widths", "8", (8,)),
        ("widths", 8, (8,)),
        ("pair", "0,1", (0.0, 1.0)),
        ("kind", "b", "b"),
    ],
)
def test_text_and_values_become_the_type(name: str, text: object, value: object) -> None:
    found = getattr(build(Example, {name: text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("count", "x", "count must be a whole number, got 'x'"),
        ("count", "1.5", "count must be a whole number, got '1.5'"),
        ("count", 1.5, "count must be a whole number, got 1.5"),
        ("count", True, "count must be a whole number, got True"),
        ("rate", "nan", "rate must be a finite number or learned, got 'nan'"),
        ("rate", "inf", "rate must be a finite number or learned, got 'inf'"),
        ("flag", "maybe", "flag must be true or false, got 'maybe'"),
        ("widths", "8,x", "widths must be whole numbers separated by commas, got '8,x'"),
        ("pair", "1", "pair must be 2 finite numbers separated by commas, got '1'"),
        ("kind", "c", "kind must be one of a, b, got 'c'"),
        ("kinds", "a", "unknown setting 'kinds'; did you mean kind or widths?"),
    ],
)
def test_errors_name_key_rule_and_value(name: str, text: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Example, {name: text})
    assert str(caught.value) == message


def test_plain_and_back() -> None:
    for example in (Example(), Example(rate=0.5, widths=(1,), kind="b", flag=True)):
        assert build(Example, plain(example)) == example
    assert plain(Example())["rate"] == "learned"
    assert plain(Example())["widths"] == [2, 3]


def test_base_is_the_start() -> None:
    assert build(Example, {"count": 9}, base=Example(kind="b")) == Example(count=9, kind="b")


def test_pairs() -> None:
    assert parse_pairs(["a-b=1", "c=x=y", "a-b=2"]) == {"a_b": "2", "c": "x=y"}
    assert parse_pairs(["size=tiny", "size=64"]) == {"size": "tiny", "pixels": "64"}
    assert parse_pairs(["a-b=1"], option="--given") == {"a-b": "1"}
    for wrong in ("a", "=1"):
        with pytest.raises(ConfigError, match="key=value"):
            parse_pairs([wrong])


def test_nearest_offers_or_lists_or_is_silent() -> None:
    assert nearest("laten", ["latent", "hidden", "latent"]) == "; did you mean latent?"
    assert nearest("zzz", ["a", "b"], otherwise=5) == "; there are a, b"
    assert nearest("zzz", ["a", "b"]) == ""


def test_numbers_too_large_for_an_integer_are_refused() -> None:
    with pytest.raises(ConfigError, match="a whole number"):
        convert("count", 1e400, int)
    assert rule(int | None, ("none", "auto")) == "a whole number or auto"
