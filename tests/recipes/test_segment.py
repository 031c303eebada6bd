"""A segmenter from the folder to the masks of new images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ancestral.data.canvas import extent
from ancestral.errors import ConfigError, DataError
from ancestral.recipes import Run, evaluate_run, fit, plan, segment_images
from ancestral.recipes.reporting import repeat_command
from ancestral.settings import plain
from ancestral.training import Budget

TINY = {"size": "tiny", "crop": 32}


def disc(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image with a bright disc and a dark one, and where they are: 100 and 200."""
    random = np.random.default_rng(seed)
    rows, columns = np.ogrid[: size[0], : size[1]]
    mask = np.zeros(size, np.uint8)
    for value in (100, 200):
        y, x, r = *(random.uniform(0, side) for side in size), random.uniform(4, 9)
        mask[(rows - y) ** 2 + (columns - x) ** 2 < r**2] = value
    tones = np.array([90, 170, 20])[mask // 100]
    return (tones + random.normal(0, 12, size)).clip(0, 255).astype(np.uint8), mask


def discs(folder: Path, sizes: Sequence[tuple[int, int]], *, below: str = "") -> Path:
    for seed, size in enumerate(sizes):
        image, mask = disc(seed + 1000 * len(below), size)
        for name, pixels in (("images", image), ("masks", mask)):
            path = folder / name / below / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = [(40, 48), (33, 61), (56, 32)] * 10
    return discs(discs(tmp_path_factory.mktemp("discs"), sizes), sizes[:12], below="x")


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = {**TINY, "fractions": "0.1,0.2", "learning_rate": 1e-2}
    return fit(
        "segment",
        str(folder),
        settings=settings,
        budget=Budget(steps=70),
        out=tmp_path_factory.mktemp("r") / "run",
    )


def test_it_finds_discs_in_images_of_many_sizes(run: Run) -> None:
    found = evaluate_run(run).evaluation
    values = {name: figure.value for name, figure in found.figures.items() if figure is not None}
    assert values["pixel_accuracy"] > 0.95
    assert values["iou_200"] > 0.6
    assert found.figures["log_prob"].kind == "exact"
    assert values["bits_per_dim"] < 0.3
    assert found.notes == ("log_prob: the mean of 8 test examples alone",)


def test_the_report_shows_overlays_and_the_command(run: Run, folder: Path) -> None:
    page = (run.folder / "report.html").read_text()
    assert "100 orange, 200 blue" in page
    words = repeat_command(run).split()
    for setting in ("fractions=0.1,0.2", "crop=32", "size=tiny"):
        assert setting in words
    assert str(folder) in words


def test_new_images_get_masks_of_their_own_size(run: Run, tmp_path: Path) -> None:
    sizes = [(30, 50), (70, 41), (17, 19)]
    new, right = discs(tmp_path, sizes) / "images", []
    found = dict(segment_images(run, new))
    assert [*found] == ["0.png", "1.png", "2.png"]
    for seed, size in enumerate(sizes):
        mask = found[f"{seed}.png"]
        assert mask.shape == size
        right.append((mask.numpy() * 100 == disc(seed, size)[1]).mean())
    assert np.mean(right) > 0.9
    drawn = dict(segment_images(run, new, settings={"temperature": 1.0}))
    assert not torch.equal(drawn["0.png"], found["0.png"])
    with pytest.raises(DataError, match="no image"):
        next(segment_images(run, tmp_path / "none"))


def test_scores_are_those_of_the_images_alone(run: Run) -> None:
    data, model = run.data(), run.model()
    together = model.log_prob(data.test.x, given={"image": data.test["image"]})
    for i in range(3):
        height, width = extent(data.test.x[i])
        x, image = (v[i : i + 1, :, :height, :width] for v in (data.test.x, data.test["image"]))
        torch.testing.assert_close(model.log_prob(x, given={"image": image})[0], together[i])


def test_each_split_has_its_share_of_the_folders(folder: Path) -> None:
    chosen = plan("segment", str(folder), settings={**TINY, "fractions": "0.2,0.25"})
    assert chosen.loading.even
    assert chosen.data.labels == ()  # Images lie outside of the folder x.
    assert chosen.unused(None) == ()


def test_settings_are_checked_before_training(folder: Path, tmp_path: Path) -> None:
    def refused(message: str, source: str = str(folder), **settings: object) -> None:
        with pytest.raises(ConfigError, match=message):
            plan("segment", source, settings=settings)

    refused("needs the field 'image', digits has none: give a folder with images/", "digits")
    refused("weights must be one for each of 3 classes, got 2", weights="1,2")
    refused("weights must be left out with balanced", weights="1,2,3", balanced=True)
    refused("tile must be a multiple of 64", tile=100)
    refused("needs the field 'image'", field="image")
    for seed in range(12):
        for name, pixels in zip(("images", "masks"), disc(seed, (9, 9)), strict=True):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels * (name == "images")).save(tmp_path / name / f"{seed}.png")
    refused("at least 2 classes, those of .* have one: 0", str(tmp_path))


def test_balanced_classes_weigh_the_same_in_the_model_that_is_built(folder: Path) -> None:
    chosen = plan("segment", str(folder), settings={**TINY, "balanced": True, "loss": "focal"})
    model = chosen.build(chosen.transform())
    counts = chosen.data.train.x.flatten().bincount(minlength=256)[:3]
    assert (model.class_weights * counts).std() < 1e-3 * counts.sum()
    assert plain(chosen.config)["crop"] == 32
    given = plan("segment", str(folder), settings={**TINY, "weights": "1,2,3"})
    assert given.build(given.transform()).class_weights.tolist() == [1, 2, 3]


@pytest.mark.parametrize("norm", ["none", "group"])
def test_a_batch_may_be_shared_where_nothing_couples_it(folder: Path, norm: str) -> None:
    settings = {**TINY, "norm": norm, "accumulate": 2, "batch_size": 4, "pixels": 16}
    chosen = plan("segment", str(folder), settings=settings, budget=Budget(steps=1))
    assert chosen.data.event_shape == (1, 16, 16)
    assert chosen.config.crop == 32
