import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.data import Loading, load
from ancestral.data.catalogue import FASHION_MNIST, data_root
from ancestral.data.idx import FASHION_LABELS, read_idx
from ancestral.errors import DataError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 14}
GENERATOR = np.random.default_rng(0)


def encode(array: np.ndarray) -> bytes:
    big = array.astype(array.dtype.newbyteorder(">"))
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[str(array.dtype)], array.ndim, *big.shape)
    return head + big.tobytes()


def digits(n: int) -> np.ndarray:
    return GENERATOR.integers(0, 256, (n, 6, 6), dtype=np.uint8)


def write_set(folder: Path, *, labels: bool = True, test: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, n in (("train", 40), ("t10k", 12))[: 1 + test]:
        images = gzip.compress(encode(digits(n)))
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(images)
        if labels:
            values = (np.arange(n) % 3).astype(np.uint8)
            (folder / f"{name}-labels-idx1-ubyte").write_bytes(encode(values))
    return folder


@pytest.mark.parametrize("dtype", list(CODES))
def test_every_type_reads_back(tmp_path: Path, dtype: str) -> None:
    array = GENERATOR.normal(0, 50, (3, 4, 5)).astype(dtype)
    for path, content in (
        (tmp_path / "plain", encode(array)),
        (tmp_path / "packed", gzip.compress(encode(array))),
    ):
        path.write_bytes(content)
        result = read_idx(path)
        assert result.dtype == array.dtype
        np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, packed: bool) -> None:
    content = encode(digits(3))
    content = gzip.compress(content) if packed else content
    path = tmp_path / "cut-idx3-ubyte"
    for length in (0, 1, 3, 7, 15, 20, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut-idx3-ubyte: .*cut short"):
            read_idx(path)
    path.write_bytes(content + b"more")
    with pytest.raises(DataError, match="damaged"):
        read_idx(path)


def test_a_flipped_bit_in_a_compressed_file_is_noticed(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(encode(digits(3))))
    content[60] ^= 1
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="x: the compressed file is cut short or damaged"):
        read_idx(tmp_path / "x")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello, world")
    with pytest.raises(DataError, match="not an IDX file"):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize("below", [".", "raw", "MNIST/raw"])
def test_a_folder_keeps_its_own_test_split(tmp_path: Path, below: str) -> None:
    write_set(tmp_path / below)
    data = load(str(tmp_path))
    assert [len(data.train), len(data.validation), len(data.test)] == [36, 4, 12]
    assert data.official_split
    assert data.labels == ("0", "1", "2")
    assert data.event_shape == (1, 6, 6)
    other = load(str(tmp_path), Loading(seed=1))
    assert {x.numpy().tobytes() for x in data.test.x} == {x.numpy().tobytes() for x in other.test.x}
    assert not torch.equal(data.validation.x, other.validation.x)


def test_a_folder_without_test_or_labels_is_split_by_seed(tmp_path: Path) -> None:
    data = load(str(write_set(tmp_path, labels=False, test=False)))
    assert [len(data.train), len(data.validation), len(data.test)] == [32, 4, 4]
    assert not data.official_split
    assert data.labels == ()
    assert data.train.given == {}


def test_labels_of_one_split_only_are_ignored_aloud(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    data = load(str(tmp_path))
    assert data.labels == ()
    assert "labels ignored, because one of the splits has none" in data.notes


def test_fashion_folders_have_names_for_their_labels(tmp_path: Path) -> None:
    write_set(tmp_path / "FashionMNIST" / "raw")
    assert load(str(tmp_path / "FashionMNIST")).labels == FASHION_LABELS


def test_two_sets_below_one_folder_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path / "MNIST" / "raw")
    write_set(tmp_path / "FashionMNIST" / "raw")
    with pytest.raises(DataError, match="holds several sets, name one of them"):
        load(str(tmp_path))


def test_a_single_file_finds_the_labels_beside_it(tmp_path: Path) -> None:
    write_set(tmp_path)
    data = load(str(tmp_path / "train-images-idx3-ubyte.gz"))
    assert data.labels == ()
    (tmp_path / "train-labels-idx1-ubyte").rename(tmp_path / "train-labels-idx1-ubyte.gz")
    data = load(str(tmp_path / "train-images-idx3-ubyte.gz"), Loading(size=4))
    assert data.labels == ("0", "1", "2")
    assert data.event_shape == (1, 4, 4)


def test_images_and_labels_must_match(tmp_path: Path) -> None:
    write_set(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(encode(np.zeros(39, np.uint8)))
    with pytest.raises(DataError, match="must hold 40 whole numbers"):
        load(str(tmp_path))
    path.write_bytes(encode(np.full(40, -1, np.int8)))
    with pytest.raises(DataError, match="labels must be at least 0, got -1"):
        load(str(tmp_path))
    with pytest.raises(DataError, match="must be bytes in 3 dimensions, got int8 in 1"):
        load(str(path))


def test_test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path)
    images = np.zeros((12, 7, 7), np.uint8)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(encode(images))
    with pytest.raises(DataError, match="another size than training's"):
        load(str(tmp_path))


@pytest.mark.skipif(not (data_root() / "mnist").is_dir(), reason="MNIST is not on this machine")
def test_mnist() -> None:
    data = load("mnist")
    assert len(data.train) + len(data.validation) + data.duplicates_removed == 60_000
    assert len(data.test) == 10_000
    assert data.event_shape == (1, 28, 28)
    assert data.labels == tuple("0123456789")
    # LeCun's set: 980 zeros in the test split; 5,421 fives in training.
    assert int((data.test.given["label"] == 0).sum()) == 980
    fives = sum(int((part.given["label"] == 5).sum()) for part in (data.train, data.validation))
    assert fives == 5421


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_fashion_mnist() -> None:
    data = load("fashion-mnist", Loading(size=32))
    assert len(data.train) + len(data.validation) + data.duplicates_removed == 60_000
    assert len(data.test) == 10_000
    assert data.event_shape == (1, 32, 32)
    assert data.labels == FASHION_LABELS
    assert int((data.test.given["label"] == 9).sum()) == 1000
