"""Likelihood weighting and rejection against exact answers, and their errors against themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
from tests.networks.approximate.nets import assert_within, grid
from torch import Generator, Tensor, nn
from torch.distributions import Categorical, Normal

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import (
    BayesianNetwork,
    Deterministic,
    LinearGaussian,
    Node,
    StandardNormal,
    Table,
    query,
    read_bif,
    student_network,
)
from ancestral.networks.approximate import Estimate, likelihood_weighting, rejection

Method: TypeAlias = Callable[..., Estimate]
METHODS: list[Method] = [likelihood_weighting, rejection]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sparse", [False, True])
def test_posteriors_are_within_five_errors(
    method: Method, sparse: bool, generator: Generator
) -> None:
    network, given = grid(sparse=sparse), {"h": 1, "e": "0"}
    answer = method(network, list("abcdefgh"), given=given, draws=100_000, generator=generator)
    assert_within(network, answer, given)
    assert answer.probabilities["h"]["1"] == 1
    exact = query(network, ["a"], given=given).log_evidence
    figures = answer.diagnostics
    assert abs(figures["log_evidence"] - exact) < 5 * figures["log_evidence_error"]
    assert 100 < figures["effective_sample_size"] < 100_000


@pytest.mark.parametrize("method", METHODS)
def test_the_errors_are_the_spread_of_repeated_answers(
    method: Method, generator: Generator
) -> None:
    network, given = student_network(), {"x4": "0"}
    exact = query(network, ["x1"], given=given).probabilities["x1"]["1"]
    scores = []
    for _ in range(300):
        answer = method(network, ["x1"], given=given, draws=2000, generator=generator)
        error = answer.standard_errors["x1"]["1"]
        scores.append((answer.probabilities["x1"]["1"] - exact) / error)
    # 300 standard normal scores: mean 0 +- 0.058, spread 1 +- 0.041; four errors of each.
    assert np.mean(scores) == pytest.approx(0, abs=0.23)
    assert np.std(scores) == pytest.approx(1, abs=0.17)


def test_the_student_needs_more_than_ancestral_sampling(generator: Generator) -> None:
    network, given, n = student_network(), {"x2": "1"}, 1_000_000
    alone = network.sample(n, generator=generator)["x3"].double().mean().item()
    exact, error = 546 / 695, (0.25 / n) ** 0.5
    assert abs(alone - exact) > 20 * error  # 0.75, the prior.
    for method in METHODS:
        answer = method(network, ["x3"], given=given, draws=n, generator=generator)
        assert abs(answer.probabilities["x3"]["1"] - exact) < 4 * answer.standard_errors["x3"]["1"]
    assert rejection(network, ["x3"], given=given, draws=n).diagnostics[
        "effective_sample_size"
    ] == pytest.approx(0.695 * n, abs=5 * (n * 0.695 * 0.305) ** 0.5)


def test_no_evidence_is_plain_sampling() -> None:
    answer = likelihood_weighting(grid(), ["h"], draws=1000)
    assert answer.diagnostics["effective_sample_size"] == pytest.approx(1000)
    assert answer.diagnostics["log_evidence"] == pytest.approx(0, abs=1e-12)
    p = answer.probabilities["h"]["0"]
    assert answer.standard_errors["h"]["0"] == pytest.approx((p * (1 - p) / 1000) ** 0.5)


def test_a_state_that_never_came_has_an_error() -> None:
    network = BayesianNetwork([Node("rare", Table([1 - 1e-7, 1e-7]))])
    answer = likelihood_weighting(network, ["rare"], draws=100)
    assert answer.probabilities["rare"]["1"] == 0
    assert 1e-3 < answer.standard_errors["rare"]["1"] < 1e-2


@pytest.mark.usefixtures("float64")
def test_a_gaussian_posterior_mean(generator: Generator) -> None:
    network = BayesianNetwork(
        [
            Node("z", StandardNormal((2,)), event_shape=(2,)),
            Node("x", Deterministic(lambda z: z @ torch.tensor([1.0, 2.0])), parents=("z",)),
            Node("y", LinearGaussian([1.0], scale=0.5), parents=("x",)),
        ]
    )
    answer = likelihood_weighting(
        network, ["z", "x"], given={"y": 1.5}, draws=60_000, generator=generator
    )
    # y = z1 + 2 z2 + 0.5 noise: E[z | y] = (1, 2) y / (5 + 0.25).
    exact = torch.tensor([1.0, 2.0]) * 1.5 / 5.25
    off = (answer.means["z"] - exact).abs() / answer.mean_errors["z"]
    assert (off < 5).all()
    assert answer.means["x"].shape == ()
    assert abs(answer.means["x"] - 7.5 / 5.25) < 5 * answer.mean_errors["x"]
    assert answer.mean_errors["z"].max() < 0.02
    evidence = Normal(0, 5.25**0.5).log_prob(torch.tensor(1.5)).item()
    figures = answer.diagnostics
    assert abs(figures["log_evidence"] - evidence) < 5 * figures["log_evidence_error"]


class Logistic(nn.Module):
    """A neural conditional: the class of a number, softmax of a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 3)

    def forward(self, x: Tensor, shift: Tensor) -> Categorical:
        return Categorical(logits=self.layer((x + shift)[:, None]))


@pytest.mark.parametrize("method", METHODS)
def test_neural_and_hybrid_nodes_with_an_input(method: Method, generator: Generator) -> None:
    network = BayesianNetwork(
        [
            Node("u", Table([0.3, 0.7], states=["low", "high"])),
            Node("x", LinearGaussian([2.0]), parents=("u",)),
            Node("c", Logistic(), parents=("x", "shift")),
            Node("barren", LinearGaussian([1.0]), parents=("c",)),
        ]
    )
    given = {"c": 2, "shift": 0.5}
    answer = method(network, ["u", "x", "c"], given=given, draws=50_000, generator=generator)
    # The posterior by a fine grid over x.
    x = torch.linspace(-8, 10, 20_001)
    network = network.requires_grad_(False)
    p_c = network.nodes["c"].conditional(x, torch.tensor(0.5)).probs[:, 2]
    mass = torch.stack([p * Normal(m, 1).log_prob(x).exp() * p_c for p, m in ((0.3, 0), (0.7, 2))])
    exact = (mass.sum(1) / mass.sum())[1].item()
    assert abs(answer.probabilities["u"]["high"] - exact) < 5 * answer.standard_errors["u"]["high"]
    mean = ((mass.sum(0) * x).sum() / mass.sum()).item()
    assert abs(answer.means["x"].item() - mean) < 5 * answer.mean_errors["x"].item()
    assert answer.probabilities["c"]["2"] == 1
    assert set(answer.probabilities) == {"u", "c"}


@pytest.mark.parametrize("method", METHODS)
def test_mistakes_are_named(method: Method) -> None:
    network = student_network()
    with pytest.raises(InferenceError, match="no node 'x9'"):
        method(network, ["x9"])
    with pytest.raises(InferenceError, match="no node 'x9'"):
        method(network, ["x1"], given={"x9": 0})
    with pytest.raises(InferenceError, match="no node 'x91'"):
        method(network, "x91")  # One name, not three.
    with pytest.raises(InferenceError, match="'x1' has no state 'maybe'"):
        method(network, ["x2"], given={"x1": "maybe"})
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        method(network, ["x2"], draws=0)
    never = BayesianNetwork([Node("a", Table([1.0, 0.0]))])
    with pytest.raises(InferenceError, match="none of 50 draws agrees with the evidence"):
        method(never, ["a"], given={"a": 1}, draws=50)
    conditional = BayesianNetwork([Node("y", LinearGaussian([1.0]), parents=("x",))])
    with pytest.raises(ValueError, match=r"the inputs \['x'\] must be given"):
        method(conditional, ["y"])


def test_evidence_without_a_density_is_refused() -> None:
    network = BayesianNetwork(
        [Node("x", LinearGaussian()), Node("y", Deterministic(torch.exp), parents=("x",))]
    )
    with pytest.raises(CapabilityError, match="'y' is deterministic: it has no density"):
        likelihood_weighting(network, ["x"], given={"y": 1.0})
    for name in "xy":
        with pytest.raises(CapabilityError, match=f"discrete evidence, '{name}' is not"):
            rejection(network, ["x"], given={name: 1.0})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["munin1", "link"])
def test_networks_too_large_for_exact_answers(
    real_data: Path, name: str, generator: Generator
) -> None:
    network = read_bif(real_data / "bif" / f"{name}.bif.gz")
    drawn = network.sample(1, generator=generator)
    leaves = [node for node in network.nodes if not network.graph.children(node)]
    given = {node: network.states(node)[int(drawn[node])] for node in leaves[::6]}
    targets = [node for node in network.nodes if node not in given]
    first, second = (
        likelihood_weighting(network, targets, given=given, draws=200_000, generator=generator)
        for _ in range(2)
    )
    assert first.diagnostics["effective_sample_size"] > 1000
    scores = []
    for node, found in first.probabilities.items():
        assert sum(found.values()) == pytest.approx(1, abs=1e-9)
        for state, p in found.items():
            errors = [run.standard_errors[node][state] for run in (first, second)]
            assert 0 < max(errors) < 0.05
            scores.append(abs(p - second.probabilities[node][state]) / np.hypot(*errors))
    # About 2,000 scores: the largest of as many normal ones is below 5.
    assert max(scores) < 5
