import json
import re

import pytest

from ancestral.cli import console


def test_json_is_one_object_and_finite(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit({"a": float("nan"), "b": [1.5, float("inf")], "c": {"ñ": (1, 2)}})
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert json.loads(text) == {"a": None, "b": [1.5, None], "c": {"ñ": [1, 2]}}


def test_a_table_is_plain_and_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 120
    console.table(("name", "[bold]number"), [("[red]a", "1"), (long, "-2")])
    text = capsys.readouterr().out
    assert long in text
    assert "[red]a" in text
    assert "\x1b" not in text


def test_a_bar_writes_a_line_a_tenth_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with console.Bar("work") as bar:
        bar.move(0.5)
    assert capsys.readouterr() == ("", "")  # What ends soon needs none.
    monkeypatch.setattr(console, "PATIENCE", 0.0)
    with console.Bar("work") as bar:
        for step in range(1, 101):
            bar.move(step / 100, f"step {step}")
        bar.turn("other work", 0.05, "step 5")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 10
    assert re.fullmatch(r"work: 10% after 0 s, 0 s left  step 10", lines[0])
    assert lines[-1] == "work: 100% after 0 s  step 100"


def test_columns_are_honoured_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    names = ["figure", "floor", "first", "second", "third"]
    console.table(names, [["coverage", "1", *("12345678901",) * 3]], kept=2)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("coverage") == 3
    monkeypatch.setenv("COLUMNS", "nonsense")
    console.table(names, [["coverage", "1", *("12345678901",) * 3]], kept=2)
    assert capsys.readouterr().out.count("coverage") == 1


def test_a_bar_shows_itself_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with console.Bar("work") as bar:
        bar.move(0.25, "[step] 1")
        bar.turn("other work", 0.5, "step 2")
    out, err = capsys.readouterr()
    assert out == ""
    assert "work" in err
