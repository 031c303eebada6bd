"""Models of images made from images: held to the truth, or to the way back."""

from collections.abc import Sequence

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image
from ancestral.data.transforms import Levels
from ancestral.evaluation import Evaluation, bench_of, evaluate
from ancestral.evaluation.chosen import DIFFERENCE
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.evaluation.report.page import render_report
from ancestral.networks.dag import DAG
from ancestral.networks.units import InDataUnits


class Darker(nn.Module):
    """Takes a tenth of the range, 25.5 levels, from each pixel more than it should."""

    @property
    def graph(self) -> dict[str, DAG]:
        return {"p": DAG({"image": [], "x": ["image"]})}

    @property
    def needs(self) -> Sequence[str]:
        return ("image",)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        del generator  # Nothing is drawn.
        assert given is not None
        assert len(given["image"]) == n
        return (255 - given["image"].float()) / 255 - 0.2


class WithAWayBack(Darker):
    """Its way back takes as much again."""

    def restore(self, x: Tensor) -> Tensor:
        return 255 - (x + 0.2) * 255 - 51


def negatives(n: int, seed: int) -> Examples:
    generator = Generator().manual_seed(seed)
    image = torch.randint(60, 180, (n, 1, 6, 8), dtype=torch.uint8, generator=generator)
    return Examples(255 - image, {"image": image})


@pytest.fixture(scope="module")
def data() -> Dataset:
    shape = {"channels": 1, "height": 6, "width": 8}
    return Dataset(
        name="negatives",
        source="negatives",
        fields={"x": Image(**shape), "image": Image(**shape)},
        train=negatives(120, 0),
        validation=negatives(30, 1),
        test=negatives(40, 2),
    )


def units(network: nn.Module) -> InDataUnits:
    return InDataUnits(network, Levels(256))


def test_the_difference_to_the_truth_and_what_is_had_for_nothing(data: Dataset) -> None:
    found = evaluate(units(Darker()), data)
    figure = found.figures["difference"]
    assert figure is not None
    assert figure.value == pytest.approx(0.2, abs=1e-6)
    level = data.train.x.float().median()
    one_level = (data.test.x.float() - level).abs().mean() / 255
    copy = (data.test.x.float() - data.test["image"].float()).abs().mean() / 255
    assert figure.floor == pytest.approx(min(one_level, copy).item(), abs=1e-6)
    assert "there_and_back" not in found.figures
    assert torch.equal(found.given["truth"], 255 - found.given["image"])


def test_the_way_back_is_measured_where_there_is_one(data: Dataset) -> None:
    found = evaluate(units(WithAWayBack()), data)
    figure = found.figures["there_and_back"]
    assert figure is not None
    assert figure.value == pytest.approx(0.2, abs=1e-6)
    assert "difference" not in found.figures
    # What was made was rounded to levels, and so is what is made of it.
    assert (found.given["image"].int() - found.given["back"].int() - 51).abs().max() <= 1


def test_pictures_show_what_was_given_made_and_should_be(data: Dataset) -> None:
    bench = bench_of(data)
    for network, word in ((Darker(), "the truth"), (WithAWayBack(), "made back")):
        shown = bench.show(units(network))
        assert isinstance(shown, Evaluation)
        assert shown.samples is not None
        entry = ModelEntry(name="darker", evaluation=shown)
        page = render_report(title="t", sections=[Section(data=data, entries=[entry])])
        for words in ("given", "made of it", word):
            assert f">{words}<" in page


def test_weights_are_chosen_by_the_difference_on_the_validation_split(data: Dataset) -> None:
    judge = DIFFERENCE.judge(units(Darker()), data, seed=0)
    assert judge()["difference"] == pytest.approx(0.2, abs=1e-6)
    assert not DIFFERENCE.higher_is_better
