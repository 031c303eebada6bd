"""Tables of numbers from file to samples: steps, constants, labels, few rows, arrays."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray

from ancestral.data import read
from ancestral.errors import ConfigError, DataError, RunError
from ancestral.recipes import Run, compare, evaluate_run, fit, plan, resume, sample_run
from ancestral.recipes.kinds import ways_of
from ancestral.recipes.sampling import Asked
from ancestral.training import Budget


def write(path: Path, **columns: object) -> Path:
    rows = zip(*columns.values(), strict=True)
    path.write_text(
        f"{','.join(columns)}\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    )
    return path


def normal(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("model", ["gmm", "kde"])
def test_no_spike_on_states_beats_the_truth(model: str, tmp_path: Path) -> None:
    bit = (normal(2_000, seed=1) > 0).astype(int)
    path = write(tmp_path / "bits.csv", bit=bit, x=normal(2_000).tolist())
    narrow = {"gmm": {"components": 16, "least_variance": 1e-6}, "kde": {}}
    found = evaluate_run(fit(model, path, settings=narrow[model], out=tmp_path / "run")).evaluation
    figure = found.figures["log_prob"]
    truth = -math.log(2) - 0.5 * math.log(2 * math.pi * math.e)
    assert figure.kind == "bound"
    assert truth - 0.5 < figure.value < truth + 3 * figure.se


CHEAP = {"gmm": {}, "naive-bayes": {}, "vae": {"size": "tiny"}, "hmm": {"states": 2}}


@pytest.mark.parametrize(("model", "more"), CHEAP.items())
def test_a_constant_column_is_given_back_and_gains_nothing(
    model: str, more: dict, tmp_path: Path
) -> None:
    columns = {"x": normal(200).tolist(), "y": normal(200, seed=1).tolist()}
    path = write(tmp_path / "same.csv", x=columns["x"], same=[7] * 200, y=columns["y"])
    without = write(tmp_path / "without.csv", **columns)
    budget = Budget(steps=3) if model == "vae" else None
    found = [
        fit(model, data, settings=more, budget=budget, out=tmp_path / data.stem)
        for data in (path, without)
    ]
    assert found[0].record.result.best == found[1].record.result.best
    x = sample_run(found[0], 50)
    assert (x[:, 1] == 7).all()
    assert torch.equal(x[:, [0, 2]], sample_run(found[1], 50))
    if model != "vae":
        rows = torch.tensor([[0.0, 7.0, 0.0], [0.0, 6.9, 0.0]], dtype=torch.float64)
        here, there = found[0].model().log_prob(rows).tolist()
        assert here == found[1].model().log_prob(rows[:1, [0, 2]]).item()
        assert there == -math.inf


def test_samples_have_the_precision_and_the_range_of_the_file(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    age, price = random.integers(18, 90, 400), random.exponential(20, 400).round(2)
    path = write(tmp_path / "shop.csv", age=age, price=price, fine=normal(400).tolist())
    run = fit("gmm", path, settings={"components": 1}, out=tmp_path / "run")
    out = ways_of(run).draw(run, Asked(n=2_000)).write(tmp_path / "new.csv")
    header, *rows = out.read_text().splitlines()
    assert header == "age,price,fine"
    cells = [row.split(",") for row in rows]
    assert all("." not in cell[0] for cell in cells)
    assert max(len(cell[1].partition(".")[2]) for cell in cells) == 2
    assert min(len(cell[2].partition(".")[2]) for cell in cells) > 6
    x, _ = read(str(out))
    assert age.min() == x.x[:, 0].min()
    assert age.max() == x.x[:, 0].max()
    assert price.min() == x.x[:, 1].min()
    # What is not recorded in steps is not kept in the range, unsaid.
    assert x.x[:, 2].max() > normal(400).max()
    shown = [*ways_of(run).draw(run, Asked(n=1)).show()]
    assert "." not in shown[1].split(",")[0]
    rows = ways_of(run).draw(run, Asked(n=1)).to_json()["samples"]
    assert isinstance(rows[0][0], int)


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    city = np.random.default_rng(2).choice(["Bonn", "Rome"], 400, p=[0.25, 0.75])
    x = normal(400) + 20 * (city == "Rome")
    return write(tmp_path / "cities.csv", x=x.tolist(), city=city, y=normal(400, seed=1).tolist())


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_the_label_is_drawn_and_written(cities: Path, ending: str, tmp_path: Path) -> None:
    run = fit("naive-bayes", cities, settings={"label": "city"}, out=tmp_path / "run")
    out = ways_of(run).draw(run, Asked(n=1_000, seed=1)).write(tmp_path / f"new.{ending}")
    label = "label" if ending == "npz" else "city"
    again = fit("naive-bayes", out, settings={"label": label}, out=tmp_path / "again")
    examples, labels = again.examples(str(out))
    rome = examples["label"] == labels.index("Rome")
    assert torch.equal(rome, examples.x[:, 0] > 10)
    assert abs(rome.double().mean() - 0.75) < 5 * (0.1875 / 400 + 0.1875 / 1_000) ** 0.5
    # The rows are those of a draw without labels.
    torch.testing.assert_close(examples.x, sample_run(run, 1_000, seed=1))
    given = ways_of(run).draw(run, Asked(n=3, given=["label=Bonn"])).to_json()
    assert given["columns"] == ["x", "y", "city"]
    assert [row[2] for row in given["samples"]] == ["Bonn"] * 3


def test_the_training_set_itself_has_its_labels(cities: Path, tmp_path: Path) -> None:
    run = fit("empirical", cities, settings={"label": "city"}, out=tmp_path / "run")
    rows = ways_of(run).draw(run, Asked(n=300)).to_json()["samples"]
    assert all((city == "Rome") == (x > 10) for x, _, city in rows)
    assert {city for *_, city in rows} == {"Bonn", "Rome"}


def test_a_conditional_gan_writes_its_labels(cities: Path, tmp_path: Path) -> None:
    run = fit("cgan", cities, settings={"label": "city", "size": "tiny"},
              budget=Budget(steps=3), out=tmp_path / "run")  # fmt: skip
    rows = ways_of(run).draw(run, Asked(n=400)).to_json()["samples"]
    share = sum(row[2] == "Rome" for row in rows) / 400
    assert abs(share - 0.75) < 5 * (2 * 0.1875 / 400) ** 0.5


def test_few_rows_of_many_columns_have_a_mixture_that_they_can_bear(tmp_path: Path) -> None:
    path = tmp_path / "wide.npy"
    np.save(path, normal(50, 200))
    run = fit("gmm", path, out=tmp_path / "run")
    assert run.record.config.covariance != "full"
    evaluation = evaluate_run(run).evaluation
    # The truth has -283.8 nats a row.
    assert -300 < evaluation.figures["log_prob"].value < -260
    assert "log_prob: the mean of 5 test examples alone" in evaluation.notes


@pytest.mark.parametrize("kind", ["array", "tensor", "frame"])
def test_data_in_memory_are_taken(kind: str, tmp_path: Path) -> None:
    x = normal(200, 2)
    made = {
        "array": x,
        "tensor": torch.from_numpy(x),
        "frame": pa.table({"a": x[:, 0], "b": x[:, 1]}),
    }
    run = fit("gmm", made[kind], settings={"components": 1}, out=tmp_path / "run")
    assert run.record.data.columns == (("a", "b") if kind == "frame" else ("x1", "x2"))
    assert run.record.data.name == ("table" if kind == "frame" else "array")
    again = Run.open(run.folder)
    assert list(resume(run.folder)) == []
    assert evaluate_run(again).evaluation.figures["log_prob"] is not None
    torch.testing.assert_close(
        again.model().log_prob(x), again.model().log_prob(torch.from_numpy(x))
    )


def test_a_label_of_a_frame_is_one_of_its_columns(tmp_path: Path) -> None:
    frame = pa.table({"a": normal(40), "kind": ["u", "v"] * 20, "__index_level_0__": range(40)})
    run = fit("naive-bayes", frame, settings={"label": "kind"}, out=tmp_path / "run")
    assert run.record.data.columns == ("a",)
    assert run.record.data.labels == ("u", "v")
    with pytest.raises(ConfigError, match="gmm needs vectors or images, table holds mixed"):
        plan("gmm", frame)
    with pytest.raises(DataError, match=r"^the table: .*'city'"):
        plan("gmm", frame, settings={"label": "city"})


def test_data_of_no_kind_are_named() -> None:
    with pytest.raises(DataError, match=r"data must be a name, .* or a data frame, got list"):
        plan("gmm", [[1.0, 2.0]])
    with pytest.raises(DataError, match=r"^the array must hold numbers, got Python objects"):
        plan("gmm", np.array([object()]))
    with pytest.raises(DataError, match=r"^the array: row 3, column 'x2': nan is not finite"):
        plan("gmm", np.where(np.arange(40).reshape(20, 2) == 5, np.nan, normal(20, 2)))


def test_a_run_may_be_replaced(tmp_path: Path) -> None:
    fit("gmm", "moons", settings={"components": 1}, out=tmp_path / "run")
    with pytest.raises(RunError, match=r"run exists; choose another out, or give overwrite=True$"):
        fit("gmm", "moons", out=tmp_path / "run")
    run = fit("gmm", "moons", settings={"components": 2}, out=tmp_path / "run", overwrite=True)
    assert Run.open(run.folder).record.config.components == 2
    words = {"models": ["empirical"], "out": tmp_path / "both"}
    compare(normal(100, 2), **words)
    with pytest.raises(RunError, match=r"give overwrite=True"):
        compare(normal(100, 2), **words)
    assert compare(normal(100, 2), **words, overwrite=True).models[0].error is None


def test_errors_speak_python() -> None:
    error = ConfigError("give --set 'label=kind of flower' or --set bandwidth=NUMBER; --given x")
    assert str(error) == (
        'give settings={"label": "kind of flower"} or settings={"bandwidth": "NUMBER"}; given x'
    )
    assert error.line.startswith("give --set 'label")
    assert str(RunError("go on with: ancestral fit --resume runs/a")) == (
        'go on with: resume("runs/a")'
    )
