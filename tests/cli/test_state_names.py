"""A state by its name, however a number or a truth value is spelled, at every door."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def levels(cli: Callable, tmp_path: Path) -> Path:
    """Return a run of 16 rows each of the levels 1.0, 2.0, 3.0: `hi` in none, all, half of them."""
    hi = {"1.0": 0, "2.0": 16, "3.0": 8}
    rows = [f"{level},{'hi' if row < n else 'lo'}" for level, n in hi.items() for row in range(16)]
    table = tmp_path / "lv.csv"
    table.write_text("\n".join(["level,ok", *rows]) + "\n")
    run = tmp_path / "run"
    words = ["fit", "bayes-net", table, "--structure", "chow-liu", "--out", run]
    assert cli(*words).status == 0
    return run


def test_a_number_is_a_name_where_states_look_like_numbers(
    cli: Callable, levels: Path, tmp_path: Path
) -> None:
    asked = ["query", levels, "ok", "--json"]
    wanted = cli(*asked, "--given", "level=1.0").json
    assert wanted["posteriors"]["ok"]["hi"] < 0.1  # None of its rows, and one pseudo count.
    for word in ("1", "01", "1e0"):
        assert cli(*asked, "--given", f"level={word}").json == wanted
    done = cli(*asked, "--do", "level=2").json
    assert done["do"] == {"level": "2.0"}
    assert done["posteriors"]["ok"]["hi"] > 0.9
    rows = tmp_path / "rows.csv"
    rows.write_text("level\n1\n1.0\n2.00\n")
    first, second, third = cli(*asked, "--rows", rows).json["posteriors"]
    assert first == second
    assert first[:2] == pytest.approx([wanted["posteriors"]["ok"][s] for s in ("hi", "lo")])
    assert third[0] == pytest.approx(done["posteriors"]["ok"]["hi"])
    assert "'level' has no state '0'; its states are 1.0, 2.0, 3.0" in (
        cli("query", levels, "ok", "--given", "level=0").line
    )
    drawn = cli("sample", levels, "-n", 20, "--given", "level=1", "--json").json["samples"]
    assert {row[0] for row in drawn} == {"1.0"}
    assert "unknown state of level '0'" in cli("sample", levels, "--given", "level=0").line
    line = cli("query", levels, "level=1", "--sensitivity", "ok", "--json").json
    assert line["target"] == {"level": "1.0"}


def test_states_that_only_resemble_numbers_are_states(cli: Callable, tmp_path: Path) -> None:
    long = "9" * 5000
    table, run = tmp_path / "odd.csv", tmp_path / "run"
    table.write_text("a,b\n" + f"--1,x\n2,y\n{long},x\n--1,y\n" * 8)
    assert cli("fit", "bayes-net", table, "--out", run).status == 0
    found = cli("query", run, "a", "--json").json["posteriors"]["a"]
    assert list(found) == ["2", long, "--1"]
    drawn = cli("sample", run, "-n", 5, "--given", f"a={long}", "--json").json["samples"]
    assert {row[0] for row in drawn} == {long}
    assert "has no state" in cli("query", run, "--given", "b=" + "1" * 5000).line
    assert "unknown state" in cli("sample", run, "--given", "b=" + "1" * 5000).line


def test_rows_have_their_columns_in_any_order(cli: Callable, levels: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("level,ok\n" + "1.0,hi\n3.0,lo\n" * 10)
    other.write_text("ok,level\n" + "hi,1.0\nlo,3.0\n" * 10)
    for words in (["score", levels], ["evaluate", levels], ["query", levels, "--score"]):
        found, wanted = (cli(*words, path, "--json").json for path in (other, one))
        for each in (found, wanted):
            for name in ("data", "table", "seconds"):
                each.pop(name, None)
        assert found == wanted
    rows = [cli("query", levels, "--rows", path, "--json").json for path in (other, one)]
    assert rows[0] == rows[1]
