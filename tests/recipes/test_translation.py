"""Images from images, from the folders a and b to what is made of new ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ancestral.cli.app import run as command
from ancestral.errors import CapabilityError, ConfigError
from ancestral.recipes import Run, evaluate_run, fit, plan, segment_images, translate_images
from ancestral.training import Budget

TINY = {"size": "tiny", "fractions": "0.1,0.2", "learning_rate": 3e-3}
RED, BLUE = np.array([220, 40, 30]), np.array([30, 40, 220])


def disc(seed: int, size: tuple[int, int] = (12, 16)) -> np.ndarray:
    """Return where a disc is, bool [H, W]."""
    random, (rows, columns) = np.random.default_rng(seed), np.ogrid[: size[0], : size[1]]
    y, x, r = *(random.uniform(2, side - 2) for side in size), random.uniform(2, 5)
    return (rows - y) ** 2 + (columns - x) ** 2 < r**2


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def red(where: np.ndarray) -> np.ndarray:
    return where[..., None] * RED


def blue(where: np.ndarray) -> np.ndarray:
    return where[..., None] * BLUE


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright discs in the dark, and dark ones on red."""
    folder = tmp_path_factory.mktemp("pairs")
    for seed in range(60):
        save(255 * disc(seed), folder / "a" / f"{seed}.png")
        save(red(~disc(seed)), folder / "b" / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red discs, and blue ones at other places."""
    folder = tmp_path_factory.mktemp("colours")
    for seed in range(60):
        save(red(disc(seed)), folder / "a" / f"{seed}.png")
        save(blue(disc(1000 + seed)), folder / "b" / f"{1000 + seed}.png")
    return folder


@pytest.fixture(scope="module")
def pix2pix(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out, end = tmp_path_factory.mktemp("r") / "run", Budget(steps=40)
    return fit("pix2pix", str(pairs), settings=TINY, budget=end, out=out)


@pytest.fixture(scope="module")
def cyclegan(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out, end = tmp_path_factory.mktemp("r") / "run", Budget(steps=60)
    return fit("cyclegan", str(colours), settings={**TINY, "blocks": 1}, budget=end, out=out)


def test_pairs_are_learned_better_than_by_a_copy_or_a_constant(pix2pix: Run) -> None:
    found = evaluate_run(pix2pix).evaluation
    figure = found.figures["difference"]
    assert figure is not None
    assert figure.floor is not None
    assert figure.value < 0.5 * figure.floor
    assert pix2pix.record.data.field.event_shape == (3, 12, 16)


def test_new_images_keep_their_size_and_their_name(
    pix2pix: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, size in ((100, (12, 16)), (101, (21, 15))):
        save(255 * disc(seed, size), tmp_path / "new" / f"{seed}.png")
    words = ["sample", str(pix2pix.folder), "--given", f"image={tmp_path / 'new'}"]
    assert command([*words, "--out", str(tmp_path / "made")]) == 0
    for seed, size in ((100, (12, 16)), (101, (21, 15))):
        made = np.asarray(Image.open(tmp_path / "made" / f"{seed}.png")).astype(float)
        truth = red(~disc(seed, size))
        assert made.shape == truth.shape
        assert np.abs(made - truth).mean() < 0.5 * np.abs(made.mean() - truth).mean()
    capsys.readouterr()
    assert command(["sample", str(pix2pix.folder)]) == 2
    assert "is given images: --given image=FILE or FOLDER" in capsys.readouterr().err
    sizes = (tmp_path / "made" / "images.csv").read_text().splitlines()
    assert sizes == ["image,width,height", "100.png,16,12", "101.png,15,21"]
    with pytest.raises(CapabilityError, match="finds no masks of images"):
        next(segment_images(pix2pix, tmp_path / "new"))


def test_unpaired_images_are_translated_both_ways(cyclegan: Run, tmp_path: Path) -> None:
    """Nearer to what they should become than they are themselves, and back to what they were."""
    ways = {"a-to-b": (red, blue), "b-to-a": (blue, red)}
    for direction, (before, after) in ways.items():
        apart, copied = [], []
        for seed in range(200, 210):
            save(before(disc(seed)), tmp_path / direction / f"{seed}.png")
        settings = {"direction": direction}
        for name, x in translate_images(cyclegan, tmp_path / direction, settings=settings):
            truth = after(disc(int(Path(name).stem)))
            apart.append(np.abs(x.permute(1, 2, 0).numpy() - truth).mean())
            copied.append(np.abs(before(disc(int(Path(name).stem))) - truth).mean())
        assert np.mean(apart) < 0.5 * np.mean(copied)
    figure = evaluate_run(cyclegan).evaluation.figures["there_and_back"]
    assert figure is not None
    assert figure.value < 0.1


def test_settings_and_data_are_checked_before_training(
    pairs: Path, colours: Path, cells: Path
) -> None:
    def refused(message: str, model: str, source: Path | str, **settings: object) -> None:
        with pytest.raises(ConfigError, match=message):
            plan(model, str(source), settings=settings)

    refused("needs the field 'image', digits has none: give a folder", "pix2pix", "digits")
    refused("pix2pix needs the field 'image', colours.* has none", "pix2pix", colours)
    refused("pairs of images in a/ and b/; of masks take segment", "pix2pix", cells)
    refused("as many channels in a as in b, got 1 and 3", "cyclegan", pairs)
    refused("crop must be at least 6, got 2", "pix2pix", pairs, crop=2)
    refused("weight must be at least 0", "pix2pix", pairs, weight=-1)
    refused("direction must be", "cyclegan", colours, direction="up")


def test_defaults_follow_the_loss_and_the_data(pairs: Path, colours: Path) -> None:
    assert plan("pix2pix", str(pairs)).config.penalty == 0
    assert plan("pix2pix", str(pairs), settings={"loss": "wasserstein"}).config.penalty == 10
    assert plan("pix2pix", str(pairs), settings={"regulariser": "r1"}).config.penalty == 0.5
    assert plan("gan", "moons", settings={"loss": "wasserstein"}).config.penalty == 0.1
    config = plan("cyclegan", str(colours), settings={"size": "medium"}).config
    assert (config.loss, config.crop, config.widths) == ("least-squares", 12, (64, 128, 256))
