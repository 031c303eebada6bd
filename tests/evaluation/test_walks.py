from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Generator

from ancestral.capabilities import Given
from ancestral.data import Dataset, load
from ancestral.data.model_units import flat
from ancestral.errors import CapabilityError
from ancestral.evaluation import Setting, bench_of, counts_to_json, evaluate
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.evaluation.report.page import render_report
from ancestral.evaluation.walks import EVALUATIONS, FRAMES, path_of
from ancestral.networks.annealed import AnnealedGaussianChain
from ancestral.networks.units import InDataUnits
from ancestral.recipes import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    steps: int = 20

    def within(self, evaluations: int) -> "Steps":
        return replace(self, steps=evaluations)


def walk(
    model: AnnealedGaussianChain,
    n: int,
    sampling: Steps,
    *,
    given: Given | None = None,
    generator: Generator | None = None,
) -> Iterator[torch.Tensor]:
    """The model walks with as many steps as are asked for, each exact."""
    short = AnnealedGaussianChain(model.features, steps=sampling.steps)
    short.law.load_state_dict(model.law.state_dict())
    yield from short.p.walk(n, given=given, generator=generator)


def units(data: Dataset, sampling: Steps) -> InDataUnits:
    recipe = Recipe(
        name="annealed",
        paradigm="diffusion",
        summary="",
        config=Steps,
        build=lambda _, shape: AnnealedGaussianChain(shape.features),
        sampling=Steps,
        walk=walk,
    )
    transform = flat(data)
    x = transform.forward_and_log_det(data.train.x, None)[0]
    model = AnnealedGaussianChain(x.shape[1]).double().fit(x)
    return recipe.in_units(model, transform, sampling)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("moons")


def test_a_draw_is_the_last_state_of_its_walk(data: Dataset) -> None:
    model = units(data, Steps(steps=7))
    drawn = model.sample(5, generator=torch.Generator().manual_seed(3))
    states = [*model.walk(5, generator=torch.Generator().manual_seed(3))]
    assert model.walks
    assert len(states) == 8
    assert torch.equal(drawn, states[-1])
    again = model.sample(5, evaluations=7, generator=torch.Generator().manual_seed(3))
    assert torch.equal(drawn, again)
    assert len([*model.walk(5, evaluations=3)]) == 4


def test_a_model_without_steps_says_so(data: Dataset) -> None:
    model = InDataUnits(AnnealedGaussianChain(2), flat(data))
    assert not model.walks
    with pytest.raises(CapabilityError, match="does not draw in steps"):
        next(model.walk(1))


def test_paths_begin_at_noise_and_end_at_data(data: Dataset) -> None:
    model = units(data, Steps(steps=100))
    path = path_of(model, 4_000, seed=0)
    assert path.shape == (FRAMES, 4_000, 2)
    # The data are 1.7 times as wide across as they are high; the noise is round in model units.
    first, last = (model.transform.forward_and_log_det(x, None)[0] for x in (path[0], path[-1]))
    covariance = torch.eye(2, dtype=first.dtype)
    assert torch.allclose(first.T.cov(), covariance, atol=5 * (2 / 4_000) ** 0.5)
    real = model.transform.forward_and_log_det(data.train.x, None)[0]
    assert torch.allclose(last.std(dim=0), real.std(dim=0), atol=0.06)


def test_distance_by_evaluations_stands_beside_its_floor(data: Dataset) -> None:
    setting = Setting(samples=2_000, references=2_000, radii=500)
    bench = bench_of(data, setting)
    found = evaluate(units(data, Steps()), data, bench=bench)
    assert [count for count, _ in found.by_evaluations] == [*EVALUATIONS]
    # Every step is the exact reverse: the law is that of the Gaussian whatever their number is,
    # but for what the shortest chains leave of the data at their noisy end.
    values = [figure.value for _, figure in found.by_evaluations]
    assert max(values[1:]) < 1.5 * min(values)
    whole = found.figures["sliced_wasserstein"]
    assert whole is not None
    assert {figure.floor for _, figure in found.by_evaluations} == {whole.floor}
    assert [row["evaluations"] for row in counts_to_json(found)] == [*EVALUATIONS]
    text = render_report(
        title="", sections=[Section(data=data, entries=[ModelEntry(name="a", evaluation=found)])]
    )
    assert "evaluations of the network for a draw" in text
    assert text.count("states of draws from a on their way") == FRAMES


def test_images_show_a_strip_for_each_draw() -> None:
    data = load("digits")
    model = units(data, Steps())
    bench = bench_of(data, Setting(samples=200, references=200, radii=50))
    found = bench.show(model)
    assert found.path is not None
    assert found.path.shape[:2] == (FRAMES, 6)
    section = Section(data=data, entries=[ModelEntry(name="a", evaluation=found)])
    text = render_report(title="", sections=[section])
    assert text.count("a draw from a") == 6


def test_settings_of_sampling_are_the_usual_where_no_number_is_said(data: Dataset) -> None:
    assert len([*units(data, Steps(steps=4)).walk(2)]) == 5
