import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ancestral.data import Loading
from ancestral.data.discrete import load_states
from ancestral.data.words import open_words
from ancestral.errors import DataError
from ancestral.networks import BayesianNetwork, Node, Table
from ancestral.networks.formats import read_evidence
from ancestral.networks.learning import Structure, read_chunks

Cells = list[list[str]]
Reader = Callable[[Path, list[str], dict[str, list[str]]], Cells]


def by_load(path: Path, columns: list[str], states: dict[str, list[str]]) -> Cells:
    contents = load_states(path, Loading(discrete=True))
    assert list(contents.columns) == columns
    assert all(set(s) == set(states[n]) for n, s in zip(columns, contents.states, strict=True))
    rows = contents.examples.x.tolist()
    return [[contents.states[j][i] for j, i in enumerate(row)] for row in rows]


def by_count(path: Path, columns: list[str], states: dict[str, list[str]]) -> Cells:
    structure = Structure(dict.fromkeys(columns, ()), {n: tuple(states[n]) for n in columns})
    chunks = list(read_chunks(structure, path))
    codes = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in columns}
    return [list(row) for row in zip(*([states[n][i] for i in codes[n]] for n in columns))]  # noqa: B905


def by_evidence(path: Path, columns: list[str], states: dict[str, list[str]]) -> Cells:
    network = BayesianNetwork(
        [
            Node(n, Table(np.full(len(states[n]), 1 / len(states[n])), states=states[n]))
            for n in columns
        ]
    )
    codes = read_evidence(network, path)
    assert list(codes) == columns
    return [list(row) for row in zip(*([states[n][i] for i in codes[n]] for n in columns))]  # noqa: B905


READERS = [by_load, by_count, by_evidence]
DIALECTS = st.tuples(
    st.sampled_from([",", ";", "\t"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
)
# Any letter of UTF-8, with plenty of those that a table of text may trip over.
LETTERS = st.one_of(
    st.sampled_from([*"ab01,;\t\"'\n\r .-?*#/\\<\x0b\x85\u2028\ufeff", "ñ"]),
    st.characters(codec="utf-8", exclude_characters="\0"),
)
WORDS = st.text(LETTERS, min_size=1, max_size=6).map(str.strip).filter(bool)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], Cells, tuple[str, int]]:
    """Columns, cells and how they are written; where it can be told apart from other ways."""
    delimiter, quoting = draw(DIALECTS)
    word = WORDS
    if quoting == csv.QUOTE_MINIMAL:  # A word with another delimiter is then not quoted.
        others = {",", ";", "\t", "|"} - {delimiter}
        word = word.filter(lambda text: not others & set(text))
    # A row of numbers is no header, so a name has a letter before all else.
    name = word.map(lambda text: f"n{text}")
    columns = draw(st.lists(name, min_size=1, max_size=4, unique=True))
    cells = draw(
        st.lists(
            st.lists(word, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=8
        )
    )
    return columns, cells, (delimiter, quoting)


@settings(max_examples=300, deadline=None)
@given(table=tables(), suffix=st.sampled_from([".csv", ".CSV", ".tsv"]), bom=st.booleans())
@pytest.mark.parametrize("reader", READERS)
def test_what_csv_writes_reads_back(
    reader: Reader, table: tuple[list[str], Cells, tuple[str, int]], suffix: str, bom: bool
) -> None:
    columns, cells, (delimiter, quoting) = table
    states = {name: sorted({row[j] for row in cells}) for j, name in enumerate(columns)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter, quoting=quoting).writerows([columns, *cells])
        assert reader(path, columns, states) == cells


STATES = {"age": ["<5", "12+"], "lung": ["Asy/Patch", "a, b"]}
CELLS = [["<5", "a, b"], ["12+", "Asy/Patch"], ["<5", "Asy/Patch"]]
PLAIN = 'age,lung\n<5,"a, b"\n12+,Asy/Patch\n<5,Asy/Patch\n'


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("age,lung", '"age","lung"'),
        PLAIN.replace("age,lung", "age , lung").replace("+,", "+ , "),
        PLAIN.replace("g\n<5,", "g\n<5;")
        .replace("+,", "+;")
        .replace("e,", "e;")
        .replace("\n<5,A", "\n<5;A"),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("\n", "\r\n"),
        "\n" + PLAIN,
        PLAIN.rstrip("\n"),
    ],
)
def test_ways_to_write_the_same_table(tmp_path: Path, reader: Reader, text: str) -> None:
    path = tmp_path / "rows.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding=encoding, newline="")
        assert reader(path, ["age", "lung"], STATES) == CELLS


@pytest.mark.parametrize("reader", READERS)
def test_words_of_windows(tmp_path: Path, reader: Reader) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("año;b\nsí;x\nno;y\n".encode("cp1252"))
    states = {"año": ["no", "sí"], "b": ["x", "y"]}
    assert reader(path, ["año", "b"], states) == [["sí", "x"], ["no", "y"]]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "rows.csv: the file holds no cells"),
        ("age,lung\n", "rows.csv: the table has no rows"),
        ("age,lung\n<5,Asy/Patch\n<5\n", r"row 2 \(line 3 of the file\) has 1 cells, expected 2"),
        ('age,lung\n"<5",Asy/Patch\n"<5",\n', "row 2, column 'lung': the cell is empty"),
        ("age,lung,age\n<5,Asy/Patch,<5\n", "two columns have the name 'age'"),
        (b"a\0b", "not a text file"),
    ],
)
def test_bad_files_are_told_in_one_line(
    tmp_path: Path, reader: Reader, text: str | bytes, message: str
) -> None:
    if reader is by_evidence and "empty" in message:
        return  # There it is a missing value.
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message) as caught:
        reader(path, ["age", "lung"], STATES)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_bytes_that_are_no_text_are_named_by_row_and_column(tmp_path: Path, reader: Reader) -> None:
    path = tmp_path / "rows.csv"
    line = b"<5,Asy/Patch\n"
    path.write_bytes(b"age,lung\n" + line * 40_000 + b"<5,\xff\n" + line)
    with pytest.raises(DataError, match=r"row 40001 .*, column 'lung': the text is not UTF-8"):
        reader(path, ["age", "lung"], STATES)


def test_columns_without_a_name_are_not_taken_for_nodes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(",x1,x2\n0,0,1\n1,1,1\n")  # As pandas writes an index.
    structure = Structure({"x1": (), "x2": ()}, {"x1": ("0", "1"), "x2": ("0", "1")})
    (chunk,) = read_chunks(structure, path)
    assert {name: column.tolist() for name, column in chunk.items()} == {"x1": [0, 1], "x2": [1, 1]}
    network = structure.network({"x1": np.array([0.5, 0.5]), "x2": np.array([0.5, 0.5])})
    with pytest.raises(DataError, match="column number 1, which has no name, is no node"):
        read_evidence(network, path)
    assert load_states(path, Loading(discrete=True)).columns == ("_1", "x1", "x2")


def test_memory_does_not_grow_with_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a;b\n" + "x;0123456789\n" * 2_000_000)  # 25 MB.
    batches = [batch.num_rows for batch in open_words(path).batches()]
    assert len(batches) >= 3
    assert sum(batches) == 2_000_000


def test_cells_of_parquet_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    states = {"b": ["False", "True"], "w": ["u", "v"], "n": ["0", "1"]}
    table = pa.table({"b": [True, None, False], "w": [None, " u", "v"], "n": [1.0, 0.0, None]})
    parquet.write_table(table, path)
    network = Structure(
        dict.fromkeys(states, ()), {name: tuple(names) for name, names in states.items()}
    ).network(dict.fromkeys(states, np.array([0.5, 0.5])))
    found = {name: column.tolist() for name, column in read_evidence(network, path).items()}
    assert found == {"b": [1, -1, 0], "w": [-1, 0, 1], "n": [1, 0, -1]}
    for column, kind in ((pa.array([[1], [2]]), "list"), (pa.nulls(2), "the cell is empty")):
        parquet.write_table(pa.table({"w": column}), path)
        with pytest.raises(DataError, match=kind):
            list(read_chunks(Structure({"w": ()}, {"w": ("u", "v")}), path))
