"""``--set target=COLUMN`` of mixed tables: what samples teach of one column."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def people(tmp_path: Path) -> Path:
    draw = random.Random(0)
    lines = ["age,city,paid"]
    for _ in range(700):
        age = draw.randrange(18, 80)
        city = draw.choice(["Lima", "Oslo", "Rome", ""])
        lines.append(f"{age},{city},{'yes' if draw.random() < age / 80 else 'no'}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_evaluate_takes_a_target(cli: Callable, people: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli("fit", "independent", people, "--out", run).status == 0
    found = cli("evaluate", run, "--set", "target=city", "--json").json
    assert found["figures"]["utility"]["unit"] == "share"
    assert found["figures"]["pair_tv"]["floor"] > 0
    assert "Column by column" in (run / "report.html").read_text()
    outcome = cli("evaluate", run, "--set", "target=ctiy")
    assert outcome.status == 2
    assert "target must be a column of people, got 'ctiy'; did you mean city?" in outcome.line
    assert "unknown setting 'tarqet'; did you mean target?" in (
        cli("evaluate", run, "--set", "tarqet=city").line
    )


def test_compare_takes_a_target_and_says_a_wrong_one_at_once(
    cli: Callable, people: Path, tmp_path: Path
) -> None:
    words = ["compare", people, "--models", "independent", "--out", tmp_path / "c"]
    outcome = cli(*words, "--set", "target=wage")
    assert outcome.status == 2
    assert "target must be a column of people, got 'wage'" in outcome.line
    assert not (tmp_path / "c").exists()
    found = cli(*words, "--set", "target=age", "--json").json
    assert found["models"][0]["figures"]["utility"]["unit"] == "R²"
    assert "--set target=age" in (tmp_path / "c" / "report.html").read_text()


def test_other_data_have_no_target(cli: Callable, table: Path, tmp_path: Path) -> None:
    words = ["compare", table, "--models", "kde", "--out", tmp_path / "c"]
    outcome = cli(*words, "--set", "target=x1")
    assert outcome.status == 2
    assert "target must be left out of vectors" in outcome.line
