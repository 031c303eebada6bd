from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ancestral.data import Dataset, Loading, load
from ancestral.data.tables import label_order
from ancestral.errors import DataError

N = 30
NUMBERS = np.random.default_rng(0).normal(size=N)


def read(
    folder: Path, label: str | None = None, *, mixed: bool | None = None, **columns: object
) -> Dataset:
    path = folder / "set.parquet"
    parquet.write_table(pa.table(columns), path)
    return load(str(path), Loading(label=label, mixed=mixed))


def test_numbers_of_every_kind(tmp_path: Path) -> None:
    data = read(
        tmp_path,
        a=NUMBERS,
        b=NUMBERS.astype(np.float32),
        c=np.arange(N) * 3,
        d=np.arange(N) % 2 == 0,
        e=pa.array(range(0, 3 * N, 3)).cast(pa.decimal128(30, 2)),
    )
    assert data.columns == ("a", "b", "c", "d", "e")
    row = data.train.x[0]
    index = int(row[2]) // 3
    np.testing.assert_allclose(
        row, [NUMBERS[index], NUMBERS[index], 3 * index, index % 2 == 0, 3 * index], rtol=1e-7
    )


@pytest.mark.parametrize(
    "label",
    [
        [("dog", "cat")[i % 2] for i in range(N)],
        pa.array([("dog", "cat")[i % 2] for i in range(N)]).dictionary_encode(),
    ],
)
def test_labels_of_words(tmp_path: Path, label: object) -> None:
    data = read(tmp_path, "y", i=np.arange(N) * 3, a=NUMBERS, y=label)
    assert data.labels == ("cat", "dog")
    assert data.columns == ("i", "a")
    assert (data.train.given["label"] == 1 - data.train.x[:, 0] % 2).all()


def test_labels_of_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, "y", a=NUMBERS, y=np.arange(N) % 3 * 1.0).labels == ("0", "1", "2")


def test_whole_numbers_of_any_length_stand_by_size_before_words() -> None:
    long = "9" * 5000  # Of more digits than int() reads.
    names = [
        "--1",
        "x",
        long,
        "2",
        "-" + long,
        "10",
        "-",
        "\N{ARABIC-INDIC DIGIT THREE}",
        "1.0",
        "²",
    ]
    ordered = ["-" + long, "2", "\N{ARABIC-INDIC DIGIT THREE}", "10", long]
    assert sorted(names, key=label_order) == [*ordered, "-", "--1", "1.0", "x", "²"]


@pytest.mark.parametrize(
    ("columns", "label", "message"),
    [
        (
            {"a": NUMBERS, "b": ["x"] * N, "c": ["y"] * N},
            None,
            "row 1, column 'b': 'x' is not a number (so are 29 more cells); row 1, column 'c': 'y'",
        ),
        ({"a": [1.0, None, *NUMBERS]}, None, "row 2, column 'a': the cell is empty"),
        ({"a": [1.0, 2.0, np.nan, *NUMBERS]}, None, "row 3, column 'a': the cell is empty"),
        ({"a": [np.inf, *NUMBERS]}, None, "row 1, column 'a': 'inf' is not finite"),
        ({"a": NUMBERS, "y": ["x", None] * (N // 2)}, "y", "row 2, column 'y': the label is mis"),
        ({"a": NUMBERS[:1]}, None, "needs at least 10 rows, got 1"),
        ({}, None, "the table has no columns"),
    ],
)
def test_each_mistake_is_one_line(
    tmp_path: Path, columns: dict, label: str | None, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, label, mixed=False, **columns)
    assert message in caught.value.line
    assert "\n" not in caught.value.line


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    parquet.write_table(pa.table({"a": NUMBERS}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        DataError, match=r"set\.parquet: cannot be read as a table: .* not a parquet"
    ):
        load(str(path))


def test_moments_are_no_numbers(tmp_path: Path) -> None:
    moments = pa.array(range(N)).cast(pa.timestamp("s"))
    with pytest.raises(DataError, match=r"column 'm': '1970-01-01T00:00:00' is not a number"):
        read(tmp_path, mixed=False, a=NUMBERS, m=moments)
