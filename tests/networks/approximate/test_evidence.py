"""Soft evidence and interventions of the estimates, against exact answers."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from tests.networks.approximate.nets import grid
from torch import Generator

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import BayesianNetwork, Inference, LinearGaussian, Node, student_network
from ancestral.networks.approximate import (
    Estimate,
    gibbs,
    likelihood_weighting,
    loopy_belief_propagation,
    plain_evidence,
    rejection,
)

WORDS = {"given": {"h": 1}, "likelihood": {"c": [1.0, 6.0], "f": [0.2, 0.5, 0.1]}, "do": {"e": "1"}}


def test_the_network_means_the_same() -> None:
    """Exact inference in the changed network equals exact inference in the plain one."""
    network = grid()
    what = plain_evidence(network, **WORDS)
    ours = Inference(what.network).query(list(network.nodes), given=what.given)
    exact = Inference(network).query(**WORDS)
    for name, states in exact.probabilities.items():
        assert ours.probabilities[name] == pytest.approx(dict(states), abs=1e-12)
    total = ours.log_evidence + what.log_scale
    assert total == pytest.approx(exact.log_evidence, abs=1e-12)


@pytest.mark.parametrize(
    "method",
    [
        partial(likelihood_weighting, draws=50_000),
        partial(rejection, draws=200_000),
        partial(gibbs, draws=2000),
    ],
)
def test_estimates_are_within_five_errors(
    method: Callable[..., Estimate], generator: Generator
) -> None:
    network = grid()
    what, exact = plain_evidence(network, **WORDS), Inference(network).query(**WORDS)
    answer = method(what.network, list(network.nodes), given=what.given, generator=generator)
    assert answer.standard_errors is not None
    for name, states in exact.probabilities.items():
        for state, p in states.items():
            error = answer.standard_errors[name][state]
            assert abs(answer.probabilities[name][state] - p) <= 5 * error + 1e-12
    if found := answer.diagnostics.get("log_evidence"):
        error = 5 * answer.diagnostics["log_evidence_error"]
        assert found + what.log_scale == pytest.approx(exact.log_evidence, abs=error)


def test_beliefs_of_a_network_without_loops_are_exact() -> None:
    words = {"given": {"x4": 1}, "likelihood": {"x1": [3, 1]}, "do": {"x2": 0}}
    what = plain_evidence(student_network(), **words)
    answer = loopy_belief_propagation(what.network, ["x1", "x2", "x3"], given=what.given)
    exact = Inference(student_network()).query(["x1", "x2", "x3"], **words)
    for name, states in exact.probabilities.items():
        assert answer.probabilities[name] == pytest.approx(dict(states), abs=1e-9)


def test_names_that_are_taken_and_states_of_other_nodes() -> None:
    nodes = [*student_network().nodes.values()]
    taken = Node("the likelihood of x1", LinearGaussian())
    what = plain_evidence(BayesianNetwork([*nodes, taken]), likelihood={"x1": [0, 2]})
    assert what.given == {"the likelihood of x1'": "seen"}
    assert what.log_scale == pytest.approx(math.log(2))
    torch.testing.assert_close(
        what.network.table("the likelihood of x1'").probabilities,
        torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double(),
    )


def test_what_cannot_be_is_named() -> None:
    network = student_network()
    with pytest.raises(InferenceError, match="'x1' cannot be both given and set by do"):
        plain_evidence(network, given={"x1": 0}, do={"x1": 1})
    with pytest.raises(InferenceError, match="no node 'x9'"):
        plain_evidence(network, do={"x9": 1})
    with pytest.raises(InferenceError, match="'x1' has no state 'maybe'"):
        plain_evidence(network, do={"x1": "maybe"})
    with pytest.raises(InferenceError, match="the likelihood of 'x1' must be 2 finite numbers"):
        plain_evidence(network, likelihood={"x1": [1, 2, 3]})
    with pytest.raises(CapabilityError, match="'a' is not a probability table"):
        plain_evidence(BayesianNetwork([Node("a", LinearGaussian())]), do={"a": 1})
