from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import csv, parquet

from ancestral.errors import DataError
from ancestral.networks import BayesianNetwork, Node, Table, student_network
from ancestral.networks.learning import Counts, count_file, read_chunks, summarize

NAMED = BayesianNetwork(
    [
        Node("lung", Table([0.3, 0.7], states=("Asy/Patch", "<5"))),
        Node("age", Table([[0.2, 0.3, 0.5]] * 2, states=("12+", "0", "7")), ("lung",)),
    ]
)


def named_rows(n: int = 5000) -> dict[str, torch.Tensor]:
    return NAMED.sample(n, generator=torch.Generator().manual_seed(0))


def words(rows: dict[str, torch.Tensor]) -> pa.Table:
    return pa.table(
        {name: np.array(NAMED.states(name))[value.numpy()] for name, value in rows.items()}
    )


def check_equal(found: Counts, expected: Counts) -> None:
    assert found.rows == expected.rows
    for name, table in expected.tables.items():
        np.testing.assert_array_equal(found.tables[name], table)


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000, 10_000])
def test_a_parquet_file_of_indices_in_chunks(tmp_path: Path, chunk_rows: int) -> None:
    rows = student_network().sample(700)
    path = tmp_path / "rows.parquet"
    table = pa.table({"extra": np.arange(700.0), **{n: v.numpy() for n, v in rows.items()}})
    parquet.write_table(table, path, row_group_size=300)
    found = count_file(student_network(), path, chunk_rows=chunk_rows)
    check_equal(found, summarize(student_network(), rows))


def test_state_names_in_parquet_and_csv(tmp_path: Path) -> None:
    rows = named_rows()
    expected = summarize(NAMED, rows)
    table = words(rows)
    parquet.write_table(table, tmp_path / "words.parquet")
    coded = pa.table({n: table.column(n).dictionary_encode() for n in table.column_names})
    parquet.write_table(coded, tmp_path / "coded.parquet")
    csv.write_csv(table, tmp_path / "words.csv")
    for name in ("words.parquet", "coded.parquet", "words.csv"):
        check_equal(count_file(NAMED, tmp_path / name), expected)


def test_a_csv_file_of_several_blocks(tmp_path: Path) -> None:
    rows = named_rows(1_500_000)  # More than 8 MiB of text.
    path = tmp_path / "long.csv"
    csv.write_csv(words(rows), path)
    assert len(list(read_chunks(NAMED, path))) > 1
    check_equal(count_file(NAMED, path), summarize(NAMED, rows))


def test_chunks_hold_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("age,lung\n12+,<5\n7,Asy/Patch\n")
    (chunk,) = read_chunks(NAMED, path)
    assert {name: (c.tolist(), c.dtype) for name, c in chunk.items()} == {
        "lung": ([1, 0], np.uint8),
        "age": ([0, 2], np.uint8),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "age,lung\n7,<5\n8,<5\n",
            r"rows.csv: row 2, column 'age': '8' is no state; the states are 12",
        ),
        ("age,lung\n7,\n", "row 1, column 'lung': the cell is empty"),
        ("age\n7\n", "no column 'lung'; there is age"),
        ("age,lung\n7,<5\n7\n", r"row 2 \(line 3 of the file\) has 1 cells, expected 2"),
        ("", "the file holds no cells"),
        ("age,lung\n", "the table has no rows"),
        ("age,lung,age\n7,<5,7\n", "two columns have the name 'age'"),
    ],
)
def test_wrong_files_name_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        count_file(NAMED, path)


def test_wrong_cells_of_parquet_are_named_by_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    columns = {name: np.zeros(50, dtype=np.int64) for name in ("x1", "x2", "x3", "x4")}
    columns["x3"][37] = 2
    parquet.write_table(pa.table(columns), path)
    with pytest.raises(DataError, match="row 38, column 'x3': 2 is no state; there are 0 to 1"):
        count_file(student_network(), path, chunk_rows=10)
    with_gap = {**columns, "x3": [0, None] + [0] * 48}
    parquet.write_table(pa.table(with_gap), path)
    with pytest.raises(DataError, match="row 2, column 'x3': the cell is empty"):
        count_file(student_network(), path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be one of csv, tsv, json, jsonl, parquet"):
        count_file(NAMED, tmp_path / "rows.txt")
    with pytest.raises(DataError, match="no such file"):
        count_file(NAMED, tmp_path / "rows.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read as a table"):
        count_file(NAMED, tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match="chunk_rows must be at least 1"):
        count_file(NAMED, tmp_path / "rows.csv", chunk_rows=0)
