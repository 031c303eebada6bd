from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ancestral.data import Image
from ancestral.data.image_pairs import COLOUR
from ancestral.data.mask_files import image_files, mask_picture, read_images, write_masks
from ancestral.errors import ConfigError, DataError, RunError

GREY = Image(channels=1, height=9, width=9, canvas=True)
MASKS = Image(channels=1, height=9, width=9, levels=3, values=(0, 7, 255), canvas=True)


def save(path: Path, pixels: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.asarray(pixels)).save(path)


def shade(height: int, width: int, value: int = 9, dtype: type = np.uint8) -> np.ndarray:
    return np.full((height, width), value, dtype)


def test_images_are_read_at_their_own_size_as_the_field_has_them(tmp_path: Path) -> None:
    save(tmp_path / "a.png", shade(3, 5))
    save(tmp_path / "b" / "c.png", shade(4, 2, 9 << 8, np.uint16))
    save(tmp_path / "d.png", np.stack([shade(2, 2)] * 3 + [shade(2, 2, 255)], axis=2))
    (tmp_path / "notes.txt").write_text("no image")
    files = image_files(tmp_path)
    assert [str(name) for _, name in files] == ["a.png", "b/c.png", "d.png"]
    for channels in (1, 3):
        field = Image(channels=channels, height=1, width=1, canvas=True)
        found = list(read_images([path for path, _ in files], field, who="it takes"))
        assert [x.shape[1:] for x in found] == [(3, 5), (4, 2), (2, 2)]
        assert all(len(x) == channels and x.unique().tolist() == [9] for x in found)
    square = Image(channels=1, height=2, width=2)
    found = list(read_images([path for path, _ in files], square, who="it takes"))
    assert {x.shape for x in found} == {(1, 2, 2)}


def test_of_pairs_the_images_are_taken(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", shade(3, 5))
    save(tmp_path / "masks" / "a.png", shade(3, 5))
    assert [str(name) for _, name in image_files(tmp_path)] == ["a.png"]
    ((path, name),) = image_files(tmp_path / "masks" / "a.png")
    assert (path, name) == (tmp_path / "masks" / "a.png", Path("a.png"))


def test_what_cannot_be_read_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image, and no folder of images"):
        image_files(tmp_path / "nothing")
    save(tmp_path / "a.png", shade(3, 5))
    (tmp_path / "b.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(DataError, match=r"the image b\.png cannot be read"):
        image_files(tmp_path)
    save(tmp_path / "b.png", np.arange(27, dtype=np.uint8).reshape(3, 3, 3))
    files = [path for path, _ in image_files(tmp_path)]
    with pytest.raises(DataError, match=r"b\.png: has colours, RUN takes grey images"):
        list(read_images(files, GREY, who="RUN takes"))


def test_masks_have_the_values_that_were_read() -> None:
    mask = torch.tensor([[0, 1], [2, 1]])
    grey = mask_picture(mask, (0, 7, 255))
    assert (grey.mode, np.asarray(grey).tolist()) == ("L", [[0, 7], [255, 7]])
    wide = mask_picture(mask, (0, 7, 40_000))
    assert np.asarray(wide).tolist() == [[0, 7], [40_000, 7]]
    colours = mask_picture(mask, (3, COLOUR + 0x0000FF, COLOUR + 0x010203))
    assert np.asarray(colours)[:, 0].tolist() == [[3, 3, 3], [1, 2, 3]]
    assert colours.getpixel((1, 1)) == (0, 0, 255)


def test_a_folder_of_masks_has_the_names_of_the_images(tmp_path: Path) -> None:
    names = [Path("a.jpg"), Path("b/c.png"), Path("b/c.tif")]
    masks = [torch.zeros(2, 3).long(), torch.ones(1, 4).long(), torch.full((2, 2), 2)]
    pairs = list(zip(names, masks, strict=True))
    to = write_masks(iter(pairs), names, tmp_path / "out", MASKS)
    written = sorted(str(path.relative_to(to)) for path in to.rglob("*.*"))
    assert written == ["a.png", "b/c.png.png", "b/c.tif.png", "classes.csv"]
    assert np.asarray(Picture.open(to / "b" / "c.png.png")).tolist() == [[7] * 4]
    assert (to / "classes.csv").read_text().splitlines()[:2] == ["image,0,7,255", "a.jpg,1,0,0"]
    write_masks(iter(pairs[:1]), names[:1], to, MASKS)  # What was written before is replaced.
    assert sorted(path.name for path in to.iterdir()) == ["a.png", "classes.csv"]
    one = write_masks(iter(pairs[:1]), names[:1], tmp_path / "one.png", MASKS)
    assert np.asarray(Picture.open(one)).shape == (2, 3)


def test_other_folders_are_not_replaced(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.png", shade(3, 5))
    with pytest.raises(RunError, match="it holds other files than masks"):
        write_masks(iter(()), [Path("a.png")], tmp_path / "photos", MASKS)
    for path, names in ((tmp_path / "x.jpg", ["a"]), (tmp_path / "x.png", ["a", "b"])):
        with pytest.raises(ConfigError, match="masks are written to a folder, one to a png"):
            write_masks(iter(()), [*map(Path, names)], path, MASKS)
