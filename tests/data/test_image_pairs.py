"""Folders of pairs: images and masks, or two pictures of one thing."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ancestral.data import Dataset, Examples, Loading, load, read
from ancestral.data import Image as Grey
from ancestral.data.canvas import OUTSIDE, extent
from ancestral.data.catalogue import data_root
from ancestral.data.dataset import adopt
from ancestral.errors import DataError

NUCLEI = data_root() / "nuclei" / "nuclei_256_gray.npz"


def save(pixels: NDArray[np.generic], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def scene(seed: int, shape: tuple[int, int] = (8, 8)) -> tuple[NDArray, NDArray]:
    """Return noise, and the mask of where it is bright: 255, elsewhere 0."""
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return image, np.where(image > 127, 255, 0).astype(np.uint8)


def scenes(
    folder: Path, seeds: Sequence[int], *, shape: tuple[int, int] = (8, 8), below: str = ""
) -> Path:
    for seed in seeds:
        image, mask = scene(seed, shape)
        save(image, folder / "images" / below / f"{seed}.png")
        save(mask, folder / "masks" / below / f"{seed}.bmp")
    return folder


def parts(data: Dataset) -> tuple[Examples, ...]:
    return data.train, data.validation, data.test


def test_masks_are_modelled_given_their_images(tmp_path: Path) -> None:
    data = load(str(scenes(tmp_path, range(20))))
    assert dict(data.fields) == {
        "x": Grey(channels=1, height=8, width=8, levels=2, values=(0, 255)),
        "image": Grey(channels=1, height=8, width=8),
    }
    for part in parts(data):
        assert torch.equal(part.x, (part["image"] > 127).byte())
    assert "20 pairs, by the names of their files: mask given the other" in data.notes
    assert "mask: the 2 values 0, 255 are levels 0 to 1" in data.notes


def test_the_field_that_is_modelled_can_be_chosen(tmp_path: Path) -> None:
    masks = load(str(scenes(tmp_path, range(20))))
    images = load(str(tmp_path), Loading(field="image"))
    assert list(images.fields) == ["x", "mask"]
    assert images.levels == 256
    for one, other in zip(parts(masks), parts(images), strict=True):
        assert torch.equal(one["image"], other.x)
        assert torch.equal(one.x, other["mask"])
    assert masks.fingerprint != images.fingerprint
    with pytest.raises(DataError, match="has no field 'x1': its fields are image and mask"):
        load(str(tmp_path), Loading(field="x1"))


def test_images_are_kept_apart_whichever_field_is_modelled(tmp_path: Path) -> None:
    scenes(tmp_path, range(40))
    for seed in range(20):  # The same image once more, and other masks for it.
        shutil.copy(tmp_path / "images" / f"{seed}.png", tmp_path / "images" / f"c{seed}.png")
        save(scene(seed + 100)[1], tmp_path / "masks" / f"c{seed}.png")
    for field in (None, "image"):
        data = load(str(tmp_path), Loading(field=field, fractions=(0.2, 0.2)))
        name = "image" if field is None else "x"
        seen = [{image.numpy().tobytes() for image in part[name]} for part in parts(data)]
        assert data.duplicates_removed > 0
        assert len(set.union(*seen)) == sum(map(len, seen)) == 40


def test_equal_masks_are_no_duplicates(tmp_path: Path) -> None:
    mask = scene(0)[1]
    for seed in range(20):
        save(scene(seed)[0], tmp_path / "images" / f"{seed}.png")
        save(mask, tmp_path / "masks" / f"{seed}.png")
    assert load(str(tmp_path)).duplicates_removed == 0


def test_two_folders_of_pictures_are_pairs(tmp_path: Path) -> None:
    for seed in range(12):
        grey = scene(seed)[0]
        save(grey, tmp_path / "A" / f"{seed}.png")
        save(np.stack([grey, 255 - grey, grey], axis=2), tmp_path / "B" / f"{seed}.png")
    data = load(str(tmp_path))
    assert data.event_shape == (3, 8, 8)
    assert data.fields["image"] == Grey(channels=1, height=8, width=8)
    assert torch.equal(data.train.x[:, 1], 255 - data.train["image"][:, 0])
    other = load(str(tmp_path), Loading(field="a"))
    assert list(other.fields) == ["x", "image"]
    assert torch.equal(other.train.x[:, 0], 255 - other.train["image"][:, 1])


def test_unpaired_images_are_split_each_by_itself(tmp_path: Path) -> None:
    for seed in range(30):
        save(scene(seed)[0], tmp_path / "a" / f"{seed}.png")
    for seed in range(100, 112):
        save(scene(seed)[0], tmp_path / "b" / f"{seed % 5}-{seed}.png")
    save(scene(100)[0], tmp_path / "b" / "copy.png")
    data = load(str(tmp_path), Loading(unpaired=True, fractions=(0.2, 0.2)))
    assert list(data.fields) == ["x", "image"]
    for name, count in (("image", 30), ("x", 12)):
        seen = [{image.numpy().tobytes() for image in part[name]} for part in parts(data)]
        assert len(set.union(*seen)) == sum(map(len, seen)) == count
    assert [len(part) for part in parts(data)] == [18, 6, 6]
    assert "30 images and 13 that they are to become, unpaired" in " ".join(data.notes)
    (tmp_path / "b").rename(tmp_path / "c")
    with pytest.raises(DataError, match="unpaired images must be in two folders, a and b"):
        load(str(tmp_path), Loading(unpaired=True))


def test_unpaired_images_have_splits_of_their_own(tmp_path: Path) -> None:
    for split, n in (("train", 12), ("test", 5)):
        for seed in range(n):
            save(scene(seed + n)[0], tmp_path / split / "a" / f"{seed}.png")
        for seed in range(n + 3):
            save(scene(seed + 50 * n)[0], tmp_path / split / "b" / f"x{seed}.png")
    data = load(str(tmp_path), Loading(unpaired=True))
    assert data.official_split
    assert len(data.test) == 8
    images = {image.numpy().tobytes() for image in data.test["image"]}
    assert images == {scene(seed + 5)[0].tobytes() for seed in range(5)}
    for path in (tmp_path / "test" / "b").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="a split has no x: unpaired images need both in each"):
        load(str(tmp_path), Loading(unpaired=True))


def test_images_of_one_size_keep_it(tmp_path: Path) -> None:
    for seed in range(12):
        for side in "ab":
            save(scene(seed, (70, 12))[0], tmp_path / side / f"{seed}.png")
    data = load(str(tmp_path), Loading(alike=True))
    assert data.field == Grey(channels=1, height=70, width=12, canvas=True)
    assert load(str(tmp_path), Loading(alike=True, size=6)).event_shape == (1, 6, 6)
    save(scene(3, (9, 9))[0], tmp_path / "a" / "3.png")
    assert load(str(tmp_path), Loading(alike=True)).event_shape == (1, 32, 32)


def test_pairs_are_measured_together_and_resized_aloud_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(12):
        for side in "ab":
            save(scene(seed, (10, 12))[0], tmp_path / side / f"{seed}.png")
    verify, verified = PngImageFile.verify, []
    monkeypatch.setattr(
        PngImageFile, "verify", lambda image: (verified.append(image.filename), verify(image))
    )
    notes = load(str(tmp_path), Loading(size=4)).notes
    assert len(verified) == len(set(verified)) == 24
    resized = [note for note in notes if "resized" in note]
    assert resized == ["images of 12x10 cropped to their central square and resized to 4x4"]


def test_what_does_not_pair_is_listed(tmp_path: Path) -> None:
    scenes(tmp_path, range(12))
    (tmp_path / "masks" / "3.bmp").rename(tmp_path / "masks" / "three.bmp")
    data = load(str(tmp_path))
    assert sum(map(len, parts(data))) == 11
    assert "images without a partner passed over (2): 3.png, three.bmp" in data.notes
    for index, path in enumerate(sorted((tmp_path / "masks").iterdir())):
        path.rename(path.with_name(f"m{index}.bmp"))
    with pytest.raises(DataError, match="no file in masks has the name of one in images"):
        load(str(tmp_path))


def test_folders_a_and_b_without_a_pair_are_classes(tmp_path: Path) -> None:
    for seed in range(12):
        save(scene(seed)[0], tmp_path / "ab"[seed % 2] / f"{seed}.png")
    assert load(str(tmp_path)).labels == ("a", "b")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    scenes(tmp_path, range(12))
    save(scene(3)[1], tmp_path / "masks" / "3.png")
    with pytest.raises(DataError, match="two files in masks are called 3"):
        load(str(tmp_path))


def test_splits_and_classes_of_pairs(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        for offset, below in enumerate(("cat", "dog")):
            seeds = range(100 * number + 50 * offset, 100 * number + 50 * offset + 12)
            scenes(tmp_path / split, seeds, below=below)
    data = load(str(tmp_path))
    assert data.official_split
    assert [len(part) for part in parts(data)] == [22, 2, 24]
    assert data.labels == ("cat", "dog")
    for part in parts(data):
        assert torch.equal(part.x, (part["image"] > 127).byte())
    dogs = {scene(seed)[0].tobytes() for seed in range(150, 162)}
    for image, label in zip(data.test["image"], data.test["label"], strict=True):
        assert (image.numpy().tobytes() in dogs) == (label == 1)


def test_masks_are_cropped_as_their_images_and_never_mixed(tmp_path: Path) -> None:
    scenes(tmp_path, range(12), shape=(100, 160))
    data = load(str(tmp_path), Loading(size=100))
    assert data.event_shape == (1, 100, 100)
    assert torch.equal(data.train.x, (data.train["image"] > 127).byte())
    small = load(str(tmp_path))
    assert small.event_shape == small.fields["image"].event_shape == (1, 32, 32)
    assert small.train.x.unique().tolist() == [0, 1]


@pytest.mark.parametrize("mode", ["P", "1", "RGB", "RGBA", "I;16", "L"])
def test_values_of_masks_of_every_mode(tmp_path: Path, mode: str) -> None:
    expected = {}
    for seed in range(12):
        image, mask = scene(seed)
        classes = mask // 255 * 2 + (image > 250)  # 0, 2 and 3.
        save(image, tmp_path / "images" / f"{seed}.png")
        expected[image.tobytes()] = classes // 2 if mode == "1" else np.maximum(classes, 1) - 1
        colours = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 255], [255, 0, 0]], np.uint8)
        shades = {"L": classes, "I;16": classes.astype(np.uint16) * 1000}
        made = Image.fromarray(shades.get(mode, classes))
        if mode == "P":
            made.putpalette([0, 0, 0, 9, 9, 9, 255, 0, 0, 0, 255, 0])
        elif mode == "1":
            made = Image.fromarray(mask).convert("1")
        elif mode.startswith("RGB"):
            made = Image.fromarray(colours[classes]).convert(mode)
        (tmp_path / "masks").mkdir(exist_ok=True)
        made.save(tmp_path / "masks" / f"{seed}.png")
    data = load(str(tmp_path))
    assert data.levels == (2 if mode == "1" else 3)
    for x, image in zip(data.train.x, data.train["image"], strict=True):
        np.testing.assert_array_equal(x[0], expected[image.numpy().tobytes()])
    values = {"RGB": "0, #0000ff, #ff0000", "I;16": "0, 2000, 3000"}.get(mode)
    assert values is None or any(values in note for note in data.notes)


def test_masks_that_are_none_are_refused(tmp_path: Path) -> None:
    scenes(tmp_path, range(12))
    save(scene(3, (8, 9))[1], tmp_path / "masks" / "3.bmp")
    with pytest.raises(DataError, match=r"3\.bmp: a mask must be as large .* got 9x8 and 8x8"):
        load(str(tmp_path))
    save(scene(3)[1].astype(np.float32), tmp_path / "masks" / "3.tif")
    (tmp_path / "masks" / "3.bmp").unlink()
    with pytest.raises(DataError, match=r"masks/3\.tif .* floating-point numbers"):
        load(str(tmp_path))
    (tmp_path / "masks" / "3.tif").unlink()
    for index, path in enumerate((tmp_path / "masks").iterdir()):
        save(np.arange(64, dtype=np.uint16).reshape(8, 8) + 64 * index, path.with_suffix(".png"))
        path.unlink()
    with pytest.raises(DataError, match="there must be at most 256 of them, got 704"):
        load(str(tmp_path))


def test_other_data_have_no_field_to_choose(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,2\n" * 20)
    (tmp_path / "t.txt").write_text("uno\ndos\n")
    save(scene(0)[0], tmp_path / "photos" / "0.png")
    for source in ("moons", "digits", tmp_path / "t.csv", tmp_path / "t.txt", tmp_path / "photos"):
        with pytest.raises(DataError, match="has no field 'image': that is a setting of pairs"):
            load(str(source), Loading(field="image"))


def test_pairs_can_be_read_in_their_order(tmp_path: Path) -> None:
    examples, contents = read(str(scenes(tmp_path, range(5))))
    assert list(contents.fields) == ["x", "image"]
    first = np.stack([scene(seed)[0] for seed in range(5)])
    np.testing.assert_array_equal(examples["image"][:, 0].numpy(), first)


def test_images_may_keep_their_own_sizes(tmp_path: Path) -> None:
    shapes = [(8 + seed % 3, 12 - seed % 5) for seed in range(12)]
    for seed, shape in enumerate(shapes):
        scenes(tmp_path, [seed], shape=shape)
    data = load(str(tmp_path), Loading(native=True))
    assert data.fields["image"] == Grey(channels=1, height=10, width=12, canvas=True)
    assert data.field == replace(data.fields["image"], levels=2, values=(0, 255))
    assert "images of 12 sizes, up to 12x10, keep them" in data.notes
    seen = set()
    for part in parts(data):
        for x, image in zip(part.x, part["image"], strict=True):
            (height, width), inside = extent(x), torch.zeros_like(x, dtype=torch.bool)
            seen.add((height, width))
            inside[:, :height, :width] = True
            assert torch.equal(x != OUTSIDE, inside)
            assert not image[~inside].any()
            assert torch.equal(x[inside], (image > 127).byte()[inside])
    assert seen == set(shapes)
    assert load(str(tmp_path), Loading(native=True, size=6)).event_shape == (1, 6, 6)


def test_images_of_their_own_size_are_held_as_the_camera_was(tmp_path: Path) -> None:
    scenes(tmp_path, range(12), shape=(6, 9))
    turned, exif = Image.open(tmp_path / "images" / "3.png").rotate(90, expand=True), Image.Exif()
    exif[0x0112] = 6  # To be shown a quarter to the right.
    turned.save(tmp_path / "images" / "3.png", exif=exif)
    data = load(str(tmp_path), Loading(native=True))
    for part in parts(data):
        assert torch.equal(part.x, (part["image"] > 127).byte())
    Image.open(tmp_path / "masks" / "4.bmp").rotate(90, expand=True).save(tmp_path / "masks/4.bmp")
    with pytest.raises(DataError, match=r"4\.bmp: a mask must be as large .* got 6x9 and 9x6"):
        load(str(tmp_path), Loading(native=True))


def test_masks_of_other_data_have_the_levels_of_the_first(tmp_path: Path) -> None:
    scenes(tmp_path / "a", range(12))
    scenes(tmp_path / "b", range(20, 32), shape=(10, 6))
    for path in (tmp_path / "b" / "masks").iterdir():
        save(np.asarray(Image.open(path)) // 255 * 200 + 55, path)  # 55 and 255.
    mine, other = (load(str(tmp_path / name), Loading(native=True)) for name in "ab")
    with pytest.raises(DataError, match="has the value 55, which is not one of 0, 255"):
        adopt(other, mine.fields, who="it models", source="b")
    wider = replace(mine.field, values=(0, 55, 255), levels=3)
    found = adopt(other, {**mine.fields, "x": wider}, who="it models", source="b")
    assert torch.equal(found.train.x, other.train.x + 1)
    x = torch.tensor([[[[0, OUTSIDE]]]], dtype=torch.uint8)
    assert wider.recode(x, other.field, "b").flatten().tolist() == [1, OUTSIDE]


@pytest.mark.parametrize("place", ["elsewhere", "photos/truth"])
@pytest.mark.parametrize("below", ["", "images"])
def test_masks_may_lie_elsewhere(tmp_path: Path, place: str, below: str) -> None:
    for seed in range(24):
        image, mask = scene(seed)
        kind = "cd"[seed % 2]
        save(image, tmp_path / "photos" / below / kind / f"{seed}.png")
        save(mask, tmp_path / place / kind / f"{seed}.png")
    data = load(str(tmp_path / "photos"), Loading(masks=str(tmp_path / place)))
    assert data.labels == ("c", "d")
    for part in parts(data):
        assert torch.equal(part.x, (part["image"] > 127).byte())
    assert not [note for note in data.notes if "passed over" in note]
    (tmp_path / place / "c" / "4.png").rename(tmp_path / place / "c" / "four.png")
    notes = load(str(tmp_path / "photos"), Loading(masks=str(tmp_path / place))).notes
    assert "images without a partner passed over (2): 4.png, four.png" in notes


def test_a_folder_of_masks_is_refused_where_there_is_none(tmp_path: Path) -> None:
    save(scene(0)[0], tmp_path / "photos" / "0.png")
    with pytest.raises(DataError, match=r"masks must be a folder of images, got .*none"):
        load(str(tmp_path / "photos"), Loading(masks=str(tmp_path / "none")))
    (tmp_path / "other").mkdir()
    save(scene(0)[0], tmp_path / "other" / "1.png")
    with pytest.raises(DataError, match=r"no file in .*other has the name .* such as 0"):
        load(str(tmp_path / "photos"), Loading(masks=str(tmp_path / "other")))
    for source in ("moons", "digits"):
        with pytest.raises(DataError, match="is a setting of folders of images"):
            load(source, Loading(masks=str(tmp_path / "other")))


@pytest.mark.skipif(not NUCLEI.is_file(), reason="the nuclei are not on this machine")
def test_real_images_and_masks(tmp_path: Path) -> None:
    with np.load(NUCLEI) as archive:
        images, instances = archive["images"], archive["instances"]
    for index, (image, instance) in enumerate(zip(images, instances, strict=True)):
        save(image, tmp_path / "images" / f"{index}.png")
        save((instance > 0).astype(np.uint8) * 255, tmp_path / "masks" / f"{index}.png")
    data = load(str(tmp_path), Loading(size=64))
    assert data.levels == 2
    assert data.event_shape == data.fields["image"].event_shape == (1, 64, 64)
    assert sum(map(len, parts(data))) + data.duplicates_removed == 334
    # Nuclei are brighter than what lies around them, on nearly every slide.
    image, mask = data.train["image"].double(), data.train.x.bool()
    inside = torch.stack([i[m].mean() for i, m in zip(image, mask, strict=True) if m.any()])
    outside = torch.stack([i[~m].mean() for i, m in zip(image, mask, strict=True) if m.any()])
    assert (inside > outside).double().mean() > 0.8
