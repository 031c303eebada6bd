"""The Gibbs kernel leaves the posterior alone, and its estimates are within their errors."""

import itertools

import numpy as np
import pytest
import torch
from tests.networks.approximate.nets import assert_within, grid
from torch import Generator

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import BayesianNetwork, LinearGaussian, Node, Table, joint, student_network
from ancestral.networks.approximate import GibbsSampler, gibbs


def kernel(network: BayesianNetwork, evidence: dict[str, int], name: str) -> np.ndarray:
    """Return the transition matrix of one node's update over all states that fit the evidence."""
    sampler = GibbsSampler(network, evidence)
    ranges = [
        [evidence[node]] if node in evidence else range(len(network.states(node)))
        for node in network.nodes
    ]
    states = list(itertools.product(*ranges))
    number = {state: index for index, state in enumerate(states)}
    rows = np.array(states).T
    probabilities = sampler.conditional(name, rows)
    matrix = np.zeros((len(states), len(states)))
    at = list(network.nodes).index(name)
    for index, state in enumerate(states):
        for value, p in enumerate(probabilities[index]):
            matrix[index, number[(*state[:at], value, *state[at + 1 :])]] = p
    return matrix


@pytest.mark.parametrize("merged", [1 << 14, 1])
@pytest.mark.parametrize("evidence", [{}, {"h": 1, "e": 0}])
def test_every_update_is_in_detailed_balance(
    evidence: dict[str, int], merged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ancestral.networks.approximate.gibbs_sampling.MERGED", merged)
    network = grid()
    hidden = [name for name in network.nodes if name not in evidence]
    posterior = joint(network, hidden, given=evidence).flatten().numpy()
    sweep = np.eye(len(posterior))
    for name in hidden:
        matrix = kernel(network, evidence, name)
        flow = posterior[:, None] * matrix
        np.testing.assert_allclose(flow, flow.T, atol=1e-12, rtol=0)
        sweep = sweep @ matrix
    np.testing.assert_allclose(posterior @ sweep, posterior, atol=1e-12, rtol=0)


@pytest.mark.parametrize("given", [{}, {"h": 1, "e": "0"}])
@pytest.mark.parametrize("merged", [1 << 14, 1])
def test_posteriors_are_within_five_errors(
    given: dict[str, int | str], merged: int, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ancestral.networks.approximate.gibbs_sampling.MERGED", merged)
    network = grid()
    answer = gibbs(network, list("abcdefgh"), given=given, draws=2000, generator=generator)
    assert_within(network, answer, given)
    assert answer.diagnostics["r_hat"] < 1.02
    assert answer.diagnostics["effective_sample_size"] > 500
    assert max(max(of.values()) for of in answer.standard_errors.values()) < 0.02


def test_the_errors_are_the_spread_of_repeated_answers(generator: Generator) -> None:
    network, given = student_network(), {"x4": "0"}
    exact = joint(network, ["x1"], given=given)[1].item()
    scores = []
    for _ in range(150):
        answer = gibbs(
            network, ["x1"], given=given, draws=200, chains=4, warmup=20, generator=generator
        )
        error = answer.standard_errors["x1"]["1"]
        scores.append((answer.probabilities["x1"]["1"] - exact) / error)
    # Scores with errors estimated from a few hundred draws: mean 0 +- 0.08, spread 1 +- 0.06.
    assert np.mean(scores) == pytest.approx(0, abs=0.4)
    assert np.std(scores) == pytest.approx(1, abs=0.25)


def test_chains_that_cannot_meet_are_reported(generator: Generator) -> None:
    copy = Table([[1.0, 0.0], [0.0, 1.0]])
    network = BayesianNetwork([Node("a", Table([0.5, 0.5])), Node("b", copy, parents=("a",))])
    # b is its parent's copy: no single node can ever change.
    answer = gibbs(network, ["a", "b"], chains=16, generator=generator)
    assert answer.diagnostics["r_hat"] == float("inf")
    assert answer.diagnostics["effective_sample_size"] < 50


def test_a_target_that_stands_still_is_not_certain(generator: Generator) -> None:
    # Given the copies a and b, c is a coin with a's bias; chains cannot change a, so c's
    # probability stands still in each, and in all if all began alike.
    copy = Table([[1.0, 0.0], [0.0, 1.0]])
    network = BayesianNetwork(
        [
            Node("a", Table([0.999, 0.001])),
            Node("b", copy, parents=("a",)),
            Node("c", Table([[0.5, 0.5], [0.1, 0.9]]), parents=("b",)),
        ]
    )
    answer = gibbs(network, ["c"], draws=1000, chains=4, generator=generator)
    assert answer.probabilities["c"]["1"] == pytest.approx(0.5, abs=1e-12)
    # 0.5 is off by 0.0004; the error is that of 4000 coins.
    assert answer.standard_errors["c"]["1"] == pytest.approx((0.25 / 4000) ** 0.5, rel=0.3)


def test_the_first_states_agree_with_the_evidence(generator: Generator) -> None:
    network = grid(sparse=True)
    states = GibbsSampler(network, {"h": 1, "d": 0}).start(50, generator)
    values = {name: torch.from_numpy(states[row]) for row, name in enumerate(network.nodes)}
    assert network.log_prob(values).isfinite().all()
    assert (values["h"] == 1).all()


def test_the_generator_decides() -> None:
    one, two, other = (
        gibbs(grid(), ["h"], draws=10, generator=Generator().manual_seed(seed)).probabilities
        for seed in (1, 1, 2)
    )
    assert one == two != other


def test_mistakes_are_named() -> None:
    network = student_network()
    with pytest.raises(ValueError, match="draws must be at least 4 and warmup 0, got 3 and 200"):
        gibbs(network, ["x1"], draws=3)
    with pytest.raises(ValueError, match="chains must be at least 1, got 0"):
        gibbs(network, ["x1"], chains=0)
    with pytest.raises(InferenceError, match="no node 'x9'"):
        gibbs(network, ["x9"])
    never = BayesianNetwork([Node("a", Table([1.0, 0.0]))])
    with pytest.raises(InferenceError, match="none of 800 draws agrees with the evidence"):
        gibbs(never, ["a"], given={"a": 1})
    with pytest.raises(CapabilityError, match="probability tables only"):
        gibbs(BayesianNetwork([Node("x", LinearGaussian())]), ["x"])
    answer = gibbs(network, ["x1"], given={"x1": 1})
    assert answer.probabilities["x1"] == {"0": 0.0, "1": 1.0}
    assert answer.standard_errors["x1"] == {"0": 0.0, "1": 0.0}
