"""The table of rows: whole, and true of the tests that it names."""

from pathlib import Path

from ancestral.book import coverage, rows
from ancestral.book.entry import Entry
from ancestral.book.making import Outcome

ROOT = Path(__file__).resolve().parents[2]


def test_the_tests_that_are_named_exist() -> None:
    for row in rows().values():
        if row.test:
            path, _, name = row.test.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text("utf-8"), row


def test_every_row_has_a_check_or_a_reason() -> None:
    assert len(rows()) == 420
    for row in rows().values():
        assert bool(row.test or row.entries) != bool(row.reason), row
        assert not (row.nothing and (row.test or row.entries)), row


def test_nearly_all_rows_are_checked() -> None:
    found = coverage()
    assert found.checked == sum(not row.reason for row in rows().values())
    assert found.share >= 0.95


def test_what_differs_is_not_checked() -> None:
    entry = Entry("PR-13", "", "", book=1)
    failed = Outcome(1, entry, "differs")
    assert coverage([failed]).checked == coverage().checked - 1
