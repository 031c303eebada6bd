"""Verdicts: who is right, and how a value is shown."""

import pytest

from ancestral.book.entry import Entry, Found, How, Sampled, Value, value_text


def entry(book: Value, **more: object) -> Entry:
    return Entry("XX-01", "", "", book=book, **more)  # pyright: ignore


@pytest.mark.parametrize(
    ("book", "within", "found", "verdict"),
    [
        (0.18, 0.005, 23 / 126, "equal"),
        (0.18, 0.005, 0.1851, "differs"),
        (3190, 0.0, 3190, "equal"),
        (3190, 0.0, 3191, "differs"),
        ((1, 2), 0.0, (1.0, 2.0), "equal"),
        ((1, 2), 0.0, (1.0, 2.0, 3.0), "differs"),
        ("a b", 0.0, "a b", "equal"),
        ("a b", 0.0, "a c", "differs"),
        (0.7847, 0.0, Sampled(0.8, 0.016), "within sampling error"),
        (0.7847, 0.0, Sampled(0.85, 0.016), "differs"),
        (0.7847, 0.0, float("nan"), "differs"),
    ],
)
def test_a_value_agrees_or_differs(book: Value, within: float, found: Found, verdict: str) -> None:
    assert entry(book, within=within).verdict(found) == verdict


def test_the_book_errs_only_where_the_correction_comes_out() -> None:
    own = entry(99.8, correct=99.73, errs="E-M01", within=0.005)
    assert own.verdict(99.7300204) == "the book errs"
    assert own.verdict(99.8) == own.verdict(99.5) == "differs"
    loose = entry(99.8, correct=99.73, errs="E-M01", within=0.1)
    assert loose.verdict(99.75) == "differs"  # It cannot tell one from the other.


def test_what_cannot_be_compared_is_drawn_or_not_made() -> None:
    drawn = Entry("FG-01", "", "", draw=lambda _: "<svg/>")
    assert (drawn.kind, drawn.verdict(None)) == ("figure", "drawn")
    assert Entry("EX-03", "", "", reason=("no", "no")).verdict(None) == "not made"


def test_values_are_shown_with_their_digits() -> None:
    assert value_text((0.0, -1 / 3, 1e6)) == "0, -0.333333, 1,000,000"
    assert value_text(Sampled(12.3456, 1.2)) == "12.3 ± 1.2"
    assert value_text(Sampled(0.5, 0.0)) == "0.500000 ± 0.000000"


def test_labels_follow_the_language() -> None:
    assert How.of().say("head", "cabeza") == "head"
    assert How.of(language="es").say("head", "cabeza") == "cabeza"
