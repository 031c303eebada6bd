from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from ancestral.data import Dataset, Loading, load, write_samples
from ancestral.data.columns import Vector
from ancestral.data.dataset import adopt
from ancestral.data.discrete import load_states
from ancestral.errors import DataError

DISCRETE = Loading(discrete=True)
STATES = (("no", "yes"), ("<5", "Asy/Patch"), ("2", "10", "12"))


def test_words_and_numbers_are_states(states_csv: Path) -> None:
    data = load(str(states_csv), DISCRETE)
    assert (data.kind, data.columns) == ("tables", ("rain", "seen", "level"))
    assert data.states == STATES  # Whole numbers by size, words by alphabet.
    assert data.train.x.dtype == torch.uint8
    assert data.duplicates_removed == 0
    assert sum(map(len, (data.train, data.validation, data.test))) == 300
    assert any("every cell is a state: 7 states in 3 columns" in note for note in data.notes)


def test_codes_are_places_of_names(states_csv: Path) -> None:
    contents = load_states(states_csv, DISCRETE)
    rows = [
        tuple(names[code] for names, code in zip(contents.states, row, strict=True))
        for row in contents.examples.x.tolist()
    ]
    written = [tuple(line.split(",")) for line in states_csv.read_text().splitlines()[1:]]
    assert rows == written


@pytest.mark.parametrize("name", ["s.csv", "s.tsv", "s.parquet"])
def test_samples_read_back_the_same(states_csv: Path, name: str) -> None:
    contents = load_states(states_csv, DISCRETE)
    path = write_samples(
        contents.examples.x,
        states_csv.parent / name,
        contents.field,
    )
    back = load_states(path, DISCRETE)
    assert (back.columns, back.states) == (contents.columns, contents.states)
    assert torch.equal(back.examples.x, contents.examples.x)


def test_whole_numbers_of_parquet_are_names(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": [3, 11, 3] * 5, "b": [True, False, True] * 5}), path)
    contents = load_states(path, DISCRETE)
    assert contents.states == (("3", "11"), ("false", "true"))


def test_names_of_states_change_the_fingerprint(tmp_path: Path, states_csv: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(states_csv.read_text().replace("yes", "yea"))
    prints = [load(str(path), DISCRETE).fingerprint for path in (states_csv, other)]
    assert prints[0] != prints[1]


def renamed(data: Dataset, states: Sequence[Sequence[str]]) -> Dataset:
    field = Vector.of_states(data.columns, states)
    return adopt(data, {"x": field}, who="it models", source="there")


def test_recoding_keeps_the_names(states_csv: Path) -> None:
    data = load(str(states_csv), DISCRETE)
    wider = (("maybe", "yes", "no"), ("Asy/Patch", "<5"), ("2", "10", "11", "12"))
    turned = renamed(data, wider)
    for before, after in zip(data.test.x.tolist(), turned.test.x.tolist(), strict=True):
        assert [s[i] for s, i in zip(STATES, before, strict=True)] == [
            s[i] for s, i in zip(wider, after, strict=True)
        ]
    with pytest.raises(DataError, match="column 'rain' has the state 'yes'"):
        renamed(data, (("no",), *STATES[1:]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a,b\nx,1\n,2\n",
            "row 2, column 'a': the cell is empty; a fit with settings=",
        ),
        ("a,b\nx,1\nx,\n,2\n", "row 2, column 'b': the cell is empty"),
        ("a,a\n" + "x,1\n" * 12, "two columns have the name 'a'"),
        ("a\n" + "\n".join(f"w{i}" for i in range(30)), "'a' has 30 distinct values in 30 rows"),
        ("a,b\nx,1\ny\n", r"row 2 \(line 3 of the file\) has 1 cells, expected 2"),
    ],
)
def test_what_is_no_table_of_states_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_states(path, DISCRETE)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_cells_may_be_missing(tmp_path: Path, name: str) -> None:
    path, gaps = tmp_path / name, Loading(discrete=True, missing=True)
    a, b, c = ["x", "", "y", "?"] * 5, ["*", "2", "10", "2"] * 5, [""] * 20
    if name == "t.csv":
        rows = "\n".join(",".join(row) for row in zip(a, b, c, strict=True))
        path.write_text(f"a,b,c\n{rows}\n")
    else:
        parquet.write_table(pa.table({"a": [w or None for w in a], "b": b, "c": [None] * 20}), path)
    contents = load_states(path, gaps)
    assert contents.states == (("x", "y"), ("2", "10"), ())
    assert contents.examples.x.dtype == torch.int16
    assert contents.examples.x[:4].tolist() == [[0, -1, -1], [-1, 0, -1], [1, 1, -1], [-1, 0, -1]]
    assert any("35 cells in 20 of 20 rows say nothing" in note for note in contents.notes)
    data = load(str(path), gaps)
    turned = renamed(data, (("w", "y", "x"), ("2", "10"), ("on", "off")))
    before, after = data.train.x, turned.train.x
    assert torch.equal(before < 0, after < 0)
    assert torch.equal(after[:, 0][before[:, 0] == 0].unique(), torch.tensor([2]).to(torch.int16))


def test_where_cells_may_be_missing_and_none_is(states_csv: Path) -> None:
    whole = load(str(states_csv), DISCRETE)
    gaps = load(str(states_csv), Loading(discrete=True, missing=True))
    assert gaps.train.x.dtype == torch.uint8
    assert gaps.fingerprint == whole.fingerprint


def test_other_files_are_refused(tmp_path: Path, states_csv: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": [0.5, 1.5]}), path)
    with pytest.raises(DataError, match="column 'a' holds double, not names of states"):
        load_states(path, DISCRETE)
    with pytest.raises(DataError, match="must be one of csv, tsv, json, jsonl, parquet"):
        load_states(tmp_path / "t.npy", DISCRETE)
    with pytest.raises(DataError, match="has no label: leave out label"):
        load_states(states_csv, Loading(discrete=True, label="rain"))


def test_words_for_missing_cells_are_states_and_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "x,NaN\nnull,y\nx,y\n" * 10)
    contents = load_states(path, DISCRETE)
    assert contents.states == (("null", "x"), ("NaN", "y"))
    told = [note for note in contents.notes if "counts as a state" in note]
    assert [note.partition(":")[0] for note in told] == [
        "'null' counts as a state, of a",
        "'NaN' counts as a state, of b",
    ]
    path.write_text("a,b\n" + "x,z\nw,y\nx,y\n" * 10)
    assert not any("counts as" in note for note in load_states(path, DISCRETE).notes)


def test_a_first_row_of_states_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" * 15 + "z,y\n" * 15)
    assert "a file without such a row needs one" in load_states(path, DISCRETE).notes[-1]
