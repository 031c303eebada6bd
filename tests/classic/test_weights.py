"""Integer weights are repeated rows, for every model that counts or runs EM."""

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.classic import (
    HMM,
    Bernoullis,
    CategoricalEmissions,
    Categoricals,
    DiagonalGaussianEmissions,
    DiagonalGaussians,
    GaussianEmissions,
    GaussianMixture,
    MixtureOf,
    Multinomials,
    NaiveBayes,
)
from ancestral.classic.estimators import GaussianMixtureEstimator
from ancestral.classic.seeding import kmeans, kmeans_plus_plus

# The same sums in another order, over a hundred sweeps of EM that contract.
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
TIMES = torch.arange(60) % 4
FAMILIES = {
    "bits": lambda: Bernoullis(3, 4, smoothing=0.5),
    "categories": lambda: Categoricals(3, (2, 2, 2, 2), smoothing=0.5),
    "counts": lambda: Multinomials(3, 4, smoothing=0.5),
    "normals": lambda: DiagonalGaussians(3, 4, smoothing=0.1),
}


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], msg=name, **CLOSE)


@pytest.mark.parametrize("covariance", ["full", "diag", "tied", "spherical"])
def test_a_mixture_of_gaussians(covariance: str) -> None:
    x = torch.randn(60, 2, generator=seeded(), dtype=torch.float64)
    x += 2 * (torch.arange(60) % 3)[:, None]
    model = GaussianMixture(
        2, components=3, covariance=covariance, least_variance=1e-4, tolerance=-1, iterations=30
    )
    means = x[:3].clone()
    weighted = state(model.fit(x, means=means, weights=TIMES))
    history = model.history
    assert_same(weighted, state(model.fit(x.repeat_interleave(TIMES, 0), means=means)))
    np.testing.assert_allclose(model.history, history, rtol=1e-10)
    assert_same(weighted, state(model.fit(x, means=means, weights=1e-15 * TIMES.double())))


def test_the_starts_of_a_mixture_see_the_weights() -> None:
    x = torch.randn(60, 2, generator=seeded(), dtype=torch.float64)
    again, ones = x.repeat_interleave(TIMES, 0), torch.ones(int(TIMES.sum())).double()
    kept = TIMES > 0
    mine = kmeans_plus_plus(x[kept], 5, weights=TIMES[kept].double(), generator=seeded(1))
    theirs = kmeans_plus_plus(again, 5, weights=ones, generator=seeded(1))
    # One uniform number picks the same row in both: their cumulative shares are the same.
    assert torch.equal(mine, theirs)
    torch.testing.assert_close(
        kmeans(x[kept], mine, rounds=5, weights=TIMES[kept].double()),
        kmeans(again, theirs, rounds=5),
        **CLOSE,
    )
    model = GaussianMixture(2, components=3)
    model.fit(x, weights=torch.arange(60) < 30, generator=seeded())
    found = state(model)
    model.fit(x[:30], weights=torch.ones(30), generator=seeded())
    assert_same(found, state(model))


@pytest.mark.parametrize("kind", ["bits", "categories", "counts"])
def test_a_mixture_of_tables(kind: str) -> None:
    x = torch.randint(2, (60, 4), generator=seeded()).double()
    start = torch.rand(60, 3, generator=seeded(1), dtype=torch.float64)
    start /= start.sum(dim=1, keepdim=True)
    model = MixtureOf(FAMILIES[kind](), tolerance=-1.0, iterations=30)
    weighted = state(model.fit(x, start=start, weights=TIMES))
    history = model.history
    repeated = x.repeat_interleave(TIMES, 0), start.repeat_interleave(TIMES, 0)
    assert_same(weighted, state(model.fit(repeated[0], start=repeated[1])))
    np.testing.assert_allclose(model.history, history, rtol=1e-10)


@pytest.mark.parametrize("kind", FAMILIES)
def test_naive_bayes(kind: str) -> None:
    x = torch.randint(2, (60, 4), generator=seeded()).double()
    if kind == "normals":
        x = x + torch.randn(60, 4, generator=seeded(1), dtype=torch.float64)
    label = torch.arange(60) % 3
    model = NaiveBayes(FAMILIES[kind]())
    weighted = state(model.fit(x, given={"label": label}, weights=TIMES))
    again = {"label": label.repeat_interleave(TIMES)}
    assert_same(weighted, state(model.fit(x.repeat_interleave(TIMES, 0), given=again)))


def sequences(kind: str) -> tuple[HMM, Tensor, Tensor]:
    """Return a model with parameters of its own, 60 sequences of it and their lengths."""
    emissions = {
        "symbols": CategoricalEmissions(3, symbols=4),
        "full": GaussianEmissions(3, features=2),
        "diagonal": DiagonalGaussianEmissions(3, features=2),
    }[kind]
    model = HMM(emissions, tolerance=-1.0, iterations=10)
    model.transition.copy_(torch.eye(3) * 0.7 + 0.1)
    if kind == "symbols":
        table = torch.rand(3, 4, generator=seeded(5), dtype=torch.float64)
        emissions.probabilities.copy_(table / table.sum(dim=1, keepdim=True))
    else:
        emissions.means.copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]))
    lengths = 2 + torch.arange(60) % 5
    return model, model.sample(60, length=6, generator=seeded(2)), lengths


@pytest.mark.parametrize("kind", ["symbols", "full", "diagonal"])
def test_a_hidden_markov_model_by_em(kind: str) -> None:
    model, x, lengths = sequences(kind)
    before = state(model)
    weighted = state(model.refine(x, lengths=lengths, weights=TIMES))
    history = model.history
    model.load_state_dict(before)
    again = x.repeat_interleave(TIMES, 0), lengths.repeat_interleave(TIMES)
    assert_same(weighted, state(model.refine(again[0], lengths=again[1])))
    np.testing.assert_allclose(model.history, history, rtol=1e-10)


def test_a_hidden_markov_model_in_log_space() -> None:
    model, x, lengths = sequences("symbols")
    model.transition.copy_(torch.tensor([[1, 0, 0], [1e-300, 1, 0], [0, 1e-300, 1]]))
    model.emissions.probabilities[:2, 0] = 1e-300
    model.emissions.probabilities /= model.emissions.probabilities.sum(dim=1, keepdim=True)
    before = state(model)
    weighted = state(model.refine(x, lengths=lengths, weights=TIMES))
    model.load_state_dict(before)
    again = x.repeat_interleave(TIMES, 0), lengths.repeat_interleave(TIMES)
    assert_same(weighted, state(model.refine(again[0], lengths=again[1])))


@pytest.mark.parametrize("kind", ["symbols", "full", "diagonal"])
def test_a_hidden_markov_model_by_counting(kind: str) -> None:
    model, x, lengths = sequences(kind)
    z = torch.randint(3, (60, 6), generator=seeded(3))
    weighted = state(model.fit_supervised(x, z, lengths=lengths, weights=TIMES))
    again = [part.repeat_interleave(TIMES, 0) for part in (x, z, lengths)]
    assert_same(weighted, state(model.fit_supervised(again[0], again[1], lengths=again[2])))


@pytest.mark.parametrize("kind", ["symbols", "full", "diagonal"])
def test_a_weight_of_zero_is_no_sequence(kind: str) -> None:
    model, x, lengths = sequences(kind)
    half = (torch.arange(60) < 30).double()
    weighted = state(model.fit(x, lengths=lengths, weights=half, generator=seeded()))
    model.fit(x[:30], lengths=lengths[:30], weights=half[:30], generator=seeded())
    assert_same(weighted, state(model))


def test_the_face_for_scikit_learn() -> None:
    x = torch.randn(60, 2, generator=seeded(), dtype=torch.float64).numpy()
    face = GaussianMixtureEstimator(2, random_state=0, tol=1e-12, max_iter=2000)
    face.fit(x, sample_weight=TIMES.numpy())
    again = GaussianMixtureEstimator(2, random_state=0, tol=1e-12, max_iter=2000)
    again.fit(x, sample_weight=2.5 * TIMES.numpy())
    np.testing.assert_allclose(face.means_, again.means_, rtol=1e-10)
    again.fit(np.repeat(x, TIMES, axis=0)[::-1])
    np.testing.assert_allclose(face.means_, again.means_, rtol=1e-8)
    one = GaussianMixtureEstimator(1).fit(x, sample_weight=TIMES.numpy())
    np.testing.assert_allclose(one.means_[0], np.average(x, axis=0, weights=TIMES), rtol=1e-10)
    covariance = np.cov(x.T, fweights=TIMES.numpy(), ddof=0)
    np.testing.assert_allclose(one.covariances_[0], covariance, rtol=1e-8)


def test_mistakes_are_named() -> None:
    x, bad = torch.randint(2, (60, 4)).double(), torch.full((60,), -1.0)
    model, steps, _ = sequences("symbols")
    fits = (
        lambda weights: GaussianMixture(4, components=2).fit(x, weights=weights),
        lambda weights: MixtureOf(Bernoullis(2, 4)).fit(x, weights=weights),
        lambda weights: model.fit(steps, weights=weights),
        lambda weights: model.refine(steps, weights=weights),
        lambda weights: model.fit_supervised(steps, steps % 3, weights=weights),
    )
    for fit in fits:
        with pytest.raises(ValueError, match="weights must be finite and at least 0, got -1"):
            fit(bad)
        with pytest.raises(ValueError, match=r"weights must have shape \[60\], got \[3\]"):
            fit(torch.ones(3))
        with pytest.raises(ValueError, match="weights must not all be 0"):
            fit(torch.zeros(60))
