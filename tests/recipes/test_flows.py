from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from ancestral.data.columns import Vector
from ancestral.data.fields import Category, Image, Shape
from ancestral.errors import ConfigError, DataError
from ancestral.recipes import fit, plan
from ancestral.recipes.recipe import build_model, resolve
from ancestral.recipes.table import recipe_named
from ancestral.training import Budget

LABEL = Category(states=("a", "b", "c"))
ROWS = Shape({"x": Vector.of_numbers("abc")})
IMAGES = Shape({"x": Image(channels=1, height=8, width=8, levels=17), "label": LABEL})


@pytest.mark.parametrize("name", ["realnvp", "maf", "nsf"])
@pytest.mark.parametrize(("shape", "features"), [(ROWS, 3), (IMAGES, 64)])
def test_flows_of_rows_begin_as_a_standard_normal(name: str, shape: Shape, features: int) -> None:
    recipe = recipe_named(name)
    model = build_model(recipe, resolve(recipe.config(size="tiny"), shape), shape, 0, {})
    assert model.classes == len(shape.labels)
    x = torch.randn(4, features)
    assert model.log_prob(x).shape == (4,)
    assert model.sample(2).shape == (2, features)


def test_glow_halves_the_side_while_it_is_even() -> None:
    config = recipe_named("glow").config
    scales = {}
    for side in (4, 8, 28, 32, 64):
        image = Image(channels=1, height=side, width=side, levels=256)
        scales[side] = resolve(config(), Shape({"x": image})).scales
    assert scales == {4: 1, 8: 2, 28: 2, 32: 3, 64: 3}


def test_glow_refuses_sides_that_cannot_be_halved() -> None:
    recipe = recipe_named("glow")
    shape = Shape({"x": Image(channels=1, height=7, width=8, levels=256)})
    with pytest.raises(ConfigError, match=r"multiples of 2 for 1 scales, got 7 x 8; set size=32"):
        build_model(recipe, resolve(recipe.config(), shape), shape, 0, {})


def test_a_column_of_words_is_refused_with_the_remedy(tmp_path: Path) -> None:
    table = tmp_path / "pets.csv"
    rows = "".join(f"{i % 7}.5,{'cat' if i % 2 else 'dog'}\n" for i in range(60))
    table.write_text(f"weight,kind\n{rows}")
    with pytest.raises(
        ConfigError, match=r"kind.*drop=NAME leaves a column out, label=NAME"
    ) as told:
        plan("nsf", str(table))
    assert "\n" not in str(told.value)


def test_numbers_that_are_not_finite_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    x[7, 1] = np.inf
    with pytest.raises((ConfigError, DataError), match=r"finite|infinite") as told:
        plan("nsf", x)
    assert "\n" not in str(told.value)


def test_rows_are_seen_without_correlations_so_that_a_flow_begins_as_their_gaussian() -> None:
    x = np.random.default_rng(0).normal(size=(5_000, 2)) @ np.array([[2.0, 1.0], [0.0, 1e-2]])
    plan_ = plan("nsf", x)
    train = plan_.data.train.x
    y, log_det = plan_.transform().forward_and_log_det(train)
    torch.testing.assert_close(y.double().T.cov(), torch.eye(2).double(), atol=0.01, rtol=0)
    found = plan_.build(plan_.transform()).log_prob(y) + log_det
    gaussian = MultivariateNormal(train.mean(0), train.T.cov()).log_prob(train)
    torch.testing.assert_close(found.detach(), gaussian, atol=1e-2, rtol=0)


def test_small_tables_get_one_transform_and_noise() -> None:
    configs = {}
    for rows in (0, 142, 400, 20_000):
        shape = replace(ROWS, rows=rows)
        configs[rows] = resolve(recipe_named("nsf").config(), shape)
    assert [each.transforms for each in configs.values()] == [4, 1, 1, 4]
    assert [each.noise for each in configs.values()] == [0, 0.3, 0.15, 0]
    given = resolve(recipe_named("maf").config(noise=0.0, transforms=3), replace(ROWS, rows=142))
    assert (given.noise, given.transforms) == (0, 3)


def test_a_labelled_flow_is_fitted_sampled_and_scored(tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    generator = np.random.default_rng(0)
    label = generator.integers(2, size=300)
    x = generator.normal(size=(300, 2)) * 0.3 + 2.0 * label[:, None]
    rows = "\n".join(f"{a},{b},{'uv'[k]}" for (a, b), k in zip(x.tolist(), label, strict=True))
    table.write_text(f"a,b,kind\n{rows}\n")
    settings = {"label": "kind", "size": "tiny", "transforms": 2, "learning_rate": 0.01}
    plan_ = plan("nsf", str(table), settings=settings)
    assert plan_.config == replace(plan_.config, hidden=(32, 32), transforms=2)
    run = fit("nsf", str(table), settings=settings, budget=Budget(steps=60), out=tmp_path / "run")
    found = run.model().sample(200, given={"label": torch.tensor(1)})
    assert found.mean(dim=0).tolist() == pytest.approx([2, 2], abs=0.4)
    assert run.record.result.best.value > -2.5
