import math
from collections.abc import Sequence

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.canvas import OUTSIDE, on_canvas
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image
from ancestral.data.transforms import States
from ancestral.evaluation import Evaluation, bench_of, evaluate
from ancestral.evaluation.chosen import IOU
from ancestral.evaluation.overlays import MISSED, WRONG, differences, overlay
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.evaluation.report.page import render_report
from ancestral.networks.dag import DAG
from ancestral.networks.units import InDataUnits

SIZES = [(6, 8), (8, 5), (7, 7)]


class Threshold(nn.Module):
    """Bright pixels are of the last class, in so much of the image from the top."""

    def __init__(self, rows: int = 99) -> None:
        super().__init__()
        self.rows, self.sizes = rows, set()

    @property
    def graph(self) -> dict[str, DAG]:
        return {"p": DAG({"image": [], "x": ["image"]})}

    @property
    def needs(self) -> Sequence[str]:
        return ("image",)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        assert given is not None
        return -math.log(4) * (x != OUTSIDE).flatten(1).sum(1).double()

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        del generator  # Nothing is drawn.
        assert given is not None
        image = given["image"]
        assert len(image) == n
        self.sizes.add(tuple(image.shape[2:]))
        found = (image > 127).long() * 2
        found[:, :, self.rows :] = 0
        return found


def scenes(n: int, seed: int) -> Examples:
    generator, images, masks = Generator().manual_seed(seed), [], []
    for i in range(n):
        image = torch.randint(256, (1, *SIZES[i % 3]), dtype=torch.uint8, generator=generator)
        images.append(image)
        masks.append((image > 127).byte() * 2)
    return Examples(on_canvas(masks, OUTSIDE), {"image": on_canvas(images, 0)})


@pytest.fixture(scope="module")
def data() -> Dataset:
    parts = {name: scenes(12, seed) for seed, name in enumerate(("train", "validation", "test"))}
    x = parts["train"].x
    fields = {
        "x": Image.of(x, levels=3, values=(0, 7, 1 << 24 | 0xFF0000), canvas=True),
        "image": Image.of(x, canvas=True),
    }
    return Dataset(name="cells", source="cells", fields=fields, **parts)


def units(model: nn.Module) -> InDataUnits:
    return InDataUnits(model, States())


def test_each_image_is_seen_at_its_own_size(data: Dataset) -> None:
    model = Threshold()
    found = evaluate(units(model), data)
    assert model.sizes == {*SIZES}
    values = {name: figure and figure.value for name, figure in found.figures.items()}
    assert values["iou"] == values["dice"] == values["pixel_accuracy"] == 1
    assert values["iou_0"] == values["iou_#ff0000"] == values["dice_#ff0000"] == 1
    assert values["iou_7"] is None  # In no mask.
    assert values["bits_per_dim"] == pytest.approx(2)
    pixels = sum(math.prod(size) for size in SIZES) / 3
    assert values["log_prob"] == pytest.approx(-pixels * math.log(4))
    assert found.figures["log_prob"].unit == "nats given the image"
    assert found.figures["pixel_accuracy"].floor == pytest.approx(0.5, abs=0.05)


def test_what_is_missed_lowers_the_figures(data: Dataset) -> None:
    found = evaluate(units(Threshold(rows=4)), data)
    iou, accuracy = found.figures["iou_#ff0000"], found.figures["pixel_accuracy"]
    shares = [4 / height for height, _ in SIZES]
    assert iou.value == pytest.approx(sum(shares) / 3, abs=0.05)
    assert accuracy.value == pytest.approx(sum((1 + s) / 2 for s in shares) / 3, abs=0.05)
    assert 0 < iou.se < 0.1
    assert iou.kind == "exact"


def test_weights_are_chosen_by_the_overlap(data: Dataset) -> None:
    judge = IOU.judge(units(Threshold(rows=4)), data, seed=0)
    value = judge()["iou"]
    better = IOU.judge(units(Threshold()), data, seed=0)()["iou"]
    assert value < better == 1


def test_the_report_lays_masks_over_their_images(data: Dataset) -> None:
    bench, model = bench_of(data), units(Threshold())
    shown = bench.show(model)
    assert shown.samples.shape == (6, 1, 8, 8)
    entry = ModelEntry(name="segment", evaluation=shown)
    page = render_report(title="t", sections=[Section(data=data, entries=[entry])])
    for words in ("7 orange, #ff0000 blue", "0 is left clear", "classes of pixels"):
        assert words in page
    assert page.count("data:image/png") == 4


def test_a_model_without_an_image_is_one_of_images(data: Dataset) -> None:
    class Coin(nn.Module):
        def sample(
            self, n: int, *, given: Given | None = None, generator: Generator | None = None
        ) -> Tensor:
            assert given is None
            return torch.randint(3, (n, 1, 8, 8), generator=generator)

    found = bench_of(data).show(units(Coin()))
    assert isinstance(found, Evaluation)
    assert "mask" not in found.given
    assert found.nearest is not None


def test_overlays_paint_what_they_say() -> None:
    image = torch.full((1, 2, 2), 100, dtype=torch.uint8)
    truth, found = torch.tensor([[[0, 1], [1, 0]]]), torch.tensor([[[0, 1], [0, 1]]])
    laid = overlay(image, truth, clear=0)
    assert laid[:, 0, 0].tolist() == [255, 255, 255]  # As bright as it can be.
    assert laid[:, 0, 1].tolist() == laid[:, 1, 0].tolist() != [255, 255, 255]
    wrong = differences(image, found, truth, clear=0)
    assert wrong[:, 0, :].unique().tolist() == [255]
    missed, other = wrong[:, 1, 0], wrong[:, 1, 1]
    assert int(missed.argmax()) == int(torch.tensor(MISSED).argmax())
    assert int(other.argmax()) == int(torch.tensor(WRONG).argmax())
