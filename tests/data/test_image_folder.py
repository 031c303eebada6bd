import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ancestral.data import Dataset, Loading, load
from ancestral.errors import DataError

SHAPES = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,)}


def picture(path: Path, mode: str = "L", size: tuple[int, int] = (8, 8), seed: int = 0) -> Path:
    """Write noise that depends on the path's name and the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng([seed, *path.name.encode(errors="replace")])
    shape = (size[1], size[0], *SHAPES[mode])
    Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return path


def fill(folder: Path, n: int = 12, ending: str = "png", **how: object) -> Path:
    for index in range(n):
        picture(folder / f"{index}.{ending}", **how)
    return folder


def read(folder: Path, **loading: object) -> Dataset:
    return load(str(folder), Loading(**loading))


def size(data: Dataset) -> int:
    return len(data.train) + len(data.validation) + len(data.test)


def said(data: Dataset) -> str:
    return "; ".join(data.notes)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "TIFF", "gif", "webp", "jpg", "JPEG"])
def test_every_format(tmp_path: Path, ending: str) -> None:
    mode = "RGB" if ending == "webp" else "L"
    data = read(fill(tmp_path, ending=ending, mode=mode))
    assert size(data) == 12
    assert data.event_shape == ((3 if mode == "RGB" else 1), 8, 8)
    assert data.levels == 256


def test_lossless_pixels_are_kept(tmp_path: Path) -> None:
    fill(tmp_path, mode="RGB")
    expected = {np.asarray(Image.open(path)).tobytes() for path in tmp_path.iterdir()}
    data = read(tmp_path)
    parts = (data.train, data.validation, data.test)
    got = {x.permute(1, 2, 0).numpy().tobytes() for part in parts for x in part.x}
    assert got == expected


def test_subfolders_are_classes(tmp_path: Path) -> None:
    fill(tmp_path / "ñandú")
    fill(tmp_path / "gato" / "negro", seed=1)
    fill(tmp_path / "gato" / "pardo", seed=2)
    data = read(tmp_path, fractions=(0.1, 0.4))
    assert data.labels == ("gato", "ñandú")
    assert size(data) == 36
    bird = {np.asarray(Image.open(path)).tobytes() for path in (tmp_path / "ñandú").iterdir()}
    for x, label in zip(data.test.x, data.test.given["label"], strict=True):
        assert (x[0].numpy().tobytes() in bird) == (label == 1)


def test_classes_of_numbers_are_ordered_by_size(tmp_path: Path) -> None:
    for name in ("10", "9", "100"):
        fill(tmp_path / name, seed=int(name))
    assert read(tmp_path).labels == ("9", "10", "100")


def test_one_subfolder_is_no_class(tmp_path: Path) -> None:
    fill(tmp_path / "cats")
    assert read(tmp_path).labels == ()
    picture(tmp_path / "stray.png")
    data = read(tmp_path)
    assert data.labels == ()
    assert "no labels, because images lie outside the subfolders (1)" in data.notes


def test_splits_of_the_source_are_kept(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        for offset, name in enumerate(("cat", "dog")):
            fill(tmp_path / split / name, seed=10 * number + offset)
    data = read(tmp_path)
    assert [len(data.train), len(data.validation), len(data.test)] == [24, 24, 24]
    assert data.labels == ("cat", "dog")
    assert data.official_split
    assert "splits taken from the subfolders test, train, validation" in data.notes


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_split_is_held_out_where_there_is_no_test_split(
    tmp_path: Path, name: str
) -> None:
    for number, split in enumerate(("train", name)):
        for offset, label in enumerate(("cat", "dog")):
            fill(tmp_path / split / label, seed=10 * number + offset)
    picture(tmp_path / "cover.png", seed=99)
    data = read(tmp_path)
    assert data.labels == ("cat", "dog")
    assert [len(data.train), len(data.validation), len(data.test)] == [22, 24, 2]
    held = {x.numpy().tobytes() for x in data.validation.x}
    files = (tmp_path / name).rglob("*.png")
    assert held == {np.asarray(Image.open(path)).tobytes() for path in files}
    assert "splits taken from the subfolders train, validation; the test split is drawn" in said(
        data
    )
    assert "images outside the splits passed over (1): cover.png" in data.notes


def test_classes_below_a_lone_train_are_seen(tmp_path: Path) -> None:
    for offset, label in enumerate(("cat", "dog")):
        fill(tmp_path / "train" / label, seed=offset)
    assert read(tmp_path).labels == ("cat", "dog")


def test_a_class_called_train_is_no_split(tmp_path: Path) -> None:
    fill(tmp_path / "train")
    fill(tmp_path / "bus", seed=1)
    assert read(tmp_path).labels == ("bus", "train")


def test_unpaired_images_are_named_and_not_taken_for_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("trainA", "trainB", "testA", "testB")):
        fill(tmp_path / name, seed=number)
    with pytest.raises(DataError, match="trainA and trainB are a layout of unpaired images"):
        read(tmp_path)
    assert size(read(tmp_path / "trainA")) == 12


@pytest.mark.parametrize("name", ["@eaDir", ".git", "__MACOSX", "#recycle", "$RECYCLE.BIN"])
def test_folders_of_systems_are_passed_over(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "cats")
    fill(tmp_path / "cats" / name / "7.png", seed=1)
    fill(tmp_path / name, seed=2)
    data = read(tmp_path)
    assert (size(data), data.labels) == (12, ())


def test_photos_are_resized_aloud(tmp_path: Path) -> None:
    fill(tmp_path, size=(40, 30), mode="RGB", ending="jpg")
    data = read(tmp_path)
    assert data.event_shape == (3, 32, 32)
    assert "images of 40x30 cropped to their central square and resized to 32x32" in said(data)
    assert read(tmp_path, size=16).event_shape == (3, 16, 16)
    picture(tmp_path / "tall.png", size=(100, 200))
    assert "images of 2 sizes cropped" in said(read(tmp_path))


def test_large_jpegs_decode_like_small_ones(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 512).round().astype(np.uint8)
    for index in range(10):
        Image.fromarray(np.tile(np.roll(ramp, index), (512, 1))).save(
            tmp_path / f"{index}.jpg", quality=95
        )
    Image.fromarray(np.tile(ramp, (512, 1))).save(tmp_path / "0.jpg", quality=95)
    data = read(tmp_path, size=16)
    expected = ramp.reshape(16, 32).mean(axis=1)
    x = np.concatenate([part.x.numpy() for part in (data.train, data.validation, data.test)])
    assert np.abs(x - expected).mean(axis=(1, 2, 3)).min() < 2


def test_grey_and_colour_together_are_colour(tmp_path: Path) -> None:
    fill(tmp_path, n=10)
    picture(tmp_path / "red.png", "RGB")
    data = read(tmp_path)
    assert data.event_shape == (3, 8, 8)
    assert "1 images in colour and 10 grey, all taken as 3 channels" in data.notes


def test_grey_saved_as_colour_is_grey(tmp_path: Path) -> None:
    for index in range(10):
        grey = Image.open(picture(tmp_path / f"{index}.png"))
        grey.convert("RGB").save(tmp_path / f"{index}.png")
    assert read(tmp_path).event_shape == (1, 8, 8)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    fill(tmp_path, n=10, mode="RGBA")
    clear = np.zeros((8, 8, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    data = read(tmp_path)
    assert "transparency laid on white: 11 of 11 images" in data.notes
    every = np.concatenate([part.x.numpy() for part in (data.train, data.validation, data.test)])
    assert (every == 255).all(axis=(1, 2, 3)).any()


def test_sixteen_bits_are_reduced_aloud(tmp_path: Path) -> None:
    for index in range(10):
        pixels = np.full((8, 8), 256 * (20 * index) + 77, np.uint16)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    data = read(tmp_path)
    assert "16 bits reduced to 8: 10 of 10 images" in data.notes
    values = {int(v) for part in (data.train, data.validation, data.test) for v in part.x.unique()}
    assert values == set(range(0, 200, 20))


def test_the_orientation_of_a_phone_is_followed(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[0] = 200
    for index in range(10):
        image = Image.fromarray(pixels + np.uint8(index))
        exif = image.getexif()
        exif[0x0112] = 3  # Turned by half a circle.
        image.save(tmp_path / f"{index}.png", exif=exif)
    x = read(tmp_path).train.x
    assert (x[:, 0, 7] >= 200).all()
    assert (x[:, 0, 0] < 50).all()


def test_several_frames_are_said(tmp_path: Path) -> None:
    fill(tmp_path)
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 100, 200)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert "several frames, the first is taken: 1 of 13 images" in read(tmp_path).notes


def test_hidden_files_are_passed_over_and_others_counted(tmp_path: Path) -> None:
    fill(tmp_path / "cat")
    fill(tmp_path / "dog", seed=1)
    for name in (".DS_Store", "cat/._0.png", "__MACOSX/0.png", ".hidden/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"junk")
    (tmp_path / "cat" / "notes.txt").write_text("hello")
    data = read(tmp_path)
    assert size(data) == 24
    assert data.labels == ("cat", "dog")
    assert "files that are not images passed over (1): notes.txt" in data.notes


def test_links_are_followed_once(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere")
    folder = tmp_path / "set"
    fill(folder / "cat", seed=1)
    (folder / "dog").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "cat" / "loop").symlink_to(folder, target_is_directory=True)
    data = read(folder)
    assert data.labels == ("cat", "dog")
    assert size(data) == 24


def test_duplicates_across_splits_are_removed(tmp_path: Path) -> None:
    fill(tmp_path, n=40)
    for index in range(20):
        shutil.copy(tmp_path / f"{index}.png", tmp_path / f"copy{index}.png")
    data = read(tmp_path, fractions=(0.2, 0.2))
    assert data.duplicates_removed > 0
    assert size(data) == 60 - data.duplicates_removed


def test_progress_counts_every_image(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    load(str(fill(tmp_path)), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(1, 13)]


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("keep", [0, 10, 0.5, -5])
def test_a_damaged_image_is_named(tmp_path: Path, ending: str, keep: float) -> None:
    fill(tmp_path, ending=ending, mode="RGB", size=(32, 32))
    path = tmp_path / f"7.{ending}"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    why = {0: "the file is empty", 10: "no image of a known kind"}.get(keep, "damaged or cut short")
    if (keep, ending) == (10, "jpg"):  # Ten bytes are enough to know it.
        why = "damaged or cut short (Truncated File Read)"
    assert f"the image 7.{ending} cannot be read: {why}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_not_text_can_be_shown(tmp_path: Path) -> None:
    fill(tmp_path)
    os.rename(tmp_path / "3.png", os.fsencode(tmp_path) + b"/\xff.png")
    assert size(read(tmp_path)) == 12
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb") as file:
        file.write(b"junk")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert "the image \ufffd.png cannot be read" in str(caught.value)
    str(caught.value).encode()


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError, match=r"f\.tif cannot be read: its pixels are floating-point"):
        read(tmp_path)


def test_all_images_that_cannot_be_read_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "f.tif")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    picture(tmp_path / "wide.png", size=(100, 100))
    (tmp_path / "none.jpg").touch()
    whole = picture(tmp_path / "cut.jpg", size=(64, 64)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4_999)  # Twice as many are refused.
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    line = str(caught.value)
    assert "5 images cannot be read: cut.jpg (damaged or cut short (" in line
    assert "), f.tif (its pixels are floating-point numbers), gone.png (a link to nothing)" in line
    assert "none.jpg (the file is empty)" in line
    assert "wide.png (image size (10000 pixels) exceeds limit of 9998 pixels)" in line
    assert "\n" not in line


def test_a_long_list_of_images_that_cannot_be_read_is_cut(tmp_path: Path) -> None:
    fill(tmp_path)
    for number in range(13):
        (tmp_path / f"bad{number:02}.png").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"13 images .*bad09\.png \(.{,40}\) and 3 more$"):
        read(tmp_path)


def test_pages_past_the_first_are_left_out_aloud(tmp_path: Path) -> None:
    fill(tmp_path, n=11)
    pages = [Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in (10, 20)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    assert "several frames, the first is taken: 1 of 12 images" in read(tmp_path).notes


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images in this folder"):
        read(tmp_path)
    (tmp_path / "a.csv").write_text("1")
    with pytest.raises(DataError, match=r"it holds a\.csv$"):
        read(tmp_path)


def test_labels_come_from_subfolders_only(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the label 'kind' must be a column of a table"):
        read(fill(tmp_path), label="kind")
