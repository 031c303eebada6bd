import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ancestral.data import image_grid, load, write_samples
from ancestral.data.columns import Vector
from ancestral.data.fields import Image
from ancestral.errors import ConfigError, RunError

COLUMNS = ["age", "height, cm", 'a "quoted" one']
IMAGES = torch.arange(12 * 64).remainder(256).to(torch.uint8).reshape(12, 1, 8, 8)
GREY = Image.of(IMAGES)


def table() -> torch.Tensor:
    scale = torch.tensor([1e-8, 1.0, 1e12], dtype=torch.float64)
    return torch.randn(50, 3, dtype=torch.float64) * scale


@pytest.mark.parametrize("name", ["s", "s.csv", "s.tsv", "s.parquet", "s.npy", "s.npz"])
def test_a_table_reads_back_the_same_to_the_last_bit(tmp_path: Path, name: str) -> None:
    x = table()
    path = write_samples(x, tmp_path / name, Vector.of_numbers(COLUMNS))
    assert path.name == ("s.csv" if name == "s" else name)
    data = load(str(path))
    back = torch.cat([part.x for part in (data.train, data.validation, data.test)])
    assert torch.equal(back[back[:, 0].argsort()], x[x[:, 0].argsort()])
    if name not in {"s.npy", "s.npz"}:
        assert list(data.columns) == COLUMNS
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["s.json", "s.jsonl"])
def test_a_table_in_json_has_the_numbers_of_the_table(tmp_path: Path, name: str) -> None:
    x = table()
    x[3, 1] = torch.inf
    text = write_samples(x, tmp_path / name, Vector.of_numbers(COLUMNS)).read_text("utf-8")
    rows = json.loads(text) if name == "s.json" else list(map(json.loads, text.splitlines()))
    assert [list(row) for row in rows] == [COLUMNS] * 50
    assert rows[3][COLUMNS[1]] is None
    values = [[torch.inf if v is None else v for v in row.values()] for row in rows]
    assert torch.equal(torch.tensor(values, dtype=torch.float64), x)


def test_whole_numbers_stay_readable(tmp_path: Path) -> None:
    path = write_samples(
        torch.tensor([[1.0, 2.5]]), tmp_path / "s.csv", Vector.of_numbers(["n", "x"])
    )
    header, row = path.read_text().splitlines()
    assert header == "n,x"
    assert [float(cell) for cell in row.split(",")] == [1.0, 2.5]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_become_a_folder_and_a_grid(tmp_path: Path, channels: int) -> None:
    x = IMAGES.expand(12, channels, 8, 8)
    path = write_samples(x, tmp_path / "s", Image.of(x))
    names = sorted(file.name for file in path.iterdir())
    assert names == [*(f"{index:02d}.png" for index in range(12)), "grid.png"]
    with Picture.open(path / "07.png") as image:
        pixels = np.asarray(image).reshape(8, 8, channels)
    np.testing.assert_array_equal(pixels, x[7].permute(1, 2, 0))
    assert len(list(tmp_path.iterdir())) == 1


def test_few_levels_are_spread_for_the_eye_and_kept_in_arrays(tmp_path: Path) -> None:
    x = torch.arange(17, dtype=torch.uint8).reshape(1, 1, 1, 17)
    folder = write_samples(x, tmp_path / "s", Image.of(x, levels=17))
    with Picture.open(folder / "0.png") as image:
        assert np.asarray(image)[0, [0, 8, 16]].tolist() == [0, 128, 255]
    path = write_samples(x, tmp_path / "s.npy", Image.of(x, levels=17))
    np.testing.assert_array_equal(np.load(path), x)


def test_a_png_is_a_grid_of_all(tmp_path: Path) -> None:
    path = write_samples(IMAGES, tmp_path / "s.png", GREY)
    with Picture.open(path) as image:
        # 12 images in 4 columns and 3 rows, 64 pixels each, gaps of 2.
        assert image.size == (4 * 66 + 2, 3 * 66 + 2)


def test_the_grid_holds_each_image_in_its_place() -> None:
    grid = np.asarray(image_grid(IMAGES, 256, columns=5, scale=2))
    assert grid.shape == (3 * 18 + 2, 5 * 18 + 2)
    cell = grid[2 + 18 : 18 + 18, 2 + 2 * 18 : 18 + 2 * 18]
    np.testing.assert_array_equal(cell[::2, ::2], IMAGES[7, 0])
    assert (grid[:2] == 255).all()
    assert (grid[2 + 2 * 18 :, 2 + 2 * 18 :] == 255).all(), "the last row is not full"


def test_earlier_samples_are_replaced_but_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write_samples(IMAGES, path, GREY)
    write_samples(IMAGES[:3], path, GREY)
    assert len(list(path.iterdir())) == 4
    (path / "thesis.docx").write_text("five years of work")
    with pytest.raises(RunError, match=r"it holds other files \(thesis\.docx\)"):
        write_samples(IMAGES, path, GREY)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="a file has that name"):
        write_samples(IMAGES, tmp_path / "file", GREY)


@pytest.mark.parametrize("name", ["none/s", "none/s.png", "none/s.npy", "none/s.npz"])
def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match=r"^cannot write .*none.*: No such file or directory$"):
        write_samples(IMAGES, tmp_path / name, GREY)
    assert list(tmp_path.iterdir()) == []


def test_unknown_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vectors are written to csv"):
        write_samples(table(), tmp_path / "s.xlsx", Vector.of_numbers(COLUMNS))
    with pytest.raises(ConfigError, match="images are written to a folder"):
        write_samples(IMAGES, tmp_path / "s.jpg", GREY)
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 columns need as many names, got 2"):
        write_samples(table(), tmp_path / "s.csv", Vector.of_numbers(["a", "b"]))
    with pytest.raises(ValueError, match="at least 1 image, got 0"):
        image_grid(IMAGES[:0])
