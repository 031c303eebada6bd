from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from ancestral.data import cache, tables
from ancestral.data.cache import Space, decoded, digest_of_files, take_rows
from ancestral.data.dataset import Loading
from ancestral.data.sources import load


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANCESTRAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_rows_are_decoded_once_and_again_when_damaged(own_cache: Path) -> None:
    calls: list[int] = []

    def decode(space: Space) -> tuple[NDArray[np.uint8], str]:
        calls.append(0)
        space((9, 9), np.float64)  # Not what counts in the end.
        rows = space((4, 3), np.uint8)
        rows[:] = np.arange(12).reshape(4, 3)
        return rows, "said"

    first, said = decoded("key", decode)
    assert first.tolist() == np.arange(12).reshape(4, 3).tolist()
    assert said == "said"
    assert torch.equal(decoded("key", decode)[0], first)
    assert len(calls) == 1
    (file,) = own_cache.rglob("*.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert torch.equal(decoded("key", decode)[0], torch.arange(12, dtype=torch.uint8).view(4, 3))
    assert len(calls) == 2


def test_rows_of_large_data_are_taken_into_a_file(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(50, 3, dtype=torch.float64)
    index = torch.randperm(50)[:20]
    assert torch.equal(take_rows(x, index), x[index])
    assert not own_cache.exists()
    monkeypatch.setattr(cache, "LARGE", 1)
    monkeypatch.setattr(cache, "_CHUNK", 100)
    assert torch.equal(take_rows(x, index), x[index])
    assert torch.equal(take_rows(x, x[:, 0] > 0), x[x[:, 0] > 0])
    assert take_rows(x, torch.arange(50)) is x
    assert take_rows(x, slice(3, 9)).data_ptr() == x[3:].data_ptr()
    assert len(list(own_cache.rglob("*.npy"))) == 2


@pytest.mark.parametrize("grey", [True, False])
def test_a_large_folder_of_images_is_the_same_data_as_a_small_one(
    grey: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    for index in range(30):
        pixels = generator.integers(0, 256, (8, 8) if grey else (8, 8, 3), dtype=np.uint8)
        path = tmp_path / "images" / f"{index % 2}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    small = load(str(tmp_path / "images"))
    monkeypatch.setattr(cache, "LARGE", 1)
    for _ in range(2):  # Decoded, then mapped.
        large = load(str(tmp_path / "images"))
        assert large.fingerprint == small.fingerprint
        assert large.notes == small.notes
        assert torch.equal(large.train.x, small.train.x)
    # The decoded images, and in the order of the split they and their labels.
    assert len(list((tmp_path / "cache").rglob("rows.npy"))) == 3
    assert load(str(tmp_path / "images"), Loading(size=4)).event_shape[1:] == (4, 4)


def test_the_digest_is_of_contents_and_of_how_they_are_read(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a")
    two.write_bytes(b"a")
    assert digest_of_files([one], 1) == digest_of_files([two], 1) != digest_of_files([one], 2)
    two.write_bytes(b"b")
    assert digest_of_files([one], 1) != digest_of_files([two], 1)


def test_a_large_parquet_file_is_the_same_data_as_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(size=(100, 2))
    table = pa.table({"a": values[:, 0], "b": values[:, 1], "kind": ["x", "y"] * 50})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=30)
    small = load(str(tmp_path / "t.parquet"), Loading(label="kind"))
    monkeypatch.setattr(cache, "LARGE", 1)
    monkeypatch.setattr(tables, "LARGE", 1)
    for _ in range(2):
        large = load(str(tmp_path / "t.parquet"), Loading(label="kind"))
        assert large.fingerprint == small.fingerprint
        assert torch.equal(large.train.x, small.train.x)
    assert len(list((tmp_path / "cache").rglob("rows.npy"))) == 3  # As of images.
