import itertools
import math

import numpy as np
import pytest
import torch
from hmmlearn.hmm import CategoricalHMM, GaussianHMM
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ancestral.classic import (
    HMM,
    CategoricalEmissions,
    DiagonalGaussianEmissions,
    GaussianEmissions,
)
from ancestral.classic.chains.recursions import Chain, log_expectation, scaled_expectation
from ancestral.classic.chains.sequences import ends_masked, tiles
from ancestral.errors import DataError, InferenceError
from ancestral.networks import query


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(*shape: int, seed: int) -> Tensor:
    noise = torch.rand(*shape, dtype=torch.float64, generator=seeded(seed)).log().neg()
    return noise / noise.sum(-1, keepdim=True)


def categorical(states: int, symbols: int, *, seed: int = 0, **settings: float) -> HMM:
    model = HMM(CategoricalEmissions(states, symbols=symbols), **settings)
    model.initial.copy_(rows(states, seed=seed))
    model.transition.copy_(rows(states, states, seed=seed + 1))
    model.emissions.probabilities.copy_(rows(states, symbols, seed=seed + 2))
    return model


def gaussian(kind: type, states: int, features: int, *, seed: int = 0) -> HMM:
    model = HMM(kind(states, features=features))
    model.initial.copy_(rows(states, seed=seed))
    model.transition.copy_(rows(states, states, seed=seed + 1))
    normal = torch.randn(states, features, features, dtype=torch.float64, generator=seeded(seed))
    model.emissions.means.copy_(2 * normal[:, 0])
    if kind is GaussianEmissions:
        model.emissions.covariances.copy_(normal @ normal.mT + 0.3 * torch.eye(features))
    else:
        model.emissions.variances.copy_(normal[:, 0].square() + 0.2)
    return model


def enumerated(model: HMM, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return every path [P, T] and its log p(z, x), asked of the network."""
    length = x.shape[1]
    paths = torch.tensor(list(itertools.product(range(model.states), repeat=length)))
    network = model.network(length)
    values = {f"z{t + 1}": paths[:, t] for t in range(length)}
    values |= {f"x{t + 1}": x[0, t].expand(len(paths), *x.shape[2:]) for t in range(length)}
    return paths, network.log_prob(values)


MODELS = {
    "categorical": lambda seed: categorical(3, 4, seed=seed),
    "full": lambda seed: gaussian(GaussianEmissions, 3, 2, seed=seed),
    "diagonal": lambda seed: gaussian(DiagonalGaussianEmissions, 3, 2, seed=seed),
}
every_kind = pytest.mark.parametrize("kind", MODELS)


@every_kind
@pytest.mark.parametrize("length", range(1, 7))
def test_all_answers_equal_enumeration_of_the_network(kind: str, length: int) -> None:
    model = MODELS[kind](length)
    x = model.sample(1, length=length, generator=seeded(1))
    paths, scores = enumerated(model, x)
    assert model.log_prob(x).item() == pytest.approx(scores.logsumexp(0).item(), abs=1e-12)
    assert torch.equal(model.most_likely_states(x)[0], paths[scores.argmax()])
    posterior = scores.softmax(0)
    exact = torch.stack([posterior @ (paths == k).double() for k in range(3)], dim=1)
    torch.testing.assert_close(model.smooth(x)[0], exact, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.filter(x)[0, -1], exact[-1], rtol=0, atol=1e-12)


def test_answers_equal_generic_elimination() -> None:
    model = categorical(3, 4)
    x = model.sample(1, length=5, generator=seeded(1))
    network = model.network(5)
    evidence = {f"x{t + 1}": int(symbol) for t, symbol in enumerate(x[0])}
    generic = query(network, [f"z{t + 1}" for t in range(5)], given=evidence)
    assert model.log_prob(x).item() == pytest.approx(generic.log_evidence, abs=1e-12)
    exact = [list(generic.probabilities[f"z{t + 1}"].values()) for t in range(5)]
    exact = torch.tensor(exact, dtype=torch.float64)
    torch.testing.assert_close(model.smooth(x)[0], exact, rtol=0, atol=1e-12)
    for t in range(5):  # The filter knows only what came before.
        early = {name: evidence[name] for name in list(evidence)[: t + 1]}
        answer = query(network, [f"z{t + 1}"], given=early).probabilities[f"z{t + 1}"]
        assert model.filter(x)[0, t].tolist() == pytest.approx(list(answer.values()), abs=1e-12)


def test_probabilities_of_all_sequences_sum_to_one() -> None:
    model = categorical(2, 3)
    x = torch.cartesian_prod(*4 * [torch.arange(3)])
    assert model.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-12)


@every_kind
def test_a_missing_observation_is_summed_out(kind: str) -> None:
    model = MODELS[kind](0)
    x = model.sample(4, length=6, generator=seeded(2))
    gaps = x.clone()
    gaps[:, 2:4] = -1 if kind == "categorical" else math.nan
    # The chain goes two steps without looking.
    alpha = model.filter(gaps)
    torch.testing.assert_close(alpha[:, 3], alpha[:, 1] @ model.transition @ model.transition)
    if kind == "categorical":
        filled = [
            torch.cat((x[:, :2], torch.tensor([[a, b]]).expand(4, 2), x[:, 4:]), dim=1)
            for a, b in itertools.product(range(4), repeat=2)
        ]
        total = torch.stack([model.log_prob(each) for each in filled]).logsumexp(0)
        torch.testing.assert_close(model.log_prob(gaps), total, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["full", "diagonal"])
def test_missing_entries_have_the_marginal_density(kind: str) -> None:
    model = MODELS[kind](0)
    x = model.sample(1, length=1, generator=seeded(2))
    x[0, 0, 1] = math.nan
    if kind == "full":
        variances = model.emissions.covariances[:, 0, 0]
    else:
        variances = model.emissions.variances[:, 0]
    marginal = torch.distributions.Normal(model.emissions.means[:, 0], variances.sqrt())
    exact = (model.initial.log() + marginal.log_prob(x[0, 0, 0])).logsumexp(0)
    assert model.log_prob(x).item() == pytest.approx(exact.item(), abs=1e-12)


@every_kind
def test_a_ragged_batch_equals_its_sequences_one_by_one(kind: str) -> None:
    model = MODELS[kind](0)
    x = model.sample(30, length=40, generator=seeded(3))
    lengths = torch.randint(1, 41, (30,), generator=seeded(4))
    lengths[:2] = torch.tensor([1, 40])
    junk = x.clone()
    if kind == "categorical":
        junk[torch.arange(40) >= lengths[:, None]] = -1
    asked = model.log_prob(junk, lengths=lengths), model.smooth(x, lengths=lengths)
    paths = model.most_likely_states(x, lengths=lengths)
    filtered = model.filter(x, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = x[row : row + 1, :length]
        assert asked[0][row].item() == pytest.approx(model.log_prob(alone).item(), abs=1e-11)
        torch.testing.assert_close(asked[1][row, :length], model.smooth(alone)[0])
        torch.testing.assert_close(filtered[row, :length], model.filter(alone)[0])
        assert torch.equal(paths[row, :length], model.most_likely_states(alone)[0])
        assert (paths[row, length:] == -1).all()
        assert (asked[1][row, length:] == 0).all()


@every_kind
def test_em_does_not_read_what_stands_after_the_end(kind: str) -> None:
    x = MODELS[kind](0).sample(6, length=12, generator=seeded(3))
    lengths = torch.tensor([12, 12, 12, 5, 1, 5])
    whole, parts = MODELS[kind](9), MODELS[kind](9)
    whole.iterations = parts.iterations = 1
    whole.refine(x, lengths=lengths)
    longer = torch.cat((x, x.flip(1)), dim=1)
    parts.refine(longer, lengths=lengths)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=1e-12)


@every_kind
def test_a_sweep_of_em_is_the_expected_counts_of_enumeration(kind: str) -> None:
    model = MODELS[kind](0)
    x = MODELS[kind](5).sample(4, length=5, generator=seeded(3))
    lengths = torch.tensor([3, 5, 1, 4])
    pairs, first = torch.zeros(3, 3).double(), torch.zeros(3).double()
    states = torch.zeros(4, 5, 3).double()
    for row, length in enumerate(lengths.tolist()):
        paths, scores = enumerated(model, x[row : row + 1, :length])
        weights = scores.softmax(0)
        hot = torch.nn.functional.one_hot(paths, 3).double()
        first += weights @ hot[:, 0]
        pairs += torch.einsum("p,pti,ptj->ij", weights, hot[:, :-1], hot[:, 1:])
        states[row, :length] = torch.einsum("p,ptk->tk", weights, hot)
    model.iterations = 1
    model.refine(x, lengths=lengths)
    torch.testing.assert_close(model.initial, first / 4, rtol=0, atol=1e-12)
    exact = pairs / pairs.sum(1, keepdim=True)
    torch.testing.assert_close(model.transition, exact, rtol=0, atol=1e-12)
    total = states.sum((0, 1))
    if kind == "categorical":
        shown = torch.nn.functional.one_hot(x, 4).double()
        exact = torch.einsum("ntk,nts->ks", states, shown) / total[:, None]
        torch.testing.assert_close(model.emissions.probabilities, exact, rtol=0, atol=1e-12)
    else:
        exact = torch.einsum("ntk,ntd->kd", states, x) / total[:, None]
        torch.testing.assert_close(model.emissions.means, exact, rtol=0, atol=1e-11)


def test_log_space_gives_the_same_expectation() -> None:
    model = categorical(3, 4)
    x = model.sample(7, length=12, generator=seeded(1))
    lengths = torch.tensor([12, 11, 9, 9, 8, 7, 7])
    values = ends_masked(x.numpy(), lengths.numpy())
    (tile,) = tiles(values, lengths.numpy(), states=3)
    chain = Chain(model.initial.numpy(), model.transition.numpy())
    likelihood, _ = model.emissions.likelihood(tile.x)
    scaled = scaled_expectation(chain, likelihood, tile.active)
    logs = log_expectation(chain, model.emissions.log_likelihood(tile.x), tile.active)
    assert scaled is not None
    for one, other in (
        (scaled.log_prob, logs.log_prob),
        (scaled.states, logs.states),
        (scaled.pairs, logs.pairs),
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@every_kind
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), length=st.integers(1, 12), states=st.integers(1, 5))
def test_em_never_goes_down(kind: str, seed: int, length: int, states: int) -> None:
    x = MODELS[kind](seed).sample(20, length=length, generator=seeded(seed))
    emissions = {
        "categorical": lambda: CategoricalEmissions(states, symbols=4),
        "full": lambda: GaussianEmissions(states, features=2),
        "diagonal": lambda: DiagonalGaussianEmissions(states, features=2),
    }[kind]()
    model = HMM(emissions, tolerance=0.0, iterations=40)
    model.fit(x, generator=seeded(seed))
    rises = torch.tensor(model.history).diff()
    assert bool((rises > -1e-10).all()), rises.min()
    torch.testing.assert_close(model.transition.sum(1), torch.ones(states).double())


def test_baum_welch_equals_hmmlearn() -> None:
    model = categorical(4, 6, seed=5, tolerance=-math.inf, iterations=10)
    x = categorical(4, 6, seed=50).sample(30, length=25, generator=seeded(1))
    peer = CategoricalHMM(4, n_iter=10, tol=-np.inf, init_params="", n_features=6)
    peer.startprob_, peer.transmat_ = model.initial.numpy().copy(), model.transition.numpy().copy()
    peer.emissionprob_ = model.emissions.probabilities.numpy().copy()
    flat = x.reshape(-1, 1).numpy()
    peer.fit(flat, [25] * 30)
    model.refine(x)
    # Only the order of sums differs: 10 sweeps of sums over 750 steps.
    np.testing.assert_allclose(model.transition, peer.transmat_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        model.emissions.probabilities, peer.emissionprob_, rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(model.initial, peer.startprob_, rtol=0, atol=1e-10)
    score, path = peer.decode(flat, [25] * 30)
    assert model.log_prob(x).sum().item() == pytest.approx(peer.score(flat, [25] * 30), abs=1e-8)
    # Paths of the same steps in another order tie but for rounding: their scores are compared.
    z = model.most_likely_states(x)
    assert joint_score(model, z, x) == pytest.approx(score, abs=1e-9)
    assert (z.numpy().ravel() == path).mean() > 0.98


def joint_score(model: HMM, z: Tensor, x: Tensor) -> float:
    steps = model.transition[z[:, :-1], z[:, 1:]].log().sum()
    shown = model.emissions.probabilities[z, x].log().sum()
    return (model.initial[z[:, 0]].log().sum() + steps + shown).item()


@pytest.mark.parametrize(("kind", "theirs"), [("full", "full"), ("diagonal", "diag")])
def test_gaussian_densities_equal_hmmlearn(kind: str, theirs: str) -> None:
    model = MODELS[kind](3)
    x = model.sample(5, length=20, generator=seeded(1))
    peer = GaussianHMM(3, covariance_type=theirs)
    peer.startprob_, peer.transmat_ = model.initial.numpy(), model.transition.numpy()
    peer.means_ = model.emissions.means.numpy()
    peer.n_features = 2
    own = model.emissions
    peer.covars_ = (own.covariances if kind == "full" else own.variances).numpy()
    score = peer.score(x.reshape(-1, 2).numpy(), [20] * 5)
    assert model.log_prob(x).sum().item() == pytest.approx(score, abs=1e-8)


def test_fit_recovers_the_source() -> None:
    source = HMM(GaussianEmissions(2, features=1))
    source.transition.copy_(torch.tensor([[0.9, 0.1], [0.3, 0.7]]))
    source.emissions.means.copy_(torch.tensor([[-2.0], [2.0]]))
    x = source.sample(100, length=100, generator=seeded(1))
    model = HMM(GaussianEmissions(2, features=1), restarts=2).fit(x, generator=seeded(2))
    order = model.emissions.means[:, 0].argsort()
    # 10,000 steps: standard errors below 0.01 for rows of 2,500, 0.02 for means.
    torch.testing.assert_close(
        model.transition[order][:, order], source.transition, rtol=0, atol=0.05
    )
    torch.testing.assert_close(
        model.emissions.means[order], source.emissions.means, rtol=0, atol=0.1
    )


@every_kind
def test_restarts_keep_the_most_likely(kind: str) -> None:
    x = MODELS[kind](0).sample(30, length=20, generator=seeded(1))
    build = MODELS[kind]
    one, many = build(1), build(1)
    one.iterations = many.iterations = 15
    many.restarts = 5
    one.fit(x, generator=seeded(3))
    many.fit(x, generator=seeded(3))
    assert many.history[-1] >= one.history[-1]
    again = build(7)
    again.iterations, again.restarts = 15, 5
    again.fit(x[:5]).fit(x, generator=seeded(3))  # A second fit starts over.
    for name, value in many.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_supervised_fit_is_counting() -> None:
    x = torch.tensor([[0, 1, 1, 2], [2, 2, 0, -1]])
    z = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 9]])
    model = HMM(CategoricalEmissions(3, symbols=3))
    model.fit_supervised(x, z, lengths=torch.tensor([4, 3]), alpha=0.0)
    third = 1 / 3
    assert model.initial.tolist() == [0.5, 0.5, 0]
    assert model.transition.tolist() == [[0.5, 0.5, 0], [third, 2 * third, 0], [third] * 3]
    expected = [[2 * third, third, 0], [0, 0.25, 0.75], [third] * 3]
    torch.testing.assert_close(model.emissions.probabilities, torch.tensor(expected).double())
    model.fit_supervised(x, z, lengths=torch.tensor([4, 3]), alpha=1.0)
    assert model.initial.tolist() == pytest.approx([0.4, 0.4, 0.2])
    assert model.transition[2].tolist() == pytest.approx([third] * 3)


@pytest.mark.parametrize("kind", [GaussianEmissions, DiagonalGaussianEmissions])
def test_supervised_fit_of_gaussians_is_their_moments(kind: type) -> None:
    source = gaussian(kind, 2, 2)
    z, x = source.sample_with_states(50, length=20, generator=seeded(1))
    x = x + 1e6  # Moments about zero would lose ten digits.
    model = HMM(kind(2, features=2)).fit_supervised(x, z)
    for k in range(2):
        own = x[z == k]
        torch.testing.assert_close(model.emissions.means[k], own.mean(0), rtol=1e-12, atol=0)
        exact = torch.cov(own.T, correction=0)
        found = (
            model.emissions.covariances[k]
            if kind is GaussianEmissions
            else model.emissions.variances[k].diag()
        )
        if kind is DiagonalGaussianEmissions:
            exact = exact.diag().diag()
        torch.testing.assert_close(found, exact, rtol=1e-7, atol=1e-8)


@every_kind
def test_draws_have_the_frequencies_of_the_model(kind: str) -> None:
    model = MODELS[kind](0)
    z, x = model.sample_with_states(20_000, length=3, generator=seeded(1))
    first = torch.bincount(z[:, 0], minlength=3) / 20_000
    torch.testing.assert_close(first.double(), model.initial, rtol=0, atol=0.02)
    third = torch.bincount(z[:, 2], minlength=3) / 20_000
    exact = model.initial @ model.transition @ model.transition
    torch.testing.assert_close(third.double(), exact, rtol=0, atol=0.02)
    if kind == "categorical":
        shown = torch.bincount(x[:, 1], minlength=4) / 20_000
        exact = model.initial @ model.transition @ model.emissions.probabilities
        torch.testing.assert_close(shown.double(), exact, rtol=0, atol=0.02)


def test_a_hundred_thousand_steps() -> None:
    model = categorical(3, 4)
    x = model.sample(1, length=100_000, generator=seeded(1))
    halves = model.log_prob(x.reshape(10, 10_000)).sum()  # Nearly: 9 seams of the chain.
    assert abs(model.log_prob(x).item() - halves.item()) < 9 * 5
    assert model.smooth(x).sum(2).sub(1).abs().max() < 1e-9
    assert model.most_likely_states(x).min() >= 0


def test_log_space_where_the_scaled_recursions_lose_a_state() -> None:
    """State 1 is written off by the first observation and vindicated by all later ones."""
    model = HMM(DiagonalGaussianEmissions(2, features=1))
    model.transition.copy_(torch.eye(2))
    model.emissions.means.copy_(torch.tensor([[0.0], [60.0]]))
    x = torch.full((1, 1001, 1), 31.0, dtype=torch.float64)
    x[0, 0] = 0.0  # Costs state 1 a factor exp(-1800), and each of 1000 steps gives exp(60).
    normal = torch.distributions.Normal(model.emissions.means[:, 0], 1.0)
    exact = (normal.log_prob(x[0]).sum(0) + math.log(0.5)).logsumexp(0).item()
    assert model.log_prob(x).item() == pytest.approx(exact, rel=1e-12)
    assert model.smooth(x)[0, 0].tolist() == pytest.approx([0, 1])
    assert model.filter(x)[0, [0, -1]].argmax(1).tolist() == [0, 1]
    assert (model.most_likely_states(x) == 1).all()


def test_impossible_sequences() -> None:
    model = HMM(CategoricalEmissions(2, symbols=2))
    model.emissions.probabilities.copy_(torch.eye(2))
    model.transition.copy_(torch.eye(2))
    x = torch.tensor([[0, 0], [0, 1]])
    assert model.log_prob(x).tolist() == [math.log(0.5), -math.inf]
    for ask in (model.smooth, model.filter, model.most_likely_states, model.refine):
        with pytest.raises(InferenceError, match="row 1 has probability 0"):
            ask(x)


def test_saving_and_repr() -> None:
    model = gaussian(GaussianEmissions, 3, 2)
    x = model.sample(3, length=4)
    other = HMM(GaussianEmissions(3, features=2))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.log_prob(x), model.log_prob(x))
    assert "states=3" in repr(model)
    assert model.graph["p"].parents("z2") == ("z1",)
    assert model.graph["p"].as_mapping == model.network(3).graph.as_mapping


def test_mistakes_are_named() -> None:
    model = categorical(2, 3)
    whole = torch.zeros(2, 4, dtype=torch.int64)
    with pytest.raises(DataError, match="x must hold states -1 to 2, got 3"):
        model.log_prob(whole + 3)
    with pytest.raises(ValueError, match=r"x must have shape \[N, T\], got \[4\]"):
        model.log_prob(whole[0])
    with pytest.raises(DataError, match="lengths must be in 1 to 4, got 5"):
        model.log_prob(whole, lengths=torch.tensor([4, 5]))
    with pytest.raises(ValueError, match=r"lengths must have shape \[2\]"):
        model.log_prob(whole, lengths=torch.tensor([4]))
    with pytest.raises(DataError, match="at least 1 observation"):
        model.fit(whole - 1)
    with pytest.raises(DataError, match="z must hold states 0 to 1, got 2"):
        model.fit_supervised(whole, whole + 2)
    with pytest.raises(ValueError, match="alpha must be at least 0, got -1"):
        model.fit_supervised(whole, whole, alpha=-1)
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        model.sample(1, length=0)
    with pytest.raises(ValueError, match="restarts must be at least 1, got 0"):
        HMM(CategoricalEmissions(2, symbols=2), restarts=0)
    full = gaussian(GaussianEmissions, 2, 2)
    gaps = full.sample(2, length=5)
    gaps[0, 0, 0] = math.nan
    with pytest.raises(DataError, match="take DiagonalGaussianEmissions"):
        full.fit(gaps)
    with pytest.raises(DataError, match="2 states needs as many whole observations, got 1"):
        full.fit(full.sample(1, length=1))
