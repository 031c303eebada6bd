"""Tables as people have them: types, gaps and precision in, the same out."""

import csv
import gzip
import json
import math
import tempfile
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tomli_w
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ancestral.data import Loading, load, read, write_samples
from ancestral.data.arrow import as_arrow
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import adopt
from ancestral.data.schema import loading_like, write_schema
from ancestral.data.splitting import Contents
from ancestral.data.typed import contents_of_arrow
from ancestral.errors import ConfigError, DataError
from ancestral.recipes.plan import loading_of

MIXED = Loading(mixed=True)
PEOPLE = """\
PassengerId,Survived,Name,Sex,Age,Fare,Joined,Cabin
1,no,"Braund, Owen",male,22,$7.25,1912-04-10,
2,yes,"Cumings, John",female,38,"$1,071.28",1912-04-10,C85
3,yes,"Heikkinen, Laina",female,,$7.92,1912-04-11,
4,yes,"Futrelle, Jacques",female,35,$53.10,1912-04-12,C123
5,no,"Allen, William",male,35,$8.05,1912-04-10,
6,no,"Moran, James",male,,$8.46,1912-04-10,C85
7,no,"McCarthy, Timothy",male,54,$51.86,1912-04-13,
8,no,"Palsson, Gosta",male,2,$21.08,1912-04-10,
9,yes,"Johnson, Oscar",female,27,$11.13,1912-04-14,
10,yes,"Nasser, Nicholas",female,14,$30.07,1912-04-10,C85
11,yes,"Sandstrom, Marguerite",female,4,$16.70,1912-04-10,C123
12,yes,"Bonnell, Elizabeth",female,58,$26.55,1912-04-10,
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


def contents(path: Path, loading: Loading = MIXED) -> Contents:
    return read(str(path), loading)[1]


def columns_of(found: Contents) -> dict[str, Column]:
    assert isinstance(found.field, Vector)
    return {column.name: column for column in found.field.columns}


def day(number: int) -> float:
    """Return a day of April 1912 in seconds."""
    return datetime(1912, 4, number, tzinfo=UTC).timestamp()


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_what_a_table_of_people_is(people: Path) -> None:
    found = contents(people, Loading())
    assert found.kind == "mixed"
    assert found.field.left_out == ("PassengerId", "Name")
    assert columns_of(found) == {
        column.name: column
        for column in (
            Column(name="Survived", type="truth", states=("no", "yes")),
            Column(name="Sex", type="category", states=("female", "male")),
            Column(name="Age", type="integer", resolution=1.0, low=2.0, high=58.0, gaps=True),
            Column(name="Fare", resolution=0.01, low=7.25, high=1071.28, form="$,2"),
            Column(
                name="Joined",
                type="date",
                resolution=86400.0,
                low=day(10),
                high=day(14),
                form="%Y-%m-%d",
            ),
            Column(name="Cabin", type="category", states=("C123", "C85"), gaps=True),
        )
    }
    row = found.examples.x[1].tolist()
    assert row == [1, 0, 38, 1071.28, day(10), 1]
    assert math.isnan(found.examples.x[0, 5])
    table = found.notes[-1].split("\n")
    assert table[1].split() == [
        "column",
        "type",
        "resolution",
        "range",
        "or",
        "states",
        "gaps",
        "example",
    ]
    assert [line.split()[0] for line in table[2:]] == list(found.columns)
    assert "column 'PassengerId' is an identifier, another in every row: left out" in found.notes


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json", ".parquet"])
def test_people_are_written_as_they_were(people: Path, tmp_path: Path, ending: str) -> None:
    found = contents(people)
    path = write_samples(found.examples.x, tmp_path / f"new{ending}", found.field)
    again = read(str(path), MIXED, expected=found.field)[0]
    torch.testing.assert_close(again.x, found.examples.x, equal_nan=True, rtol=0, atol=0)
    if ending == ".csv":
        kept = [row[1:2] + row[3:] for row in csv.reader(PEOPLE.splitlines())]
        assert list(csv.reader(path.read_text().splitlines())) == kept
    if ending == ".parquet":
        kinds = {field.name: str(field.type) for field in parquet.read_schema(path)}
        assert kinds == {
            "Survived": "string",
            "Sex": "string",
            "Age": "int64",
            "Fare": "double",
            "Joined": "date32[day]",
            "Cabin": "string",
        }


def test_columns_are_chosen_and_typed_by_settings(people: Path) -> None:
    chosen = loading_of({"columns": "Age,Name, Fare"})
    assert contents(people, chosen).columns == ("Age", "Name", "Fare")
    dropped = loading_of(
        {"drop": "Sex,Cabin", "type.Age": "category", "type.PassengerId": "integer"}
    )
    found = columns_of(contents(people, dropped))
    assert list(found) == ["PassengerId", "Survived", "Age", "Fare", "Joined"]
    assert found["Age"].states == ("2", "4", "14", "22", "27", "35", "38", "54", "58")
    assert found["PassengerId"].high == 12
    plain = contents(people, loading_of({"columns": "Fare,PassengerId"}))
    assert plain.kind == "vectors"
    assert plain.examples.x[1].tolist() == [1071.28, 2]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"columns": "Age,Sx"}, r"no column 'Sx', as columns has; did you mean Sex\?"),
        ({"drop": "sex"}, r"no column 'sex', as drop has; did you mean Sex"),
        ({"type.Aeg": "number"}, r"no column 'Aeg', as schema has; did you mean Age"),
        ({"type.Age": "real"}, "column 'Age': type must be one of number, integer, category, tru"),
        ({"type.Sex": "number"}, r"row 1 \(line 2 of the file\), column 'Sex': 'male' is not a n"),
        ({"type.Sex": "date"}, r"row 1 .*column 'Sex': 'male' is no date, as in %Y-%m-%d"),
        ({"type.Fare": "integer"}, r"column 'Fare': '\$7.25' is not a whole number"),
        ({"type.Age": "truth"}, "column 'Age' has 9 different cells, a truth value has two"),
        ({"schema": "none.toml"}, "none.toml: cannot be read as a schema: No such file"),
        (
            {"type.Sex": "integer", "type.Cabin": "number"},
            r"column 'Sex': 'male' is not .*; row 2 \(line 3 of the file\), column 'Cabin': 'C85'",
        ),
    ],
)
def test_settings_that_contradict_the_file(people: Path, chosen: dict, message: str) -> None:
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        contents(people, loading_of(chosen))
    assert "\n" not in str(caught.value)


def test_a_schema_is_written_edited_and_read(people: Path, tmp_path: Path) -> None:
    found = contents(people)
    assert isinstance(found.field, Vector)
    path = tmp_path / "people.toml"
    text = write_schema(found.field, people.name)
    path.write_text(text)
    again = contents(people, loading_of({"schema": str(path)}))
    assert again.field == found.field
    assert torch.equal(again.examples.x.nan_to_num(), found.examples.x.nan_to_num())
    assert 'low = "1912-04-10"' in text
    path.write_text(text.replace("high = 58.0", "high = 110.0").replace('"male",', '"male", "x",'))
    wider = columns_of(contents(people, loading_of({"schema": str(path)})))
    assert wider["Age"].high == 110
    assert wider["Sex"].states == ("female", "male", "x")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("[Age]\nhigh = 40", r"row 7 .*column 'Age': '54' is outside 2 to 40 \(so are 1 more"),
        ("[Age]\nlow = 1\nresolution = 2", "'22' is not on the grid of 1 and steps of 2"),
        ("[Age]\ngaps = false", r"row 3 .*column 'Age': the cell is empty"),
        ('[Sex]\nstates = ["male"]', "row 2 .*'female' is no state; the states are male"),
        ("[Age]\nhihg = 40", "column 'Age': unknown 'hihg'; did you mean high"),
        ('[Age]\nhigh = "x"', "column 'Age': low and high must be numbers, got 'x'"),
        ('[Joined]\ntype="date"\nlow = "x"', "low must be a date as in %Y-%m-%d, got 'x'"),
        ("[Age]\nresolution = 0", "resolution must be a number above 0, got 0"),
        ("Age = 3", "column 'Age' must be a table, such as"),
        ("[Age", "cannot be read as a schema"),
    ],
)
def test_a_schema_that_contradicts_the_file(
    people: Path, tmp_path: Path, said: str, message: str
) -> None:
    path = written(tmp_path, said, "schema.toml")
    with pytest.raises(DataError, match=message) as caught:
        contents(people, loading_of({"schema": str(path)}))
    assert "\n" not in str(caught.value)


def test_rows_that_come_later_are_read_by_the_columns_of_a_run(
    people: Path, tmp_path: Path
) -> None:
    field = contents(people).field
    rows = "Fare,Name,Sex,Joined,Cabin,Age,Survived\n9.5,anyone,FEMALE,1912-04-11,NA,4.0,Yes\n"
    with pytest.raises(
        DataError, match=r"row 1 .*'FEMALE' is no state; the states are female, mal"
    ):
        read(str(written(tmp_path, rows)), expected=field)
    x = read(
        str(written(tmp_path, rows.replace("FEMALE", "female").replace("Yes", "yes"))),
        expected=field,
    )[0].x
    assert x[0, :5].tolist() == [1, 0, 4, 9.5, day(11)]
    assert math.isnan(x[0, 5])


def test_other_data_of_a_run_are_split_under_its_columns(people: Path, tmp_path: Path) -> None:
    field = contents(people).field
    head, *rows = PEOPLE.splitlines()
    path = written(tmp_path, "\n".join([head, *rows[:10]]))
    data = load(str(path), loading_like(MIXED, field))
    taken = adopt(data, {"x": field}, who="it models", source=str(path))
    assert taken.field == field
    assert taken.columns == field.names
    again = [tuple(row) for row in read(str(path), expected=field)[0].x.nan_to_num(-1).tolist()]
    for part in (taken.train, taken.validation, taken.test):
        assert {tuple(row) for row in part.x.nan_to_num(-1).tolist()} <= {*again}
    path.write_text(path.read_text().replace(",female,38", ",female,380"))
    with pytest.raises(DataError, match=r"'380' is outside 2 to 58"):
        load(str(path), loading_like(MIXED, field))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Age", "Years", r"no column 'Age', which is expected"),
        ("Sex", "Sex,Hat", r"unknown column 'Hat'"),
        ("22", "220", r"row 1 \(line 2 of the file\), column 'Age': '220' is outside 2 to 58"),
        ("22", "22.5", "column 'Age': '22.5' is not on the grid of 2 and steps of 1"),
        ("22", "old", "column 'Age': 'old' is not a number"),
        ("male", "boy", "column 'Sex': 'boy' is no state; the states are female, male"),
        ("1912-04-10", "10/04/1912", "column 'Joined': '10/04/1912' is no date, as in %Y-%m-%d"),
        ("1912-04-10", "1913-04-10", "'1913-04-10' is outside 1912-04-10 to 1912-04-14"),
    ],
)
def test_rows_that_a_run_cannot_know(
    people: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    field = contents(people).field
    head, first, _ = PEOPLE.split("\n", 2)
    text = f"{head}\n{first}\n".replace(old, new, 1)
    if "," in new:
        text = text.replace("male", "male,big")
    with pytest.raises(DataError, match=message):
        read(str(written(tmp_path, text)), expected=field)


# Cases that people report, by their kind.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0,1,2,3\n" + "0.51,0.22,0.13,0.94\n0.27,0.61,0.88,0.12\n" * 20, "0123"),
        ("2019,2020,2021\n" + "51.2,60.3,68.9\n50.1,61.7,67.3\n" * 20, ("2019", "2020", "2021")),
        (
            ",0,1,2,3\n" + "".join(f"{i},.5,{i % 7},{i % 3}.5,{i % 5}.25\n" for i in range(30)),
            "0123",
        ),
        ("a,b\n39,Private\n50,State\n39,State\n" * 1 + "50,Private\n" * 9, "ab"),
        ("39,Private\n50,State\n39,State\n" + "50,Private\n" * 9, ("x1", "x2")),
        ("country,2019,2020\n" + "Spain,51,60\nPeru,30,31\n" * 6, ("country", "2019", "2020")),
    ],
)
def test_a_header_is_unlike_the_column_below_it(
    tmp_path: Path, text: str, names: tuple[str, ...]
) -> None:
    found = contents(written(tmp_path, text), Loading(mixed=None))
    assert found.columns == tuple(names)


def test_a_header_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2\n" + "3,4\n5,4\n3,2\n" * 5)
    assert contents(path).columns == ("x1", "x2")
    found = contents(path, loading_of({"header": "true"}))
    assert found.columns == ("1", "2")
    assert len(found.examples) == 15
    path = written(tmp_path, "u,v\n" + "w,v\nu,z\n" * 5)
    assert len(contents(path, loading_of({"header": "false"})).examples) == 11


def test_a_constant_is_said_and_given_back(tmp_path: Path) -> None:
    rows = "".join(f"7,0.{i},x\n" for i in range(1, 31))
    path = written(tmp_path, f"a,b,c\n{rows}")
    found = contents(path)
    assert "column 'a' is always 7: given back as it is" in found.notes
    assert "column 'c' is always x: given back as it is" in found.notes
    assert columns_of(found)["a"].low == columns_of(found)["a"].high == 7


def test_numbers_are_written_with_their_precision_and_range(tmp_path: Path) -> None:
    path = written(tmp_path, "age,price\n" + "".join(f"{20 + i % 30},{i}.25\n" for i in range(40)))
    field = contents(path).field
    x = torch.tensor([[69.44, 8.691404], [24.6, -0.063]], dtype=torch.float64)
    out = write_samples(x, tmp_path / "new.csv", field)
    assert out.read_text() == "age,price\n49,8.25\n25,0.25\n"
    assert field.rows(x) == [[49, 8.25], [25, 0.25]]


def test_the_index_of_pandas_is_left_out(tmp_path: Path) -> None:
    index = {"index_columns": ["__index_level_0__"], "columns": [], "column_indexes": []}
    table = pa.table({"a": np.arange(30) % 7, "__index_level_0__": np.arange(30) * 10})
    table = table.replace_schema_metadata({"pandas": json.dumps(index)})
    parquet.write_table(table, tmp_path / "t.parquet")
    for loading in (Loading(), MIXED, Loading(discrete=True)):
        found = read(str(tmp_path / "t.parquet"), loading)[1]
        assert found.columns == ("a",)
        assert "column '__index_level_0__' is the index that pandas added: left out" in found.notes


def test_identifiers_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(40)
    rows = "".join(f"{i % 7}.5,{100001 + order[i]},{order[i] * 977}\n" for i in range(40))
    path = written(tmp_path, f"a,number,customer_id\n{rows}")
    found = contents(path, Loading())
    assert found.columns == ("a",)
    assert "column 'number' is an identifier, another in every row: left out" in found.notes
    assert "column 'customer_id' is an identifier, another in every row: left out" in found.notes
    kept = contents(path, Loading(columns=("a", "customer_id")))
    assert kept.columns == ("a", "customer_id")


BODY = "1,2.5\n2,3.5\n" * 8


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a,b,\n" + BODY.replace("\n", ",\n"), "column 'x3' holds no value in any row: left out"),
        ("a,b\n" + BODY.replace("\n", ",\n"), "column 'x3' holds no value in any row: left out"),
        ("a,b\n" + BODY + ",\n,\n", "2 rows without any cell at the end: left out"),
        ("# made by x\na,b\n" + BODY, "1 lines that begin with # are passed over"),
        ("a|b\n" + BODY.replace(",", "|"), "cells are separated by bars"),
    ],
)
def test_ways_to_write_a_table_that_are_read_and_said(tmp_path: Path, text: str, note: str) -> None:
    found = contents(written(tmp_path, text), Loading())
    assert found.columns == ("a", "b")
    assert note in found.notes
    assert found.examples.x.tolist() == [[1, 2.5], [2, 3.5]] * 8


def test_marks_of_numbers_are_read_and_written(tmp_path: Path) -> None:
    rows = '$490.42,79%,"49,042.00"\n-$3.00,5%,7.50\n'
    path = written(tmp_path, "a,b,c\n" + rows * 8)
    assert contents(path, Loading()).kind == "vectors"
    found = contents(path)
    assert found.examples.x[:2].tolist() == [[490.42, 79, 49042], [-3, 5, 7.5]]
    out = write_samples(found.examples.x, tmp_path / "new.csv", found.field)
    assert out.read_text() == path.read_text()


def test_codes_with_zeros_in_front_are_words(tmp_path: Path) -> None:
    path = written(tmp_path, "zip,b\n" + "01234,1\n28001,2\n" * 8)
    assert columns_of(contents(path))["zip"].states == ("01234", "28001")


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv.gz", "t.json", "t.jsonl", "t.jsonl.gz"])
def test_compressed_text_and_rows_of_json(tmp_path: Path, name: str) -> None:
    rows = [{"a": i % 3, "b": "uv"[i % 2], "c": None if i == 4 else i / 4} for i in range(12)]
    if ".json" in name:
        lines = [json.dumps(row) for row in rows]
        text = f"[{','.join(lines)}]" if name == "t.json" else "\n".join(lines)
    else:
        mark = "\t" if "tsv" in name else ","
        cells = [
            ["a", "b", "c"],
            *(["" if v is None else str(v) for v in r.values()] for r in rows),
        ]
        text = "".join(f"{mark.join(row)}\n" for row in cells)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    data = load(str(path))
    assert data.name == "t"
    assert data.kind == "mixed"
    found = contents(path)
    assert found.columns == ("a", "b", "c")
    assert [found.field.rows(found.examples.x)[k] for k in (3, 4)] == [
        [0, "v", 0.75],
        [1, "u", None],
    ]


def test_truth_values_and_whole_numbers_have_one_spelling(tmp_path: Path) -> None:
    truth = [i % 3 == 0 for i in range(30)]
    level = [i % 4 + 1 for i in range(30)]
    parquet.write_table(pa.table({"t": truth, "n": level}), tmp_path / "t.parquet")
    rows = "".join(f"{t},{n}.0\n" for t, n in zip(truth, level, strict=True))
    text = written(tmp_path, f"t,n\n{rows}")
    for one, two in ((text, tmp_path / "t.parquet"), (tmp_path / "t.parquet", text)):
        for loading in (
            MIXED,
            Loading(),
            Loading(discrete=True),
            Loading(discrete=True, label=None),
        ):
            if loading.discrete and one.suffix == ".parquet":
                continue  # Floating-point cells of csv are words there.
            field = contents(one, loading).field
            first = read(str(one), loading, expected=field)[0].x
            assert torch.equal(read(str(two), loading, expected=field)[0].x, first)


def test_a_wrong_cell_among_numbers_is_told(tmp_path: Path) -> None:
    rows = [f"{i / 8},{i * 3},u" for i in range(60)]
    rows[16] = "12;5,inf,u"
    with pytest.raises(DataError) as caught:
        contents(written(tmp_path, "a,b,c\n" + "\n".join(rows)))
    assert "row 17 (line 18 of the file), column 'a': '12;5' is not a number, as" in str(
        caught.value
    )
    assert "row 17 (line 18 of the file), column 'b': 'inf' is not finite" in str(caught.value)


def test_rows_of_other_lengths_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 9 .* has 1 cells, .*; row 10 .* has 3 cells, exp"):
        contents(written(tmp_path, "a,b\n" + "1,u\n" * 8 + "1\n1,2,3\n"))


def test_columns_of_a_table_of_states_are_chosen(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\n" + "u,1,x\nv,2,x\n" * 8)
    chosen = Loading(discrete=True, columns=("c", "a"))
    assert contents(path, chosen).columns == ("c", "a")
    assert contents(path, Loading(discrete=True, drop=("b",))).columns == ("a", "c")
    field = contents(path, chosen).field
    assert read(str(path), chosen, expected=field)[0].x.tolist() == [[0, 0], [0, 1]] * 8


def test_free_text_and_empty_columns_are_left_out(tmp_path: Path) -> None:
    rows = "".join(f"word {i % 40} is said,,{'ab'[i % 2]}\n" for i in range(60))
    found = contents(written(tmp_path, f"text,none,kind\n{rows}"))
    assert found.columns == ("kind",)
    assert "column 'text' is free text, 40 different in 60 rows: left out" in found.notes
    assert "column 'none' holds no value in any row: left out" in found.notes
    many = "".join(f"w{i % 5000},{'ab'[i % 2]}\n" for i in range(20_000))
    found = contents(written(tmp_path, f"text,kind\n{many}"))
    assert "column 'text' is free text, 5,000 different in 20,000 rows: left out" in found.notes
    kept = contents(tmp_path / "t.csv", loading_of({"type.text": "category"}))
    assert len(columns_of(kept)["text"].states) == 5000


def test_a_table_of_nothing_that_can_be_modelled(tmp_path: Path) -> None:
    path = written(tmp_path, "id,text\n" + "".join(f"{i},word {i}\n" for i in range(30)))
    with pytest.raises(
        DataError, match=r"no column is left: id is an identifier.*keeps those it names"
    ):
        contents(path)
    assert contents(written(tmp_path, "a\n" + "".join(f"{i}\n" for i in range(30)))).columns == (
        "a",
    )


@pytest.mark.parametrize(
    ("cells", "form", "seconds"),
    [
        (["31/01/2020", "01/02/2020"], "%d/%m/%Y", 86400),
        (["01/31/2020", "02/01/2020"], "%m/%d/%Y", 86400),
        (["2020-01-31 10:30", "2020-02-01 08:15"], "%Y-%m-%d %H:%M", 60),
        (["2020-01-31T10:30:07", "2020-02-01T08:15:00"], "%Y-%m-%dT%H:%M:%S", 1),
        (["31.01.2020", "01.02.2020"], "%d.%m.%Y", 86400),
        (["1969-12-31", "2020-02-01"], "%Y-%m-%d", 86400),
    ],
)
def test_dates_in_their_pattern(
    tmp_path: Path, cells: list[str], form: str, seconds: float
) -> None:
    path = written(tmp_path, "d,b\n" + "".join(f"{cells[i % 2]},{i % 5}\n" for i in range(20)))
    found = contents(path)
    column = columns_of(found)["d"]
    assert (column.type, column.form, column.resolution) == ("date", form, seconds)
    moment = datetime.strptime(f"{cells[0]} +0000", f"{form} %z")
    assert found.examples.x[0, 0] == moment.timestamp()
    assert (
        write_samples(found.examples.x, tmp_path / "n.csv", found.field).read_text()
        == path.read_text()
    )


def test_days_that_do_not_exist_or_may_be_months_are_no_dates(tmp_path: Path) -> None:
    for cells in (("30/02/2020", "01/02/2020"), ("02/01/2020", "03/04/2020")):
        path = written(tmp_path, "d,b\n" + "".join(f"{cells[i % 2]},{i % 5}\n" for i in range(20)))
        assert columns_of(contents(path))["d"].type == "category"
    with pytest.raises(
        DataError, match="column 'd' may be written %d/%m/%Y or %m/%d/%Y: say which"
    ):
        contents(path, loading_of({"type.d": "date"}))
    schema = written(tmp_path, '[d]\ntype = "date"\nform = "%m/%d/%Y"\n', "s.toml")
    found = contents(path, loading_of({"schema": str(schema)}))
    assert (
        found.examples.x[0, 0] == datetime.strptime("2020-02-01 +0000", "%Y-%m-%d %z").timestamp()
    )


@pytest.mark.parametrize(
    ("cells", "step"),
    [
        (np.arange(40) * 25 + 2700, 25),
        (np.arange(40) * 0.25, 0.25),
        (np.arange(40) * 3, 1),
        (np.arange(9) * 25, 1),
        (np.arange(40) * 500.0 + 1, 500),
        (np.array([0.1, 0.25, 7]), 0.01),
        (np.random.default_rng(0).random(30), 1e-10),
        (np.array([1e6, 1e-3]), 1e-3),
    ],
)
def test_resolutions(cells: np.ndarray, step: float) -> None:
    table = pa.table({"a": np.tile(cells, 3), "k": ["u", "v", "w"] * len(cells)})
    found = columns_of(contents_of_arrow(table, MIXED, "t"))["a"]
    assert found.resolution == pytest.approx(step, rel=1e-12)


def test_a_table_in_memory_comes_back_in_its_types() -> None:
    table = pa.table(
        {
            "n": pa.array([1, None, 3] * 5, pa.int64()),
            "f": pa.array([1.5, 2.0, None] * 5),
            "w": pa.array([1.0, 2.0, 4.0] * 5),
            "c": pa.array(["u", None, "v"] * 5).dictionary_encode(),
            "s": pa.array(["x", "y", "x"] * 5),
            "t": pa.array([True, False, None] * 5),
            "d": pa.array([date(2020, 1, 31), None, date(1950, 2, 1)] * 5),
            "m": pa.array(
                [datetime(2020, 1, 31, 5), datetime(2021, 1, 1), None] * 5, pa.timestamp("us")
            ),
        }
    )
    found = contents_of_arrow(table, Loading(), "table")
    assert isinstance(found.field, Vector)
    back = as_arrow(found.examples.x, found.field)
    assert back.schema.types == table.schema.types
    assert back.to_pydict() == table.to_pydict()


class Frame:
    """A DataFrame as others see it."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def test_data_frames_are_taken_by_their_interface() -> None:
    frame = Frame(pa.table({"a": [1, 2] * 6, "b": ["u", None] * 6}))
    found = contents_of_arrow(frame, Loading(), "frame")
    assert found.columns == ("a", "b")
    with pytest.raises(DataError, match="rows: must be a table, got list"):
        contents_of_arrow([1, 2], Loading(), "rows")


def test_pandas_and_polars(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    values = {"a": [1, 2, 3, 4] * 5, "b": ["u", "v", None, "u"] * 5}
    coded = polars.DataFrame(values).with_columns(polars.col("b").cast(polars.Categorical))
    for frame in (pandas.DataFrame(values), polars.DataFrame(values), coded):
        found = contents_of_arrow(frame, Loading(), "frame")
        assert found.field.rows(found.examples.x) == [
            list(row) for row in zip(*values.values(), strict=True)
        ]


def test_what_was_read_is_kept_in_the_record_of_a_run(people: Path) -> None:
    from ancestral.data.record import DataRecord
    from ancestral.recipes.record import _without_none

    loading = loading_of({"drop": "Cabin", "type.Age": "number"})
    data = load(str(people), loading)
    record = DataRecord.of(data, loading)
    again = DataRecord.from_plain(tomllib.loads(tomli_w.dumps(_without_none(record.to_plain()))))
    assert again == record
    assert load(record.source, again.loading).fingerprint == data.fingerprint


NUMBERS = st.integers(0, 3).flatmap(
    lambda digits: st.integers(-(10**5), 10**5).map(lambda k: f"{k / 10**digits:.{digits}f}")
)
CELLS = {
    "number": st.lists(NUMBERS, min_size=30, max_size=30),
    "integer": st.lists(st.integers(-(10**9), 10**9).map(str), min_size=30, max_size=30),
    "category": st.lists(
        st.sampled_from(["a", "b, c", 'd"e', "ñ|;", "x y", "7up"]), min_size=30, max_size=30
    ),
    "truth": st.lists(st.sampled_from(["TRUE", "FALSE"]), min_size=30, max_size=30),
    "date": st.lists(
        st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str), min_size=30, max_size=30
    ),
}


@st.composite
def typed_tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]], str]:
    """Columns of random types, some with gaps, and how a gap is written."""
    gap = draw(st.sampled_from(["", "NA", "?"]))
    kinds = draw(st.lists(st.sampled_from([*CELLS]), min_size=2, max_size=5))
    columns = []
    for kind in kinds:
        cells = draw(CELLS[kind])
        gone = draw(st.sets(st.integers(0, 29), max_size=8))
        columns.append([gap if k in gone else cell for k, cell in enumerate(cells)])
    # A row at the end without any cell would be none.
    columns[0][-1] = columns[0][-1] or draw(CELLS[kinds[0]])[0]
    return (
        [f"{kind} {k}" for k, kind in enumerate(kinds)],
        [list(r) for r in zip(*columns, strict=True)],
        gap,
    )


@settings(max_examples=150, deadline=None)
@given(table=typed_tables(), ending=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
def test_a_typed_table_comes_back_cell_by_cell(
    table: tuple[list[str], list[list[str]], str], ending: str
) -> None:
    names, rows, gap = table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *rows])
        found = contents(path, Loading(mixed=True, columns=tuple(names)))
        types = [name.split()[0] for name in names]
        for column, kind in zip(columns_of(found).values(), types, strict=True):
            assert column.type in {kind, "integer" if kind == "number" else kind}
        out = write_samples(found.examples.x, Path(folder) / f"new{ending}", found.field)
        again = read(str(out), MIXED, expected=found.field)[0]
        assert torch.equal(again.x.nan_to_num(nan=-1e300), found.examples.x.nan_to_num(nan=-1e300))
        if ending != ".csv":
            return
        with out.open(encoding="utf-8", newline="") as file:
            back = list(csv.reader(file))
    for row, mine in zip(rows, back[1:], strict=True):
        for cell, own, kind in zip(row, mine, types, strict=True):
            if kind in {"number", "integer"} and cell != gap:
                assert float(cell) == float(own)
            else:
                assert own == cell


@pytest.fixture
def tables(real_data: Path) -> Path:
    if not (real_data / "tables").is_dir():
        pytest.skip(f"no tables at {real_data}")
    return real_data / "tables"


@pytest.mark.parametrize("name", ["census.csv.gz", "online_shoppers.csv.gz", "penguins.csv"])
def test_real_tables_come_back_as_they_are(tables: Path, tmp_path: Path, name: str) -> None:
    found = contents(tables / name)
    out = write_samples(found.examples.x, tmp_path / "new.csv", found.field)
    raw = (tables / name).read_bytes()
    text = gzip.decompress(raw).decode() if name.endswith("gz") else raw.decode()
    theirs, ours = (list(csv.reader(t.splitlines())) for t in (text, out.read_text()))
    assert len(ours) == len(theirs)
    different = [
        (cell, own)
        for row, mine in zip(theirs, ours, strict=True)
        for cell, own in zip(row, mine, strict=True)
        if cell.strip() != own
    ]
    assert all(float(cell) == float(own) for cell, own in different)


def test_what_the_census_is(tables: Path) -> None:
    data = load(str(tables / "census.csv.gz"), MIXED)
    assert data.kind == "mixed"
    assert (
        len(data.train) + len(data.validation) + len(data.test) + data.duplicates_removed == 48_842
    )
    assert isinstance(data.field, Vector)
    types = [column.type for column in data.field.columns]
    assert types.count("integer") == 6
    assert types.count("category") == 9
    assert [c.name for c in data.field.columns if c.gaps] == [
        "workclass",
        "occupation",
        "native_country",
    ]
    assert {c.gap for c in data.field.columns if c.gaps} == {"?"}
