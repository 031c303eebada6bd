"""Continuous flows as a user fits and draws them."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Generator

import ancestral
from ancestral.data.columns import Column, Vector
from ancestral.data.fields import Image, Shape, labelled
from ancestral.errors import ConfigError
from ancestral.flows import CNF, DistilledFlow, FlowMatching, ImageFlowMatching, RectifiedFlow
from ancestral.recipes.families.matching import (
    CNFConfig,
    FlowMatchingConfig,
    MeanFlowConfig,
    MeanFlowSampling,
)
from ancestral.recipes.listing import list_models
from ancestral.recipes.solving import GuidedSampling, SolverSampling
from ancestral.recipes.table import RECIPES

PLANE_COLUMNS = Vector.of_numbers("ab").columns
PLANE = Shape({"x": Vector.of_numbers("ab")})
DIGITS = Shape(labelled(Image(channels=1, height=8, width=8, levels=17), "0123456789"))
FEW = ancestral.Budget(steps=3)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        *(("flow-matching", network) for network in ("mlp", "unet", "dit")),
        *(("meanflow", network) for network in ("mlp", "dit")),
    ],
)
def test_images_have_a_network_of_choice_and_their_labels(name: str, network: str) -> None:
    recipe = RECIPES[name]
    config = recipe.config(network=network, size="tiny").resolved(DIGITS)
    model = recipe.build(config, DIGITS)
    assert model.classes == 10
    draws = model.sample(3, given={"label": torch.tensor(7)})
    assert draws.shape == (3, 1, 8, 8)
    batch = ancestral.capabilities.Batch(draws, {"label": torch.tensor([1, 2, 3])})
    (player,) = model.players()
    loss = player.loss(batch, Generator().manual_seed(0)).total
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_what_is_left_is_chosen_by_the_data() -> None:
    vectors = FlowMatchingConfig().resolved(PLANE)
    assert (vectors.network, vectors.frequencies, vectors.conditional) == ("mlp", 32, False)
    images = FlowMatchingConfig().resolved(DIGITS)
    assert (images.network, images.frequencies, images.conditional) == ("unet", 0, True)
    assert isinstance(RECIPES["flow-matching"].build(vectors, PLANE), FlowMatching)
    assert isinstance(RECIPES["flow-matching"].build(images, DIGITS), ImageFlowMatching)
    assert CNFConfig().resolved(PLANE).trace == "exact"
    assert CNFConfig().resolved(DIGITS).trace == "hutchinson"
    assert isinstance(RECIPES["cnf"].build(CNFConfig().resolved(DIGITS), DIGITS), CNF)
    assert MeanFlowConfig().resolved(PLANE).power == 0
    assert (vectors.target, images.target) == ("averaged", "single")
    assert FlowMatchingConfig(coupling="optimal").resolved(PLANE).target == "single"
    assert MeanFlowConfig().resolved(DIGITS).power == 1
    with pytest.raises(ConfigError, match="network must be mlp: the others are of images"):
        FlowMatchingConfig(network="unet").resolved(PLANE)
    assert MeanFlowConfig().resolved(DIGITS).network == "dit"
    with pytest.raises(ConfigError, match="network must be mlp or dit: a unet takes one time"):
        MeanFlowConfig(network="unet").resolved(DIGITS)


def test_paths_of_mixed_tables_are_single_and_not_coupled() -> None:
    columns = (*PLANE_COLUMNS, Column(name="c", type="truth", states=("no", "yes")))
    mixed = Shape({"x": Vector(columns=columns, mixed=True)})
    found = FlowMatchingConfig().resolved(mixed)
    assert (found.target, found.ordered, found.frequencies) == ("single", (True, True, False), 0)
    assert found.resolved(mixed) == found
    with pytest.raises(ConfigError, match="coupling must be left out of mixed tables, got opt"):
        FlowMatchingConfig(coupling="optimal").resolved(mixed)
    with pytest.raises(ConfigError, match="target must be left out of mixed tables, got aver"):
        FlowMatchingConfig(target="averaged").resolved(mixed)


def test_evaluations_are_counted() -> None:
    heun = SolverSampling(steps=50)
    assert heun.within(20).steps == 10
    assert heun.within(1) == SolverSampling(steps=1, sampler="euler")
    assert SolverSampling(sampler="rk4").within(20).steps == 5
    assert SolverSampling(sampler="adaptive").within(20) == SolverSampling(steps=10)
    assert GuidedSampling(guidance=2.0).within(3) == GuidedSampling(steps=1, guidance=2.0)
    assert MeanFlowSampling().within(4).steps == 4


def test_students_stand_on_a_run_of_flow_matching(tmp_path: Path) -> None:
    tiny = {"size": "tiny"}
    teacher = ancestral.fit("flow-matching", "moons", settings=tiny, budget=FEW, out=tmp_path / "t")
    own = {**tiny, "teacher": str(teacher.folder), "pairs": 50}
    for name, kind in (("rectified-flow", RectifiedFlow), ("distilled-flow", DistilledFlow)):
        run = ancestral.fit(name, "moons", settings=own, budget=FEW, out=tmp_path / name)
        assert isinstance(run.model().network, kind)
        assert ancestral.sample_run(run, 4).shape == (4, 2)
    shutil.rmtree(teacher.folder)  # Who has learned needs the teacher no more.
    assert ancestral.sample_run(run, 4).shape == (4, 2)
    other = ancestral.fit("flow-matching", "moons", settings=tiny, budget=FEW, out=tmp_path / "o")
    wrong = {**own, "teacher": str(other.folder)}
    with pytest.raises(ConfigError, match="teacher must be a run on the same data"):
        ancestral.fit(
            "rectified-flow", "digits", settings=wrong, budget=FEW, out=tmp_path / "wrong"
        )


def test_a_student_has_labels_if_its_teacher_has(tmp_path: Path) -> None:
    tiny = {"size": "tiny", "label": "label", "conditional": True}
    data = tmp_path / "table.csv"
    rows = [f"{i % 7}.5,{i % 5}.25,{'ab'[i % 2]}" for i in range(60)]
    data.write_text("\n".join(["x,y,label", *rows]))
    teacher = ancestral.fit("flow-matching", data, settings=tiny, budget=FEW, out=tmp_path / "t")
    own = {"size": "tiny", "label": "label", "teacher": str(teacher.folder), "pairs": 50}
    run = ancestral.fit("rectified-flow", data, settings=own, budget=FEW, out=tmp_path / "s")
    assert run.record.config.conditional
    assert ancestral.sample_run(run, 4, given={"label": "b"}).shape == (4, 2)


def test_sampling_is_set_and_wrong_settings_are_one_line(tmp_path: Path) -> None:
    run = ancestral.fit(
        "flow-matching", "moons", settings={"size": "tiny"}, budget=FEW, out=tmp_path / "run"
    )
    few = ancestral.sample_run(run, 5, seed=1, settings={"steps": 1, "sampler": "euler"})
    many = ancestral.sample_run(run, 5, seed=1)
    assert few.shape == many.shape == (5, 2)
    with pytest.raises(ConfigError, match="steps must be at least 1, got 0"):
        ancestral.sample_run(run, 5, settings={"steps": 0})
    with pytest.raises(ConfigError, match="guidance is of models that are given labels"):
        ancestral.sample_run(run, 5, settings={"guidance": 2})
    with pytest.raises(ConfigError, match="sampler must be one of"):
        ancestral.sample_run(run, 5, settings={"sampler": "magic"})


def test_an_exact_density_of_many_pixels_is_refused() -> None:
    with pytest.raises(ConfigError, match="there may be 256, digits has 289; set pixels=16"):
        ancestral.plan("cnf", "digits", settings={"pixels": 17})


def test_guidance_and_labels_are_refused_before_training_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match="guidance is of models that are given labels"):
        ancestral.plan("flow-matching", "moons", settings={"guidance": 2})
    with pytest.raises(ConfigError, match="conditional must be left out without labels"):
        ancestral.plan("flow-matching", "moons", settings={"conditional": True})
    assert ancestral.plan("flow-matching", "moons", settings={"guidance": 1}).sampling is not None


def test_a_part_of_other_data_of_the_same_shape_is_refused(tmp_path: Path) -> None:
    tiny = {"size": "tiny"}
    teacher = ancestral.fit("flow-matching", "ring", settings=tiny, budget=FEW, out=tmp_path / "t")
    with pytest.raises(ConfigError, match="teacher must be a run on the same data, split alike"):
        ancestral.plan("rectified-flow", "moons", settings={"teacher": str(teacher.folder)})


def test_what_students_can_do_is_listed_without_a_teacher() -> None:
    found = {info.name: info.capabilities for info in list_models()}
    assert found["rectified-flow"] == found["distilled-flow"] == ("samples", "trains", "graph")
