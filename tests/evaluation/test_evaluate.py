"""Small models whose faults are known must be found out, and a good one left in peace."""
# ruff: noqa: ARG002 - the models here keep the whole signature of their capabilities.

import math

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.transforms import Affine, dequantise, unit_interval
from ancestral.evaluation import Evaluation, Figure, Setting, evaluate
from ancestral.networks.units import InDataUnits

SETTING = Setting(samples=600, references=500, radii=250, draws=2)
PLACES = torch.tensor([[-4.0, 0.0], [4.0, 0.0]])


def law(n: int, generator: Generator | None = None, modes: int = 2) -> Tensor:
    """Two unit Gaussians in equal shares, or only the second of them."""
    which = torch.randint(2 - modes, 2, (n,), generator=generator)
    if modes == 1:
        which = torch.ones(n, dtype=torch.int64)
    return PLACES[which] + torch.randn(n, 2, generator=generator)


def log_law(x: Tensor) -> Tensor:
    squared = (x[:, None] - PLACES).square().sum(dim=2)
    return torch.logsumexp(-squared / 2, dim=1) - math.log(2) - math.log(2 * math.pi)


@pytest.fixture(scope="module")
def data() -> Dataset:
    generator = Generator().manual_seed(1)
    train, validation, test = (Examples(law(n, generator).double()) for n in (1000, 500, 500))
    return Dataset(
        name="two", source="two", kind="vectors", train=train, validation=validation, test=test
    )


class Truth(nn.Module):
    """The law itself: samples and an exact density."""

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return law(n, generator)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        return log_law(x)


class Sampler(nn.Module):
    """Samples from anything."""

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        self.register_buffer("points", points.float())

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return self.points[torch.randint(len(self.points), (n,), generator=generator)]


class Latent(nn.Module):
    """x = z + noise with a known posterior, so that bound and estimate equal the density."""

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return law(n, generator)

    def sample_means(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return PLACES[torch.randint(2, (n,), generator=generator)]

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        return log_law(x) - 0.5

    def estimate_log_prob(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 64,
        generator: Generator | None = None,
    ) -> Tensor:
        return log_law(x)


def measure(model: nn.Module, data: Dataset, **options: object) -> Evaluation:
    identity = Affine(torch.zeros(2), torch.ones(2))
    return evaluate(InDataUnits(model, identity), data, setting=SETTING, **options)  # pyright: ignore


@pytest.fixture(scope="module")
def of_truth(data: Dataset) -> Evaluation:
    return measure(Truth(), data, fresh=fresh)


@pytest.fixture(scope="module")
def of_latent(data: Dataset) -> Evaluation:
    return measure(Latent(), data, fresh=fresh)


def fresh(n: int, seed: int) -> Tensor:
    return law(n, Generator().manual_seed(seed)).double()


def figure(found: Evaluation, name: str) -> Figure:
    value = found.figures[name]
    assert value is not None, found.notes
    return value


def test_the_truth_is_at_the_floor(of_truth: Evaluation) -> None:
    found = of_truth
    assert found.notes == ()
    names = (
        "sliced_wasserstein", "mmd", "classifier_accuracy", "precision", "recall", "density",
        "coverage", "memorisation", "frechet", "off_manifold",
    )  # fmt: skip
    for name in names:
        one = figure(found, name)
        assert one.floor is not None
        assert one.se is not None
        # Model and floor both err; the nearest-neighbour radii add to what binomials know.
        assert abs(one.value - one.floor) < 5 * math.sqrt(2) * one.se + 0.01, name
    assert figure(found, "memorisation").p_value > 0.001  # pyright: ignore
    assert figure(found, "mmd").p_value > 0.005  # pyright: ignore


def test_exact_likelihood_is_the_entropy(of_truth: Evaluation) -> None:
    found = of_truth
    exact = figure(found, "log_prob")
    assert (exact.kind, exact.unit, exact.floor) == ("exact", "nats", None)
    # The modes hardly overlap: entropy is log 2 + log(2 pi e) up to their tails.
    assert exact.value == pytest.approx(-math.log(2) - math.log(2 * math.pi) - 1, abs=5 * exact.se)  # pyright: ignore
    assert found.figures["elbo"] is None
    assert found.figures["log_prob_iw"] is None
    assert found.figures["bits_per_dim"] is None


def test_a_model_that_copies_its_training_set_is_caught(data: Dataset) -> None:
    copied = figure(measure(Sampler(data.train.x), data), "memorisation")
    assert copied.value > 0.99
    assert copied.p_value is not None
    assert copied.p_value < 1e-6
    assert copied.floor == pytest.approx(0.5, abs=0.1)


def test_a_model_that_drops_a_mode_is_caught(data: Dataset) -> None:
    found = measure(Sampler(law(20_000, Generator().manual_seed(5), modes=1)), data)
    assert found.figures["log_prob"] is None
    assert figure(found, "coverage").value == pytest.approx(0.5, abs=0.1)
    assert figure(found, "recall").value == pytest.approx(0.5, abs=0.1)
    assert figure(found, "precision").value > 0.9
    assert figure(found, "mmd").p_value == pytest.approx(1 / 201)
    # The best classifier is right on the dropped mode and at chance on the other: 0.75.
    assert 0.6 < figure(found, "classifier_accuracy").value < 0.8
    # Half the mass moves by 8 along the first axis; the columns are divided by sqrt(17) and 1.
    assert figure(found, "sliced_wasserstein").value > 0.5
    assert figure(found, "memorisation").p_value > 0.001  # pyright: ignore


def test_bounds_and_means_are_labelled(of_latent: Evaluation) -> None:
    found = of_latent
    assert found.figures["log_prob"] is None
    assert figure(found, "elbo").kind == "bound"
    assert figure(found, "log_prob_iw").kind == "estimate"
    gap = figure(found, "log_prob_iw").value - figure(found, "elbo").value
    assert gap == pytest.approx(0.5, abs=1e-6)
    # Two points cannot cover what the draws cover.
    assert figure(found, "coverage_means").value < 0.1 < figure(found, "coverage").value
    assert figure(found, "coverage_means").floor == figure(found, "coverage").floor
    assert "sliced_wasserstein_means" in found.figures
    assert found.means is not None
    assert found.means.shape == (600, 2)


def test_means_are_left_out_on_request(data: Dataset) -> None:
    identity = Affine(torch.zeros(2), torch.ones(2))
    setting = Setting(samples=100, references=100, radii=50, draws=1, means=False)
    found = evaluate(InDataUnits(Latent(), identity), data, setting=setting)
    assert found.means is None
    assert not [name for name in found.figures if name.endswith("_means")]


def test_every_figure_is_defined_with_its_sizes(of_latent: Evaluation) -> None:
    found = of_latent
    assert set(found.figures) - set(found.definitions) == {"bits_per_dim"}
    assert "600 generated against 500 test" in found.definitions["sliced_wasserstein"]
    assert "250 test, 600 generated" in found.definitions["coverage"]
    assert found.definitions["off_manifold_means"].startswith("Of means")


def test_the_same_seed_gives_the_same_figures(data: Dataset, of_truth: Evaluation) -> None:
    first, second = of_truth, measure(Truth(), data, fresh=fresh)
    assert first.figures == second.figures
    assert torch.equal(first.samples, second.samples)


def test_units_of_the_columns_do_not_matter(data: Dataset) -> None:
    scale = torch.tensor([1000.0, 0.01], dtype=torch.float64)
    splits = {
        name: Examples(getattr(data, name).x * scale) for name in ("train", "validation", "test")
    }
    stretched = Dataset(name="two", source="two", kind="vectors", **splits)
    model = InDataUnits(Truth(), Affine(torch.zeros(2), scale))
    found, plain = evaluate(model, stretched, setting=SETTING), measure(Truth(), data)
    assert "off_manifold" not in plain.figures  # Only where there are fresh draws.
    for name in ("sliced_wasserstein", "coverage", "memorisation", "mmd"):
        assert figure(found, name).value == pytest.approx(figure(plain, name).value, rel=1e-3)
    # The density changes by the log-determinant, log(1000 * 0.01).
    difference = figure(plain, "log_prob").value - figure(found, "log_prob").value
    assert difference == pytest.approx(math.log(10), abs=1e-4)


def test_samples_that_are_not_finite_are_said_aloud(data: Dataset) -> None:
    points = law(1000)
    points[:100] = torch.nan
    found = measure(Sampler(points), data)
    assert any("are not finite" in note for note in found.notes)
    assert found.figures["sliced_wasserstein"] is None
    assert found.figures["coverage"] is None
    assert found.samples.shape == (0, 2)


def test_a_density_that_fails_costs_only_its_figure(data: Dataset) -> None:
    class Broken(Truth):
        def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
            return torch.where(x[:, 0] > 0, -torch.inf, 0.0)

    found = measure(Broken(), data)
    assert found.figures["log_prob"] is None
    assert any(note.startswith("log_prob: ") for note in found.notes)
    assert found.figures["coverage"] is not None


def test_too_few_test_examples_are_said_aloud(data: Dataset) -> None:
    few = Dataset(
        name="few",
        source="few",
        kind="vectors",
        train=data.train,
        validation=data.validation[:3],
        test=data.test[:5],
    )
    found = measure(Truth(), few)
    assert found.figures["log_prob"] is not None
    assert found.figures["coverage"] is None
    assert any("at least 20" in note for note in found.notes)


def test_the_model_comes_back_in_its_own_mode_and_progress_is_told(data: Dataset) -> None:
    model = Truth().train()
    told: list[tuple[str, float]] = []
    measure(model, data, progress=lambda title, share: told.append((title, share)))
    assert model.training
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


class Pixels(nn.Module):
    """Independent uniform pixels on [0, 1], with a density or a mass."""

    def __init__(self, per_pixel: float) -> None:
        super().__init__()
        self.per_pixel = per_pixel

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return torch.rand(n, 1, 4, 4, generator=generator)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        return torch.full((len(x),), 16 * self.per_pixel)


@pytest.fixture(scope="module")
def images() -> Dataset:
    x = torch.randint(0, 8, (300, 1, 4, 4), dtype=torch.uint8, generator=Generator().manual_seed(0))
    splits = {"train": x[:200], "validation": x[200:250], "test": x[250:]}
    return Dataset(
        name="noise",
        source="noise",
        kind="images",
        levels=8,
        **{name: Examples(value) for name, value in splits.items()},
    )


def test_bits_per_dim_of_uniform_pixels(images: Dataset) -> None:
    setting = Setting(samples=100, references=50, radii=20)
    transform = dequantise(images.train, 8, standard=False)
    found = evaluate(InDataUnits(Pixels(0.0), transform), images, setting=setting)
    # Eight levels are three bits; dequantised, the density is a bound on their mass.
    bits = figure(found, "bits_per_dim")
    assert bits.value == pytest.approx(3.0)
    assert (bits.kind, figure(found, "log_prob").kind) == ("bound", "bound")
    mass = InDataUnits(Pixels(-math.log(8)), unit_interval(8))
    found = evaluate(mass, images, setting=setting)
    assert figure(found, "bits_per_dim").value == pytest.approx(3.0)
    assert figure(found, "bits_per_dim").kind == "exact"
    assert found.samples.shape == (100, 1, 4, 4)
    assert found.nearest.shape == (10, 1, 4, 4)
    assert found.samples.dtype == found.nearest.dtype == torch.uint8
