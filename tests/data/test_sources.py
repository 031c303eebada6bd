import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import ancestral.data
from ancestral.data import Loading, fresh, load, read, sources
from ancestral.data.toys import SIZES, TOYS
from ancestral.errors import DataError


@pytest.mark.parametrize("name", list(TOYS))
def test_toy_sets_are_the_same_for_every_seed(name: str) -> None:
    data = load(name)
    assert (len(data.train), len(data.validation), len(data.test)) == SIZES
    assert data.train.x.dtype == torch.float64
    assert torch.isfinite(data.train.x).all()
    assert data.columns == ("x", "y")
    assert data.source == data.name == name
    other = load(name, Loading(seed=5))
    assert torch.equal(data.test.x.sort(dim=0).values, other.test.x.sort(dim=0).values)


# Written down once: points are rounded to 1e-6, so that no machine's cosine shows.
FINGERPRINTS = {
    "swiss-roll": "1adb2076300bb169",
    "moons": "cf4597e96b3c3dc8",
    "ring": "558e248449590429",
    "checkerboard": "98cd97d9dbebb6bf",
    "pinwheel": "5c4b2bfbe5508f06",
    "digits": "b84081fe3d8f6b42",
}


@pytest.mark.parametrize("name", list(FINGERPRINTS))
def test_fingerprints_of_named_sets(name: str) -> None:
    assert load(name).fingerprint.startswith(FINGERPRINTS[name])


def test_fresh_points_are_new_and_repeat_by_seed() -> None:
    first, again, other = (fresh("moons", 20_000, seed=seed) for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    assert torch.equal(first, again)
    known = {tuple(row) for row in load("moons").train.x.tolist()}
    assert len(known & {tuple(row) for row in torch.cat((first, other)).tolist()}) < 5
    # Same units: means of 20,000 points of unit variance agree within five deviations of 0.01.
    assert (first.mean(dim=0) - load("moons").train.x.mean(dim=0)).abs().max() < 0.05


def test_fresh_points_exist_for_toy_sets_only() -> None:
    assert fresh("digits", 5, seed=0) is None
    assert fresh("table.csv", 5, seed=0) is None


def test_digits() -> None:
    data = load("digits")
    parts = (data.train, data.validation, data.test)
    assert sum(len(part) for part in parts) + data.duplicates_removed == 1797
    assert data.event_shape == (1, 8, 8)
    assert data.train.x.dtype == torch.uint8
    assert data.levels == 17
    assert data.labels == tuple("0123456789")
    images, target = load_digits(return_X_y=True)
    known = {
        image.astype("uint8").tobytes(): label for image, label in zip(images, target, strict=True)
    }
    for part in parts:
        for x, label in zip(part.x, part.given["label"], strict=True):
            assert known[x.numpy().tobytes()] == label


def test_digits_can_be_enlarged() -> None:
    data = load("digits", Loading(size=16))
    assert data.event_shape == (1, 16, 16)
    assert data.train.x.max() <= 16


def test_a_file_is_loaded_again_from_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my table.v2.csv").write_text("a\n" + "\n".join(f"{i}.5" for i in range(20)))
    monkeypatch.chdir(tmp_path)
    data = load("my table.v2.csv")
    assert data.name == "my table"
    assert data.source == str(tmp_path / "my table.v2.csv")
    monkeypatch.chdir("/")
    assert load(data.source).fingerprint == data.fingerprint


def test_reading_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,y\n0.5,u\n0.5,v\n1.5,u\n")
    examples, contents = read(str(path), Loading(label="y"))
    assert examples.x[:, 0].tolist() == [0.5, 0.5, 1.5]
    assert examples.given["label"].tolist() == [0, 1, 0]
    assert contents.labels == ("u", "v")


def test_reading_a_set_ends_with_its_own_splits() -> None:
    examples, _ = read("ring")
    data = load("ring")
    assert len(examples) == sum(SIZES)
    assert {tuple(row) for row in examples.x[30_000:].tolist()} == {
        tuple(row) for row in data.test.x.tolist()
    }


def test_reading_one_image(tmp_path: Path) -> None:
    pixels = torch.arange(64, dtype=torch.uint8).reshape(8, 8)
    Image.fromarray(pixels.numpy()).save(tmp_path / "a.png")
    examples, contents = read(str(tmp_path / "a.png"))
    assert torch.equal(examples.x, pixels[None, None])
    assert contents.kind == "images"


def test_a_name_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ring").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(load("ring").train) == 20_000
    with pytest.raises(DataError, match="no images in this folder"):
        load("./ring")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("swis-roll", "no data of the name 'swis-roll', .* did you mean swiss-roll?"),
        ("Fashion", "did you mean fashion-mnist?"),
        ("zzzz", "the names are swiss-roll, moons, ring"),
        ("", "no data of the name ''"),
        ("none.csv", "^none.csv: no such file or folder$"),
        ("none/some", "^none/some: no such file or folder$"),
    ],
)
def test_unknown_data(source: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(source)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.bif", "a Bayesian network, not data"),
        ("a.png", "one image is not a set; name the folder"),
        ("a.pkl", "the ending '.pkl' is unknown; readable are csv"),
        ("a", "the ending '' is unknown"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("hello")
    with pytest.raises(DataError, match=message):
        load(str(tmp_path / name))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").touch()
    with pytest.raises(DataError, match=r"a\.npy: the file is empty"):
        load(str(tmp_path / "a.npy"))


def test_named_sets_have_no_label_column() -> None:
    with pytest.raises(DataError, match="moons: has no column 'x' to be the label"):
        load("moons", Loading(label="x"))


def test_absent_sets_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCESTRAL_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"mnist: not on this machine; .*ANCESTRAL_DATA"):
        load("mnist")


def test_every_public_name_can_be_imported() -> None:
    assert ancestral.data.__all__ == sorted(ancestral.data.__all__)
    for name in ancestral.data.__all__:
        assert getattr(ancestral.data, name).__module__.startswith(("ancestral.data", "typing"))
    assert dir(ancestral.data) == ancestral.data.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ancestral.data.nothing


def test_a_readme_beside_idx_files_does_not_make_them_text(tmp_path: Path) -> None:
    assert not sources._is_text(tmp_path)
    (tmp_path / "README.txt").write_text("about these\n")
    assert sources._is_text(tmp_path)
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        kind = "idx3" if "images" in name else "idx1"
        (tmp_path / f"{name}-{kind}-ubyte").write_bytes(b"")
    assert not sources._is_text(tmp_path)


def test_black_and_white_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCESTRAL_DATA", str(tmp_path))
    folder, rng = tmp_path / "mnist", np.random.default_rng(0)
    folder.mkdir()
    for part, n in (("train", 60), ("t10k", 20)):
        images = rng.choice(np.array([0, 51, 255], dtype=np.uint8), (n, 28, 28))
        header = struct.pack(">BBBB3I", 0, 0, 8, 3, n, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    grey, once, again = load("mnist"), load("mnist-binary"), load("mnist-binary")
    assert once.levels == 2
    assert once.kind == "images"
    for part in ("train", "validation", "test"):
        before, bits = getattr(grey, part).x, getattr(once, part).x
        assert torch.equal(bits, getattr(again, part).x)
        assert bits.dtype == torch.uint8
        assert bits[before == 0].sum() == 0
        assert (bits[before == 255] == 1).all()
        share = bits[before == 51].double().mean().item()
        # Of n pixels a share of one fifth has the standard error 0.4 / sqrt(n).
        assert share == pytest.approx(0.2, abs=5 * 0.4 / int((before == 51).sum()) ** 0.5)
    assert any("seed 0" in note for note in once.notes)
