import itertools

import numpy as np
import pytest
import torch
from torch import Generator

from ancestral.errors import DataError
from ancestral.networks import BayesianNetwork, Node, Table, student_network
from ancestral.networks.learning import Structure, fit_em, fit_tables, log_likelihood


def student_rows(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rows = student_network().sample(n, generator=Generator().manual_seed(seed))
    return {name: value.numpy() for name, value in rows.items()}


def with_gaps(rows: dict[str, np.ndarray], share: float, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: np.where(rng.random(len(v)) < share, -1, v) for n, v in rows.items()}


def log_likelihood_by_enumeration(network: BayesianNetwork, rows: dict[str, np.ndarray]) -> float:
    """Sum the joint density over every completion of every row."""
    names = list(network.nodes)
    states = [range(len(network.states(name))) for name in names]
    cells = torch.tensor(list(itertools.product(*states)))
    p = network.log_prob(dict(zip(names, cells.T, strict=True))).exp().numpy()
    n = len(next(iter(rows.values())))
    known = np.stack([rows.get(name, np.full(n, -1)) for name in names], axis=1)
    fits = ((known[:, None] == cells.numpy()) | (known[:, None] == -1)).all(-1)
    return float(np.log(fits @ p).sum())


def naive_bayes() -> BayesianNetwork:
    """A hidden class of two and four sensors that tell it well."""
    sensor = Table([[0.9, 0.1], [0.15, 0.85]])
    hidden = Node("z", Table([0.35, 0.65]))
    return BayesianNetwork([hidden, *(Node(f"y{i}", sensor, ("z",)) for i in range(4))])


@pytest.mark.parametrize("pseudo_count", [0.0, 0.5])
@pytest.mark.parametrize("latent", [(), ("x1",), ("x2", "x3")])
def test_what_rises_never_falls(latent: tuple[str, ...], pseudo_count: float) -> None:
    """ML-11."""
    rows = with_gaps(student_rows(300), 0.2)
    rows = {name: value for name, value in rows.items() if name not in latent}
    found = fit_em(
        student_network(),
        rows,
        iterations=60,
        pseudo_count=pseudo_count,
        generator=Generator().manual_seed(0),
    )
    assert len(found.history) > 2
    steps = np.diff(found.history)
    assert steps.min() >= -1e-10 * abs(found.history[-1])


def test_the_log_likelihood_is_that_of_the_data() -> None:
    rows = with_gaps(student_rows(200), 0.3)
    found = fit_em(student_network(), rows, generator=Generator().manual_seed(0))
    expected = log_likelihood_by_enumeration(found.network, rows)
    assert found.log_likelihood == pytest.approx(expected, rel=1e-12)


def test_without_gaps_it_counts() -> None:
    rows = student_rows(500)
    found, counted = fit_em(student_network(), rows), fit_tables(student_network(), rows)
    assert found.converged
    assert found.log_likelihood == pytest.approx(log_likelihood(counted, rows), rel=1e-12)
    for name in counted.nodes:
        torch.testing.assert_close(
            found.network.table(name).probabilities, counted.table(name).probabilities
        )


def test_the_end_is_a_stationary_point_of_the_likelihood() -> None:
    """Gradient ascent finds nothing to gain there: the derivative in every logit is zero."""
    rows = with_gaps(student_rows(400), 0.2)
    found = fit_em(
        student_network(),
        rows,
        tolerance=1e-14,
        iterations=5000,
        generator=Generator().manual_seed(0),
    )
    base = {n: found.network.table(n).probabilities.numpy() for n in found.network.nodes}
    structure = Structure.of(found.network)
    rng = np.random.default_rng(0)
    for name, table in base.items():
        direction = rng.standard_normal(table.shape)
        values = []
        for step in (-1e-4, 1e-4):
            moved = table * np.exp(step * direction)
            moved /= moved.sum(-1, keepdims=True)
            network = structure.network({**base, name: moved})
            values.append(log_likelihood_by_enumeration(network, rows))
        # The curvature is of the order of the 400 rows.
        assert abs(values[1] - values[0]) / 2e-4 < 400 * 1e-4


def test_a_latent_class_is_found() -> None:
    n = 20_000
    rows = naive_bayes().sample(n, generator=Generator().manual_seed(0))
    del rows["z"]
    found = fit_em(naive_bayes(), rows, starts=3, generator=Generator().manual_seed(1))
    assert found.converged
    assert len(found.ends) == 3
    assert found.log_likelihood == max(found.ends)
    hidden = found.network.table("z").probabilities
    order = hidden.argsort()  # The names of hidden states mean nothing.
    # The classes overlap little: about five standard errors of a proportion of n rows.
    assert hidden[order[0]].item() == pytest.approx(0.35, abs=0.03)
    for i in range(4):
        sensor = found.network.table(f"y{i}").probabilities[order]
        expected = torch.tensor([[0.9, 0.1], [0.15, 0.85]], dtype=torch.float64)
        torch.testing.assert_close(sensor, expected, atol=0.03, rtol=0)


def test_cells_missing_at_random_do_not_bias() -> None:
    rows = with_gaps(student_rows(20_000), 0.3)
    found = fit_em(student_network(), rows, generator=Generator().manual_seed(0))
    assert found.network.table("x1").probabilities[1].item() == pytest.approx(0.9, abs=0.015)
    passed = found.network.table("x2").probabilities[1, 1].item()
    assert passed == pytest.approx(0.75, abs=0.025)


def test_a_start_can_be_given_and_seeds_repeat() -> None:
    rows = with_gaps(student_rows(200), 0.4)
    begun = fit_em(student_network(), rows, starts=student_network(), iterations=1)
    expected = log_likelihood_by_enumeration(student_network(), rows)
    assert begun.history[0] == pytest.approx(expected, rel=1e-12)
    assert not begun.converged
    twice = [
        fit_em(student_network(), rows, generator=Generator().manual_seed(7)).history
        for _ in range(2)
    ]
    assert twice[0] == twice[1]


def test_wrong_arguments_are_refused() -> None:
    rows = student_rows(10)
    with pytest.raises(ValueError, match="starts must be at least 1, got 0"):
        fit_em(student_network(), rows, starts=0)
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        fit_em(student_network(), rows, iterations=0)
    with pytest.raises(ValueError, match="starts must have"):
        fit_em(student_network(), rows, starts=naive_bayes())
    with pytest.raises(DataError, match="no column of a node"):
        fit_em(student_network(), {"other": [0, 1]})
    with pytest.raises(DataError, match="states -1 to 1, got -2"):
        fit_em(student_network(), {**rows, "x1": np.full(10, -2)})
