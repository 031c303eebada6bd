"""Mistakes about mixed tables: each is one line that names the column, the rule and the value."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ancestral.cli.app import run


def people(rows: int = 60) -> str:
    """Return a csv of words, gaps, a date and a price."""
    source = random.Random(0)
    lines = ["sex,age,joined,price"]
    for number in range(rows):
        age = "" if number % 7 == 0 else str(20 + number % 40)
        price = f"{source.uniform(5, 90):.2f}"
        lines.append(f"{('f', 'm')[number % 2]},{age},2024-01-{1 + number % 28:02},{price}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def fitted_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of latent classes on people.csv, which stands beside it."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "people.csv").write_text(people())
    words = ["fit", "latent-class", str(folder / "people.csv"), "--set", "classes=2"]
    assert run([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["sample", "--given", "sx=f"], ["'sx'", "did you mean sex"]),
        (["sample", "--given", "sex=woman"], ["sex", "'woman'", "f, m"]),
        (["sample", "--given", "age=400"], ["age", "'400'", "20 to 59"]),
        (["sample", "--given", "age=31.5"], ["age", "'31.5'", "steps of 1"]),
        (["sample", "--given", "joined=2031-01-01"], ["joined", "2024-01-01 to 2024-01-28"]),
        (["sample", "--given", "joined=soon"], ["joined", "'soon'", "no date"]),
        (["sample", "--given", "price=nan"], ["price", "the cell is empty", "no gaps"]),
        (["sample", "--balance", "age"], ["balance", "category", "'age'", "sex"]),
        (["query", "income"], ["'income'", "price"]),
        (["query", "sex", "--given", "sex=f"], ["sex", "both"]),
        (["impute", "people.csv", "--draws", "0"], ["draws", "at least 1", "0"]),
        (["impute", "people.csv", "--best", "--draws", "5"], ["draws must be 1", "got 5"]),
    ],
)
def test_what_is_given_must_be_a_value_of_a_column(
    words: list[str], parts: list[str], cli: Callable, fitted_people: Path
) -> None:
    table = str(fitted_people.parent / "people.csv")
    rest = [table if word == "people.csv" else word for word in words[1:]]
    line = cli(words[0], fitted_people, *rest).line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("schema", "parts"),
    [
        ('[age]\nlow = 30\nhigh = 59\nresolution = 1\ntype = "integer"', ["'age'", "30 to 59"]),
        ('[sex]\ntype = "category"\nstates = ["f"]', ["'sex'", "'m'", "states are f"]),
        ('[sex]\ntype = "number"', ["'sex'", "'f'", "not a number"]),
        ('[income]\ntype = "number"', ["'income'", "schema"]),
        ('[sex]\ntype = "word"', ["'sex'", "'word'", "category"]),
        ("[sex\n", ["schema.toml"]),
    ],
)
def test_a_schema_that_contradicts_the_file_is_refused(
    schema: str, parts: list[str], cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text(people())
    Path("schema.toml").write_text(schema)
    line = cli("fit", "tabular-ar", "people.csv", "--set", "schema=schema.toml").line
    for part in parts:
        assert part in line
    assert not Path("runs").exists()


def test_a_table_without_a_value_is_refused(cli: Callable, tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text("a,b\n" + ",\n" * 30)
    line = cli("fit", "latent-class", tmp_path / "gaps.csv", "--out", tmp_path / "run").line
    assert "no column is left: a holds no value in any row, b holds no value in any row" in line


def test_a_column_without_a_value_is_left_out_and_told(cli: Callable, tmp_path: Path) -> None:
    (tmp_path / "gap.csv").write_text("a,b\n" + "".join(f",w{n % 3}\n" for n in range(30)))
    found = cli("fit", "latent-class", tmp_path / "gap.csv", "--out", tmp_path / "run")
    assert found.status == 0
    assert "column 'a' holds no value in any row: left out" in found.err
    line = cli("fit", "latent-class", tmp_path / "gap.csv", "--set", "type.a=number").line
    assert "column 'a' holds no value in any row" in line


@pytest.mark.parametrize("model", ["independent", "latent-class", "tabular-ar"])
def test_a_table_of_one_column_is_fitted(model: str, cli: Callable, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("a\n" + "".join(f"w{n % 3}\n" for n in range(40)))
    steps = ["--steps", "2", "--set", "size=tiny"] if model == "tabular-ar" else []
    out = tmp_path / "run"
    assert cli("fit", model, tmp_path / "one.csv", *steps, "--out", out).status == 0
    rows = cli("sample", out, "-n", "20").out.split()
    assert rows[0] == "a"
    assert len(rows) == 21
    assert {*rows[1:]} <= {"w0", "w1", "w2"}


def test_many_states(cli: Callable, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("code,n\n" + "".join(f"s{n % 5000},{n % 7}\n" for n in range(12_000)))
    out, words = tmp_path / "run", ["fit", "independent", path, "--overwrite"]
    found = cli(*words, "--out", out)
    assert "column 'code' is free text, 5,000 different in 12,000 rows: left out" in found.err
    assert cli(*words, "--set", "type.code=category", "--out", out).status == 0
    assert "no state" in cli("sample", out, "--given", "code=s5000").line
    path.write_text("code,n\n" + "".join(f"s{n % 11_000},{n % 7}\n" for n in range(12_000)))
    line = cli(*words, "--set", "type.code=category", "--out", out).line
    assert "column 'code' has 11,000 states, a category has at most 10,000" in line


def test_the_best_filling_is_on_the_grid_of_the_file(
    cli: Callable, fitted_people: Path, tmp_path: Path
) -> None:
    table = fitted_people.parent / "people.csv"
    found = cli("impute", fitted_people, table, "--best", "--out", tmp_path / "best.csv")
    assert found.status == 0
    pairs = zip(
        (tmp_path / "best.csv").read_text().splitlines(),
        table.read_text().splitlines(),
        strict=True,
    )
    for filled, line in pairs:
        before, age, after = (*line.split(",", 1)[:1], line.split(",")[1], line.split(",", 2)[2])
        assert filled.startswith(before)
        assert filled.endswith(after)
        assert filled.split(",")[1] == age or (not age and 20 <= int(filled.split(",")[1]) <= 59)


def test_ctrl_c_in_impute_leaves_nothing_behind(fitted_people: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "long.csv", tmp_path / "filled.csv"
    head, *rows = people().splitlines(keepends=True)
    table.write_text(head + "".join(rows * 300))
    words = ["impute", fitted_people, table, "--draws", 2000, "--out", out]
    command = [sys.executable, "-m", "ancestral", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(6)  # What is asked for takes minutes: by then torch is there, and it draws.
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not out.exists()
    assert list(tmp_path.iterdir()) == [table]


def test_a_gap_where_the_run_knows_none_has_no_score(
    cli: Callable, fitted_people: Path, tmp_path: Path
) -> None:
    lines = people().splitlines()
    lines[4] = lines[4].rsplit(",", 1)[0] + ","
    (tmp_path / "gap.csv").write_text("\n".join(lines) + "\n")
    line = cli("score", fitted_people, tmp_path / "gap.csv").line
    assert "row 4, column 'price': the cell is empty" in line


def test_what_is_shown_is_what_is_written(
    cli: Callable, fitted_people: Path, tmp_path: Path
) -> None:
    shown = cli("sample", fitted_people, "-n", "30").out
    assert cli("sample", fitted_people, "-n", "30", "--out", tmp_path / "new.csv").status == 0
    assert shown.splitlines() == (tmp_path / "new.csv").read_text().splitlines()


def test_dates_are_summed_up_as_dates(cli: Callable, fitted_people: Path) -> None:
    out = cli("query", fitted_people, "joined", "--given", "sex=f").out
    assert "50% 2024-01-" in out
