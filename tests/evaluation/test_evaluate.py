"""Small models whose faults are known must be found out, and a good one left in peace."""
# ruff: noqa: ARG002 - the models here keep the whole signature of their capabilities.

import math
from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given, NeedsGiven
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image
from ancestral.data.model_units import dequantise, unit_interval
from ancestral.data.transforms import Affine
from ancestral.evaluation import Evaluation, Figure, Setting, bench_of, chosen, evaluate
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.networks.dag import DAG
from ancestral.networks.units import InDataUnits

SETTING = Setting(samples=600, references=500, radii=250, draws=2)
PLANE = {"x": Vector.of_numbers("xy")}
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
        name="two", source="two", fields=PLANE, train=train, validation=validation, test=test
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


IDENTITY = Affine(torch.zeros(2), torch.ones(2))


def measure(model: nn.Module, data: Dataset, **options: object) -> Evaluation:
    return evaluate(InDataUnits(model, IDENTITY), data, setting=SETTING, **options)  # pyright: ignore


@pytest.fixture(scope="module")
def toy(data: Dataset) -> Dataset:
    return replace(data, fresh=fresh)


@pytest.fixture(scope="module")
def of_truth(toy: Dataset) -> Evaluation:
    return measure(Truth(), toy)


@pytest.fixture(scope="module")
def of_latent(toy: Dataset) -> Evaluation:
    return measure(Latent(), toy)


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


def test_the_same_seed_gives_the_same_figures_on_a_shared_bench_too(
    toy: Dataset, of_truth: Evaluation, of_latent: Evaluation
) -> None:
    bench = bench_of(toy, SETTING)
    for model, alone in ((Latent(), of_latent), (Truth(), of_truth), (Truth(), of_truth)):
        found = evaluate(InDataUnits(model, IDENTITY), toy, bench=bench)
        assert found.figures == alone.figures  # To the bit.
        assert found.definitions == alone.definitions
        assert torch.equal(found.samples, alone.samples)  # pyright: ignore


def test_floors_are_taken_once(toy: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, asked = bench_of(toy, SETTING), []
    for stage in bench.stages:  # pyright: ignore
        taken = stage.measure

        def counting(points: Tensor, taken=taken, stage=stage) -> object:  # noqa: ANN001
            asked.append(stage.title)
            return taken(points)

        monkeypatch.setattr(stage, "measure", counting)
    for _ in range(3):
        evaluate(InDataUnits(Truth(), IDENTITY), toy, bench=bench)
    assert {title: asked.count(title) for title in asked} == dict.fromkeys(asked, 4)


def test_a_bench_of_other_data_is_refused(data: Dataset, toy: Dataset) -> None:
    with pytest.raises(ValueError, match="bench must be of"):
        evaluate(InDataUnits(Truth(), IDENTITY), data, bench=bench_of(toy))


def test_units_of_the_columns_do_not_matter(data: Dataset) -> None:
    scale = torch.tensor([1000.0, 0.01], dtype=torch.float64)
    splits = {
        name: Examples(getattr(data, name).x * scale) for name in ("train", "validation", "test")
    }
    stretched = Dataset(name="two", source="two", fields=PLANE, **splits)
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
    assert found.samples is None


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
        fields=PLANE,
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
        fields={"x": Image.of(splits["train"], levels=8)},
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


class Negative(nn.Module):
    """The negative of an image, by a fair coin of each pixel one level off: p(x | image)."""

    @property
    def graph(self) -> dict[str, DAG]:
        return {"p": DAG({"image": [], "x": ["image"]})}

    @property
    def needs(self) -> tuple[str, ...]:
        return ("image",)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        assert given is not None
        off = (7 * x).round() - (7 - given["image"].double())
        inside = ((off == 0) | (off == 1)).flatten(start_dim=1).all(dim=1)
        return torch.where(inside, -16 * math.log(2), -math.inf)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        assert given is not None
        assert len(given["image"]) == n
        coin = torch.randint(2, (n, 1, 4, 4), generator=generator)
        return (7 - given["image"].double() + coin) / 7


@pytest.fixture(scope="module")
def pairs() -> Dataset:
    generator = Generator().manual_seed(3)
    image = torch.randint(1, 8, (400, 1, 4, 4), dtype=torch.uint8, generator=generator)
    image[:, :, :2] = torch.where(torch.arange(400).reshape(-1, 1, 1, 1) % 2 == 0, 1, 7)
    x = 7 - image + torch.randint(2, image.shape, dtype=torch.uint8, generator=generator)
    part = Examples(x, {"image": image})
    splits = {"train": part[:200], "validation": part[200:300], "test": part[300:]}
    field = Image.of(x, levels=8)
    return Dataset(name="pairs", source="pairs", fields={"x": field, "image": field}, **splits)


def test_an_image_from_an_image_is_judged_given_it(pairs: Dataset) -> None:
    model = Negative()
    assert isinstance(model, NeedsGiven)
    setting = Setting(samples=150, references=100, radii=50)
    found = evaluate(InDataUnits(model, unit_interval(8)), pairs, setting=setting)
    assert found.notes == ()
    # Each of sixteen pixels is one of two levels, whatever the image is.
    assert figure(found, "log_prob").value == pytest.approx(-16 * math.log(2))
    assert figure(found, "log_prob").unit == "nats given the image"
    assert figure(found, "bits_per_dim").value == pytest.approx(1.0)
    assert figure(found, "bits_per_dim").unit == "bits/dim given the image"
    assert "given the image" in found.definitions["log_prob"]
    # As many of the test examples' images are bright as are dark, and so are the samples.
    distance = figure(found, "sliced_wasserstein")
    assert distance.value < 2 * distance.floor  # pyright: ignore
    samples, image = found.samples, found.given["image"]
    assert samples is not None
    assert ((samples + image.int() - 7) >= 0).all()
    assert ((samples + image.int() - 7) <= 1).all()
    section = Section(data=pairs, entries=[ModelEntry(name="m", evaluation=found)])
    (gallery,) = bench_of(pairs).view(section, {"m": "red"})["nearest"]
    assert [strip.label for strip in gallery.strips] == ["image", "sample", "nearest"]


@pytest.mark.parametrize("by", [chosen.LOG_PROB, chosen.SLICED_WASSERSTEIN])
def test_weights_of_an_image_from_an_image_are_chosen_given_it(
    pairs: Dataset, by: chosen.Criterion
) -> None:
    judge = by.judge(InDataUnits(Negative(), unit_interval(8)), pairs, seed=0)
    assert math.isfinite(judge()[by.name])
    assert judge.figure is not None
    assert (judge.figure.unit == "nats given the image") == (by is chosen.LOG_PROB)


class Cells(nn.Module):
    """Rows of a number and a state, drawn from others."""

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return mixed_rows(n, generator)


def mixed_rows(n: int, generator: Generator | None) -> Tensor:
    state = torch.randint(2, (n,), generator=generator)
    number = 100 * (state + 0.1 * torch.randn(n, generator=generator))
    return torch.stack((number, state.float()), dim=1)


@pytest.mark.parametrize("gaps", [False, True])
def test_a_mixed_table_is_measured_column_by_column(gaps: bool) -> None:
    generator = Generator().manual_seed(4)
    x = mixed_rows(900, generator).double()
    if gaps:
        x[5, 0], x[6, 1] = torch.nan, -1
    columns = (Column(name="a"), Column(name="b", type="category", states=("no", "yes")))
    parts = {"train": x[:500], "validation": x[500:700], "test": x[700:]}
    data = Dataset(
        name="mixed",
        source="mixed",
        fields={"x": Vector(columns=columns)},
        **{name: Examples(part) for name, part in parts.items()},
    )
    found = evaluate(InDataUnits(Cells(), IDENTITY), data, setting=SETTING)
    # Rows of the two states are two standard deviations and one cell apart.
    rows = bench_of(data).space(torch.tensor([[0.0, 0.0], [100.0, 1.0]]))
    apart = (rows[0] - rows[1]).square().sum().item()
    assert apart == pytest.approx(1 + (100 / x[:500, 0].nan_to_num(50).std().item()) ** 2, rel=0.01)
    assert (found.figures["sliced_wasserstein"] is None) == gaps
    assert found.notes == (
        ("sample quality: samples are whole rows, and cells are missing in 2 of 700 rows",) * gaps
    )
    if not gaps:
        distance = figure(found, "sliced_wasserstein")
        assert distance.unit == "standardised units and root of differing cells"
        assert abs(distance.value - distance.floor) < 5 * distance.se  # pyright: ignore
