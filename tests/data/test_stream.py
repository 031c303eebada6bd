import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from ancestral.data.dataset import Loading
from ancestral.data.sources import load
from ancestral.errors import DataError
from ancestral.recipes import fit
from ancestral.training import Budget, Streamed


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCESTRAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    for place in range(4):
        row = np.arange(300.0) + 300 * place
        words = [f"{int(value) % 3}" for value in row]
        table = pa.table({"row": row, "noise": np.sin(row), "kind": words})
        parquet.write_table(table, folder / f"{place}.parquet", row_group_size=70)
    return folder


def test_every_row_is_in_one_split_and_comes_once_an_epoch(tables: Path) -> None:
    data = load(str(tables), Loading(stream=True, label="kind"))
    assert data.columns == ("row", "noise")
    assert data.labels == ("0", "1", "2")
    stream = data.stream
    assert stream is not None
    feed = Streamed(stream, window=2)
    order = feed.order(50, seed=3)
    assert len(feed) == data.training_examples
    indices = torch.cat([order.batch(k) for k in range(2 * len(feed) // 50 + 1)])
    for epoch in (indices[: len(feed)], indices[len(feed) : 2 * len(feed)]):
        assert epoch.sort().values.tolist() == list(range(len(feed)))
    batch = feed.take(indices[: len(feed)])
    assert (batch.given["label"] == batch.x[:, 0].long() % 3).all()
    rows = torch.cat([batch.x[:, 0], data.validation.x[:, 0], data.test.x[:, 0]])
    assert rows.sort().values.tolist() == list(range(1200))
    # From anywhere, as after a resume, and in any order.
    other = Streamed(stream, window=2)
    assert torch.equal(other.order(50, seed=3).batch(9), order.batch(9))
    places = torch.tensor([900, 3, 500, 3]) % len(feed)
    assert torch.equal(other.take(places).x[1], other.take(places[3:]).x[0])
    assert len(other._held) <= 4


def test_a_stream_of_images_in_tar_files(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for place in range(12):
        with tarfile.open(folder / f"{place:02}.tar", "w") as archive:
            for index in range(5):
                pixels = np.full((8, 8), 20 * place + index, dtype=np.uint8)
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, "png")
                for name, content in ((".png", file.getvalue()), (".cls", b"%d" % (index % 2))):
                    member = tarfile.TarInfo(f"{place}-{index}{name}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    data = load(str(folder), Loading(stream=True, size=8))
    assert (data.kind, data.levels, data.event_shape) == ("images", 256, (3, 8, 8))
    assert data.stream is not None
    batch = Streamed(data.stream).take(torch.arange(data.training_examples))
    assert (batch.x[:, 0, 0, 0] % 20 % 2 == batch.given["label"]).all()
    assert data.fingerprint == load(str(folder), Loading(stream=True, size=8)).fingerprint


def test_a_run_is_fitted_to_a_stream(tables: Path, tmp_path: Path) -> None:
    settings = {"stream": "true", "label": "kind", "batch_size": "100"}
    run = fit("vae", tables, settings=settings, budget=Budget(steps=5), out=tmp_path / "run")
    assert run.record.data.train == run.data().training_examples
    assert run.model().sample(3).shape == (3, 2)


def test_what_is_no_stream_is_refused(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder of parquet or tar files"):
        load("moons", Loading(stream=True))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="all parquet, or all tar"):
        load(str(tmp_path / "empty"), Loading(stream=True))
    for path in list(tables.iterdir())[:3]:
        path.unlink()
    with pytest.raises(DataError, match="needs 10 chunks, got 5"):
        load(str(tables), Loading(stream=True, label="kind"))


def test_images_of_one_name_in_two_folders_keep_their_own_labels(tmp_path: Path) -> None:
    black, white = io.BytesIO(), io.BytesIO()
    Image.new("L", (8, 8), 0).save(black, "PNG")
    Image.new("L", (8, 8), 255).save(white, "PNG")
    members = {
        "cat/1.png": black.getvalue(), "cat/1.cls": b"cat",
        "dog/1.png": white.getvalue(), "dog/1.cls": b"dog",
    }  # fmt: skip
    (tmp_path / "tars").mkdir()
    for place in range(12):
        with tarfile.open(tmp_path / "tars" / f"{place:02}.tar", "w") as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    data = load(str(tmp_path / "tars"), Loading(stream=True, size=8))
    assert data.labels == ("cat", "dog")
    shades = data.train.x.flatten(1).float().mean(dim=1)
    assert torch.equal((shades > 128).long(), data.train.given["label"])


def test_labels_of_a_stream_are_named_as_those_of_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    rows = np.arange(120.0)
    table = pa.table({"row": rows, "kind": rows % 3})
    parquet.write_table(table, folder / "0.parquet", row_group_size=10)
    one = load(str(folder / "0.parquet"), Loading(label="kind"))
    data = load(str(folder), Loading(label="kind", stream=True))
    assert data.labels == one.labels == ("0", "1", "2")
    assert torch.equal(data.train["label"], data.train.x[:, 0].long() % 3)


@pytest.mark.parametrize("column", ["row", "kind"])
def test_a_cell_that_is_missing_is_told_as_of_one_table(column: str, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    cells = {"row": [*range(120)], "kind": [f"{row % 2}" for row in range(120)]}
    cells = {**cells, column: [*cells[column][:4], None, *cells[column][5:]]}
    parquet.write_table(pa.table(cells), folder / "0.parquet", row_group_size=12)
    told = []
    for source in (folder, folder / "0.parquet"):
        with pytest.raises(DataError, match=f"row 5, column '{column}'") as error:
            load(str(source), Loading(label="kind", stream=source == folder, mixed=False))
        told.append(str(error.value))
    assert told[0] == told[1]


def test_an_image_of_a_stream_whose_label_is_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tars").mkdir()
    for place in range(12):
        with tarfile.open(tmp_path / "tars" / f"{place:02}.tar", "w") as archive:
            file = io.BytesIO()
            Image.new("L", (8, 8), place).save(file, "PNG")
            for name, content in (
                ("1.png", file.getvalue()),
                ("1.cls", b" " * (place == 5) or b"a"),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match=r"05.tar: cannot be read: 1.cls holds no label"):
        load(str(tmp_path / "tars"), Loading(stream=True, size=8))
