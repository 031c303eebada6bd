import math

import numpy as np
import pytest
import torch

from ancestral.errors import DataError
from ancestral.networks import student_network
from ancestral.networks.learning import (
    Structure,
    aic,
    bic,
    family_score,
    fit_em,
    fit_tables,
    log_likelihood,
    n_params,
    summarize,
)


def rows(n: int = 400) -> dict[str, torch.Tensor]:
    return student_network().sample(n, generator=torch.Generator().manual_seed(1))


def test_the_student_network_has_9_parameters_and_the_full_table_15() -> None:
    """BN-04."""
    assert n_params(student_network()) == 9
    names = ("x1", "x2", "x3", "x4")
    full = Structure(
        {name: names[:i] for i, name in enumerate(names)}, dict.fromkeys(names, ("0", "1"))
    )
    assert n_params(full) == 15


def test_log_likelihood_is_the_sum_over_the_rows() -> None:
    x = rows()
    expected = student_network().log_prob(x).sum().item()
    assert log_likelihood(student_network(), x) == pytest.approx(expected, rel=1e-12)
    counts = summarize(student_network(), x)
    assert log_likelihood(student_network(), counts) == pytest.approx(expected, rel=1e-12)


def test_impossible_rows_have_log_likelihood_minus_infinity() -> None:
    structure = Structure({"a": ()}, {"a": ("x", "y")})
    fitted = fit_tables(structure, {"a": [0, 0]})
    assert log_likelihood(fitted, {"a": [0, 0]}) == 0
    assert log_likelihood(fitted, {"a": [0, 1]}) == -math.inf


def gaps(n: int = 60) -> dict[str, np.ndarray]:
    """Return rows of the student network without x3, a third of the cells missing."""
    rng = np.random.default_rng(0)
    found = {name: column.numpy().copy() for name, column in rows(n).items() if name != "x3"}
    for column in found.values():
        column[rng.random(n) < 1 / 3] = -1
    return found


def test_with_missing_cells_it_is_the_marginal_likelihood() -> None:
    """Against the sum over all 16 joint states that agree with each row."""
    network, data = student_network(), gaps()
    every = torch.cartesian_prod(*[torch.arange(2)] * 4)
    joint = network.log_prob(dict(zip(network.nodes, every.T, strict=True))).exp().numpy()
    expected = 0.0
    for row in zip(*data.values(), strict=True):
        agrees = np.ones(16, dtype=bool)
        for name, state in zip(data, row, strict=True):
            place = list(network.nodes).index(name)
            agrees &= (state < 0) | (every[:, place].numpy() == state)
        expected += math.log(joint[agrees].sum())
    assert log_likelihood(network, data) == pytest.approx(expected, rel=1e-12)
    assert bic(network, data) == pytest.approx(9 * math.log(60) - 2 * expected, rel=1e-12)
    assert aic(network, data) == pytest.approx(18 - 2 * expected, rel=1e-12)
    found = fit_em(network, data, starts=network, iterations=3)
    assert log_likelihood(found.network, data) == pytest.approx(found.log_likelihood, rel=1e-12)


def test_missing_cells_of_impossible_rows() -> None:
    structure = Structure({"a": (), "b": ("a",)}, dict.fromkeys("ab", ("x", "y")))
    fitted = fit_tables(structure, {"a": [0, 0], "b": [0, 0]})
    assert log_likelihood(fitted, {"a": [0, -1], "b": [-1, 0]}) == 0
    assert log_likelihood(fitted, {"a": [1, -1], "b": [-1, 0]}) == -math.inf
    with pytest.raises(DataError, match="must hold states -1 to 1, got 2 in row 1"):
        log_likelihood(fitted, {"a": [2, -1], "b": [-1, 0]})
    with pytest.raises(DataError, match="no column of a node; the nodes are a, b"):
        log_likelihood(fitted, {"c": [0]})
    with pytest.raises(DataError, match="a criterion needs at least 1 row, got 0"):
        bic(fitted, {"a": [], "b": []})


def test_bic_and_aic() -> None:
    x = rows(400)
    fitted = fit_tables(student_network(), x)
    value = log_likelihood(fitted, x)
    assert bic(fitted, x) == pytest.approx(9 * math.log(400) - 2 * value, rel=1e-12)
    assert aic(fitted, x) == pytest.approx(18 - 2 * value, rel=1e-12)


def test_family_scores_add_up_to_bic() -> None:
    x = rows()
    counts = summarize(student_network(), x)
    total = sum(family_score(table) for table in counts.tables.values())
    assert total == pytest.approx(-bic(fit_tables(student_network(), x), counts) / 2, rel=1e-12)


def test_bdeu_is_the_product_of_the_predictions_of_the_rows_one_by_one() -> None:
    """The marginal likelihood by the chain rule, each row predicted from those before it."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 60), rng.integers(0, 3, 60)
    counts, size = np.zeros((2, 3)), 4.0
    total = 0.0
    for i, j in zip(a, b, strict=True):
        total += math.log((counts[i, j] + size / 6) / (counts[i].sum() + size / 2))
        counts[i, j] += 1
    found = family_score(counts, score="bdeu", equivalent_sample_size=size)
    assert found == pytest.approx(total, rel=1e-12)


def test_equivalent_structures_have_one_score() -> None:
    counts = np.random.default_rng(0).integers(0, 50, (3, 4)).astype(float)
    for score in ("bic", "bdeu"):
        forth = family_score(counts.sum(1), score=score) + family_score(counts, score=score)
        back = family_score(counts.sum(0), score=score) + family_score(counts.T, score=score)
        assert forth == pytest.approx(back, rel=1e-12)


def test_bdeu_of_one_row_is_uniform() -> None:
    assert family_score(np.array([1.0, 0, 0, 0]), score="bdeu") == pytest.approx(-math.log(4))
