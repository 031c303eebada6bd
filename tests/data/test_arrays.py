from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.data import Dataset, Loading, load
from ancestral.errors import DataError

GENERATOR = np.random.default_rng(0)
TABLE = GENERATOR.normal(size=(20, 3))
GREY = GENERATOR.integers(0, 256, (20, 8, 8), dtype=np.uint8)
COLOUR = GENERATOR.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


def npy(folder: Path, array: np.ndarray, **loading: object) -> Dataset:
    np.save(folder / "set.npy", array)
    return load(str(folder / "set.npy"), Loading(**loading))


def npz(folder: Path, asked: str | None = None, **arrays: np.ndarray) -> Dataset:
    np.savez(folder / "set.npz", **arrays)
    return load(str(folder / "set.npz"), Loading(label=asked))


def all_of(data: Dataset) -> torch.Tensor:
    return torch.cat([part.x for part in (data.train, data.validation, data.test)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, ">f8", np.float16])
def test_a_table(tmp_path: Path, dtype: object) -> None:
    data = npy(tmp_path, TABLE.astype(dtype))
    assert data.columns == ("x1", "x2", "x3")
    expected = np.sort(TABLE.astype(dtype).astype(np.float64), axis=0)
    np.testing.assert_array_equal(np.sort(all_of(data).numpy(), axis=0), expected)


def test_a_vector_is_one_column(tmp_path: Path) -> None:
    assert npy(tmp_path, TABLE[:, 0]).event_shape == (1,)


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (GREY, (1, 8, 8)),
        (GREY[..., None], (1, 8, 8)),
        (COLOUR, (3, 8, 8)),
        (COLOUR.transpose(0, 3, 1, 2), (3, 8, 8)),
    ],
)
def test_images_in_every_layout(tmp_path: Path, array: np.ndarray, shape: tuple[int, ...]) -> None:
    data = npy(tmp_path, array)
    assert data.kind == "images"
    assert data.event_shape == shape
    assert data.levels == 256
    grey = shape[0] == 1
    expected = GREY[:, None] if grey else COLOUR.transpose(0, 3, 1, 2)
    assert {image.tobytes() for image in expected} == {x.numpy().tobytes() for x in all_of(data)}


def test_an_archive_with_labels(tmp_path: Path) -> None:
    data = npz(tmp_path, x=GREY, y=np.arange(20) // 7, other=np.zeros(3))
    assert data.labels == ("0", "1", "2")
    assert "other arrays passed over: other" in data.notes
    index = next(i for i, image in enumerate(GREY) if (data.test.x[0, 0].numpy() == image).all())
    assert data.test.given["label"][0] == index // 7


def test_labels_may_be_words_or_have_another_name(tmp_path: Path) -> None:
    words = np.array(["no", "yes"] * 10)
    assert npz(tmp_path, x=TABLE, label=words).labels == ("no", "yes")
    assert npz(tmp_path, "kind", x=TABLE, kind=words).labels == ("no", "yes")


def test_the_only_array_is_the_data(tmp_path: Path) -> None:
    data = npz(tmp_path, points=TABLE)
    assert data.event_shape == (3,)
    assert "the array 'points' is taken as the data" in data.notes


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, np.nan]] * 20), "row 1, column 'x2': nan is not finite"),
        (GREY.astype(np.float32), "pixels must be uint8, got float32"),
        (np.zeros((20, 2, 8, 8), np.uint8), "1 or 3 channels, got the shape [20, 2, 8, 8]"),
        (np.zeros((20, 0, 8), np.uint8), "the images have no pixels"),
        (np.zeros((20, 0)), "must be [N, D]"),
        (np.zeros(()), "must be [N, D]"),
        (np.array(["a"] * 20), "must hold real numbers"),
        (TABLE.astype(complex), "must hold real numbers, got complex128"),
        (np.array([None] * 20), "it holds Python objects"),
        (TABLE[:1], "needs at least 10 rows, got 1"),
        (TABLE[:0], "needs at least 10 rows, got 0"),
        (GREY[:0], "needs at least 10 rows, got 0"),
    ],
)
def test_each_mistake_is_one_line(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as caught:
        npy(tmp_path, array)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "label", "message"),
    [
        ({"a": TABLE, "b": TABLE}, None, "no array 'x'; the archive holds a, b"),
        ({}, None, "the archive holds nothing"),
        ({"x": TABLE, "y": np.arange(3)}, None, "one for each of 20 rows, got the shape [3]"),
        ({"x": TABLE, "y": TABLE[:, 0]}, None, "must be whole numbers or words, got float64"),
        ({"x": TABLE}, "kind", "no array 'kind' for the label; there is x"),
        ({"x": np.array([None] * 20)}, None, "'x' is damaged or holds Python objects"),
    ],
)
def test_archives_that_cannot_be_used(
    tmp_path: Path, arrays: dict, label: str | None, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        npz(tmp_path, label, **arrays)
    assert message in str(caught.value)


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_damaged_files_are_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"set.{ending}"
    with path.open("wb") as file:
        np.save(file, TABLE) if ending == "npy" else np.savez(file, x=TABLE)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=rf"set\.{ending}"):
        load(str(path))


def test_a_flipped_bit_in_an_archive_is_noticed(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=TABLE)
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[300] ^= 1
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match="'x' is damaged"):
        load(str(tmp_path / "set.npz"))


def test_endings_must_tell_the_truth(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TABLE)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"give it the ending \.npy"):
        load(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", x=TABLE)
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    with pytest.raises(DataError, match=r"give it the ending \.npz"):
        load(str(tmp_path / "b.npy"))
