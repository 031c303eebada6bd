from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.data import Dataset, Loading, load
from ancestral.errors import DataError

VALUES = np.random.default_rng(0).normal(size=(12, 3)).round(4)
BODY = "\n".join(",".join(map(str, row)) for row in VALUES) + "\n"
TABLE = "a,b,c\n" + BODY
LABELLED = "a,b,c,kind\n" + "\n".join(
    f"{line},{'ab'[index % 2]}" for index, line in enumerate(BODY.splitlines())
)
CELL = str(VALUES[6, 1])


def read(
    folder: Path, content: str | bytes, label: str | None = None, *, mixed: bool | None = None
) -> Dataset:
    path = folder / "set.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(str(path), Loading(label=label, mixed=mixed))


def same_values(data: Dataset) -> None:
    x = torch.cat([part.x for part in (data.train, data.validation, data.test)]).numpy()
    np.testing.assert_array_equal(x[np.argsort(x[:, 0])], VALUES[np.argsort(VALUES[:, 0])])


@pytest.mark.parametrize(
    ("content", "columns", "note"),
    [
        (TABLE, "abc", None),
        (BODY, ("x1", "x2", "x3"), "no header, columns are named x1 to x3"),
        ("\ufeff" + TABLE, "abc", None),
        ("\ufeff" + BODY, ("x1", "x2", "x3"), "no header"),
        (TABLE.replace(",", ";"), "abc", "separated by semicolons"),
        (TABLE.replace(",", "\t"), "abc", "separated by tabs"),
        (TABLE.replace(",", ";").replace(".", ","), "abc", "decimal mark is a comma"),
        (TABLE.replace("\n", "\r\n"), "abc", None),
        (TABLE.replace("\n", "\r"), "abc", None),
        (TABLE.replace("\n", "\n\n"), "abc", None),
        (TABLE.replace(",", ", "), "abc", None),
        ("\n\n" + TABLE, "abc", None),
        ('"a x","b\ny",c\n' + BODY, ("a x", "b\ny", "c"), None),
        ("1,2,c\n" + BODY, "12c", None),
        (TABLE.replace("a", "año").encode("cp1252"), ("año", "b", "c"), "Windows-1252"),
        (TABLE.encode("utf-16"), "abc", None),
        (TABLE.replace("\n0.", "\n+0."), "abc", None),
    ],
)
def test_every_way_to_write_a_table(
    tmp_path: Path, content: str | bytes, columns: tuple[str, ...], note: str | None
) -> None:
    data = read(tmp_path, content)
    assert data.columns == tuple(columns)
    assert note is None or any(note in said for said in data.notes)
    same_values(data)


def test_labels_of_words(tmp_path: Path) -> None:
    data = read(tmp_path, LABELLED, "kind")
    assert data.columns == ("a", "b", "c")
    assert data.labels == ("a", "b")
    same_values(data)
    row = next(i for i, value in enumerate(VALUES[:, 0]) if value == data.train.x[0, 0])
    assert data.train.given["label"][0] == row % 2


def test_labels_of_numbers_are_ordered_by_size(tmp_path: Path) -> None:
    table = "y,x\n" + "\n".join(f"{(10, 9, -1)[i % 3]},{i}.5" for i in range(30))
    assert read(tmp_path, table, "y").labels == ("-1", "9", "10")


def test_labels_without_a_header(tmp_path: Path) -> None:
    data = read(tmp_path, LABELLED.split("\n", 1)[1], "x4")
    assert data.labels == ("a", "b")
    same_values(data)


def test_a_single_column(tmp_path: Path) -> None:
    data = read(tmp_path, "v\n" + "\n".join(map(str, VALUES.ravel())))
    assert data.columns == ("v",)
    assert data.event_shape == (1,)


def test_row_numbers_are_left_out(tmp_path: Path) -> None:
    table = ",a\n" + "\n".join(f"{index},{row[0]}" for index, row in enumerate(VALUES))
    data = read(tmp_path, table)
    assert data.columns == ("a",)
    assert data.notes[0] == "column 'x1' is an identifier, another in every row: left out"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TABLE.replace(CELL, "NaN"), "row 7 (line 8 of the file), column 'b': the value is mis"),
        (TABLE.replace(CELL, ""), "row 7 (line 8 of the file), column 'b': the cell is empty"),
        (TABLE.replace(CELL, "abc"), "row 7 (line 8 of the file), column 'b': 'abc' is not a nu"),
        (TABLE.replace(CELL, "inf"), "row 7 (line 8 of the file), column 'b': 'inf' is not finite"),
        (TABLE.replace(CELL, "1e999"), "column 'b': '1e999' is not finite"),
        (BODY.replace(CELL, "abc"), "row 7 (line 7 of the file), column 'x2': 'abc'"),
        (
            LABELLED,
            "row 1 (line 2 of the file), column 'kind': 'a' is not a number (so are 11 more cells)",
        ),
        (TABLE + "1,2\n", "row 13 (line 14 of the file) has 2 cells, expected 3"),
        (TABLE + "1,2,3,4\n", "row 13 (line 14 of the file) has 4 cells, expected 3"),
        ("v\n1.5\n\n" + "2.5\n" * 20, "row 2 (line 3 of the file), column 'v': the cell is empty"),
        ("a,b\n1,2\n", "needs at least 10 rows, got 1"),
        ("a,b\n", "the table has no rows"),
        ("", "the file is empty"),
        ("\n\n", "the file holds no cells"),
        (b"\0\1\2", "not a text file"),
        ("a,a,c\n" + BODY, "two columns have the name 'a'"),
        (TABLE.encode() + b"\xff,1,2\n", "row 13 (line 14 of the file), column 'a'"),
    ],
)
def test_each_mistake_is_one_line_that_says_where(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, mixed=False)
    line = caught.value.line
    assert line.startswith(str(tmp_path / "set.csv"))
    assert message in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("content", "label", "message"),
    [
        (LABELLED, "kinds", "no column 'kinds' for the label; there is kind"),
        (LABELLED.replace(",a\n", ",\n", 1), "kind", "row 1 (line 2 of the file), column 'kind': "),
        ("v\n" + "1\n" * 20, "v", "no column beside the label 'v'"),
        ("a,b\n" + "\n".join(f"{i},{i}.5" for i in range(30)), "b", "30 distinct values in 30"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, content: str, label: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, label)
    assert message in str(caught.value)


def test_a_bad_cell_far_below_the_sample_is_found(tmp_path: Path) -> None:
    lines = [f"{index},{index}.25" for index in range(60_000)]
    lines[55_554] = "1,?"
    with pytest.raises(DataError, match=r"row 55555 \(line 55556 of the file\), column 'b'"):
        read(tmp_path, "a,b\n" + "\n".join(lines), mixed=False)


def test_an_empty_last_cell_does_not_make_commas_decimal(tmp_path: Path) -> None:
    rows = "".join(f"{i},{2 * i}\n" for i in range(20)) + "7,\n"
    with pytest.raises(DataError, match=r"row 21 .*column 'b': the cell is empty"):
        read(tmp_path, "a,b\n" + rows, mixed=False)


def test_blank_lines_above_one_column_are_no_gaps(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\na\n" + BODY.replace(",", "\n")).columns == ("a",)


def test_a_name_is_not_given_twice(tmp_path: Path) -> None:
    rows = "".join(f"{i + 0.5},{i % 9},{-(i % 8)}\n" for i in range(20))
    assert read(tmp_path, ",x1,x2\n" + rows).columns == ("_1", "x1", "x2")
