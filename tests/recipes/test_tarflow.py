"""TarFlow as a user fits and draws it."""

from pathlib import Path

import pytest
import torch
from torch import Generator

import ancestral
from ancestral.data.fields import Image, Shape, labelled
from ancestral.errors import AncestralError, CapabilityError, ConfigError
from ancestral.flows import Affine, Autoregressive, Flow, TarFlow, draw_guided
from ancestral.recipes.families.tarflow import TarFlowConfig, TarFlowSampling
from ancestral.recipes.table import RECIPES

RECIPE = RECIPES["tarflow"]


def digits(height: int = 8, width: int = 8) -> Shape:
    image = Image(channels=1, height=height, width=width, levels=17)
    return Shape(labelled(image, "0123456789"))


@pytest.mark.parametrize(
    ("sides", "patch"), [((28, 28), 4), ((32, 20), 4), ((30, 30), 2), ((8, 8), 2), ((9, 8), 1)]
)
def test_the_patch_divides_the_sides(sides: tuple[int, int], patch: int) -> None:
    assert TarFlowConfig().resolved(digits(*sides)).patch == patch


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="dropped must be in"):
        TarFlowConfig(dropped=1.0)
    with pytest.raises(ConfigError, match="guidance must be at least 0, got -1"):
        TarFlowSampling(guidance=-1)
    with pytest.raises(ValueError, match="patch must divide the sides 8 and 8, got 3"):
        RECIPE.build(TarFlowConfig(patch=3).resolved(digits()), digits())


def test_a_run_draws_with_and_without_guidance(tmp_path: Path) -> None:
    few = ancestral.Budget(steps=3)
    run = ancestral.fit(
        "tarflow", "digits", settings={"size": "tiny"}, budget=few, out=tmp_path / "run"
    )
    seven = {"given": {"label": "7"}, "seed": 1}
    plain, one, guided = (
        ancestral.sample_run(run, 4, settings=settings, **seven)
        for settings in (None, {"guidance": 1}, {"guidance": 1000})  # Three steps change little.
    )
    assert plain.shape == (4, 1, 8, 8)
    assert (plain == one).all()
    assert (plain != guided).any()
    without = {"size": "tiny", "conditional": False}
    other = ancestral.fit("tarflow", "digits", settings=without, budget=few, out=tmp_path / "other")
    with pytest.raises(AncestralError, match="unconditional: guidance must be 1, got 3"):
        ancestral.sample_run(other, 4, settings={"guidance": 3})


def test_guided_draws_are_those_of_the_label_at_scale_one() -> None:
    torch.manual_seed(0)
    bijection = TarFlow((1, 4, 4), classes=3, patch=2, width=32, blocks=2, layers=1)
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    flow = Flow(bijection, (1, 4, 4), classes=3)
    label = {"label": torch.tensor([0, 1, 2, 2])}
    x = draw_guided(flow, 4, scale=1, given=label, generator=Generator().manual_seed(3))
    z = torch.randn(4, 1, 4, 4, generator=Generator().manual_seed(3))
    torch.testing.assert_close(x, flow.decode(z.flatten(1), given=label).detach())


def test_only_a_tarflow_with_labels_is_guided() -> None:
    with pytest.raises(CapabilityError, match="unconditional: guidance must be 1, got 2"):
        draw_guided(Flow(TarFlow((1, 4, 4)), (1, 4, 4)), 3, scale=2)
    with pytest.raises(TypeError, match="a TarFlow is needed, got Autoregressive"):
        draw_guided(Flow(Autoregressive([0, 1], Affine(), hidden=(4,)), (2,)), 3, scale=2)
