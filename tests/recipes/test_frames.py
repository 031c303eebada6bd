"""Data frame in, data frame out: the library, the types, the columns that are left out."""

import datetime
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import ancestral
from ancestral.errors import AncestralError

N = 60
DAYS = [datetime.date(2024, 1, 1 + n % 28) for n in range(N)]


def cells() -> dict[str, list]:
    return {
        "id": [f"P{n}" for n in range(N)],
        "sex": [("f", "m")[n % 2] for n in range(N)],
        "age": [None if n % 5 == 0 else 20 + n % 30 for n in range(N)],
        "price": [round(3.25 + n * 7 % 40, 2) for n in range(N)],
        "paid": [n % 3 == 0 for n in range(N)],
        "joined": DAYS,
    }


def pandas_frames() -> list:
    pandas = pytest.importorskip("pandas")
    plain = pandas.DataFrame(cells())
    typed = plain.assign(
        sex=plain["sex"].astype(pandas.CategoricalDtype(["m", "f", "x"], ordered=True)),
        age=plain["age"].astype("Int16"),
        price=plain["price"].astype("float32"),
        joined=pandas.to_datetime(plain["joined"]),
    )
    return [plain, typed, typed.set_index("id")]


@pytest.mark.parametrize("number", range(3))
def test_a_frame_of_pandas_comes_back_in_its_types(number: int, tmp_path: Path) -> None:
    frame = pandas_frames()[number]
    run = ancestral.fit("latent-class", frame, settings={"classes": 2}, out=tmp_path / "run")
    found = ancestral.sample(run.folder, 40, conditions={"sex": "f", "age": 40})
    kept = [name for name in frame.columns if name != "id"]
    assert found.dtypes.to_dict() == frame[kept].dtypes.to_dict()
    assert set(found["sex"]) == {"f"}
    assert set(found["age"]) == {40}
    assert set(found["price"]) <= {round(p, 2) for p in frame["price"]} | set(found["price"])
    first, second = ancestral.impute(run, frame, draws=2)
    for filled in (first, second):
        assert filled.dtypes.to_dict() == frame.dtypes.to_dict()
        assert not filled["age"].isna().any()
        known = frame["age"].notna().to_numpy()
        assert (filled["age"].to_numpy()[known] == frame["age"].to_numpy()[known]).all()
        assert filled.drop(columns="age").equals(frame.drop(columns="age"))
    assert not first.equals(second)
    (best,) = ancestral.impute(run, frame, best=True)
    assert best.dtypes.to_dict() == frame.dtypes.to_dict()
    assert best.drop(columns="age").equals(frame.drop(columns="age"))
    assert best["age"].between(20, 49).all()


def test_a_frame_of_polars_comes_back_in_its_types(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(cells()).with_columns(
        polars.col("age").cast(polars.Int8), polars.col("sex").cast(polars.Categorical)
    )
    run = ancestral.fit("latent-class", frame, settings={"classes": 2}, out=tmp_path / "run")
    found = ancestral.sample(run, 5, conditions={"joined": DAYS[3], "paid": True})
    assert found.schema == frame.drop("id").schema
    assert found["joined"].to_list() == [DAYS[3]] * 5
    assert found["paid"].to_list() == [True] * 5
    (filled,) = ancestral.impute(run, frame)
    assert filled.schema == frame.schema
    assert filled["age"].null_count() == 0
    assert filled.drop("age").equals(frame.drop("age"))


def test_a_table_of_arrow_comes_back_in_its_types(tmp_path: Path) -> None:
    table = pa.table(cells())
    table = table.set_column(2, "age", table["age"].cast(pa.uint8()))
    run = ancestral.fit("latent-class", table, settings={"classes": 2}, out=tmp_path / "run")
    found = ancestral.sample(run, 7)
    assert found.schema == table.schema.remove(0)
    (filled,) = ancestral.impute(run, table)
    (best,) = ancestral.impute(run, table, best=True)
    for each in (filled, best):
        assert each.schema == table.schema
        assert each["age"].null_count == 0
        assert each.drop_columns("age").equals(table.drop_columns("age"))


def test_numbers_of_a_density_come_back_in_their_types(tmp_path: Path) -> None:
    table = pa.table({"a": [n * 7 % 50 for n in range(N)], "b": [n / 8 for n in range(N)]})
    table = table.set_column(1, "b", table["b"].cast(pa.float32()))
    run = ancestral.fit("gmm", table, settings={"components": 1}, out=tmp_path / "run")
    assert ancestral.sample(run, 5).schema == table.schema


def test_mistakes_are_errors_of_the_library(tmp_path: Path) -> None:
    run = ancestral.fit("independent", pa.table(cells()), out=tmp_path / "run")
    with pytest.raises(AncestralError, match="no column 'sx' to be given; did you mean sex"):
        ancestral.sample(run, 2, conditions={"sx": "f"})
    with pytest.raises(AncestralError, match="age: '400' is outside 21 to 49"):
        ancestral.sample(run, 2, conditions={"age": 400})
    with pytest.raises(AncestralError, match="no column 'sex', which is expected"):
        ancestral.impute(run, pa.table(cells()).drop_columns("sex"))
    with pytest.raises(AncestralError, match="must be a table, got list"):
        ancestral.impute(run, [1, 2])


def test_arrow_needs_no_library_of_frames(tmp_path: Path) -> None:
    code = f"""
import sys
class Absent:
    def find_spec(self, name, *rest):
        if name in ("pandas", "polars"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import pyarrow as pa, ancestral
table = pa.table({{"a": ["u", "v", None] * 20, "b": [1, 2] * 30}})
run = ancestral.fit("independent", table, out={str(tmp_path / "run")!r})
print(len(ancestral.sample(run, 2)), len(ancestral.impute(run, table)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-2] == "2 1"


def test_decimals_keep_their_digits(tmp_path: Path) -> None:
    from decimal import Decimal

    prices = [Decimal(n * 37 % 1000) / 100 for n in range(N)]
    price = pa.array(
        [None if n % 6 == 0 else p for n, p in enumerate(prices)], pa.decimal128(10, 2)
    )
    table = pa.table({"price": price, "sex": [("f", "m")[n % 2] for n in range(N)]})
    run = ancestral.fit("latent-class", table, settings={"classes": 1}, out=tmp_path / "run")
    (filled,) = ancestral.impute(run.folder, table)
    known = [n for n in range(N) if n % 6]
    assert [filled["price"][n].as_py() for n in known] == [prices[n] for n in known]
    assert filled["price"].type == pa.decimal128(10, 2)
