import json

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


def test_a_bar_is_silent_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0.0)
    with console.Bar("work") as bar:
        bar.move(0.5)
    assert capsys.readouterr() == ("", "")


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
