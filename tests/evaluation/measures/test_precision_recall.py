import pytest
import torch
from torch import Tensor

from ancestral.evaluation.measures.precision_recall import precision_recall

N = 2000


def mixture(n: int, modes: list[float]) -> Tensor:
    """Unit Gaussians at the given places on the first axis, in equal shares."""
    x = torch.randn(n, 2, dtype=torch.float64)
    x[:, 0] += torch.tensor(modes, dtype=torch.float64)[torch.arange(n) % len(modes)]
    return x


def test_a_dropped_mode_costs_recall_and_coverage_but_not_precision() -> None:
    found = precision_recall(mixture(N, [-20.0, 20.0]), mixture(N, [20.0]))
    assert found["precision"].value > 0.95
    assert found["recall"].value == pytest.approx(0.5, abs=0.05)
    assert found["coverage"].value == pytest.approx(0.5, abs=0.05)


def test_an_invented_mode_costs_precision_and_density_but_not_recall() -> None:
    found = precision_recall(mixture(N, [20.0]), mixture(N, [-20.0, 20.0]))
    assert found["precision"].value == pytest.approx(0.5, abs=0.05)
    assert found["density"].value == pytest.approx(0.5, abs=0.05)
    assert found["recall"].value > 0.95
    # Half as many points fall where the data are, so each ball holds k / 2 of them in the mean.
    assert found["coverage"].value > 0.85


def test_one_law_scores_the_expectations_of_the_source() -> None:
    found = precision_recall(mixture(N, [0.0]), mixture(N, [0.0]), k=5)
    # Naeem et al. 2020, lemma 2: E coverage = 1 - (N - 1)...(N - k) / ((2N - 1)...(2N - k)),
    # about 1 - 2^-k; density has expectation 1.
    expected = 1.0
    for i in range(1, 6):
        expected *= (N - i) / (2 * N - i)
    assert found["coverage"].value == pytest.approx(1 - expected, abs=5 * found["coverage"].se)
    assert found["density"].value == pytest.approx(1.0, abs=5 * found["density"].se)


def test_identical_samples_score_one() -> None:
    x = mixture(300, [0.0])
    found = precision_recall(x, x.clone())
    assert found["precision"].value == found["recall"].value == found["coverage"].value == 1.0


def test_apart_samples_score_zero() -> None:
    found = precision_recall(mixture(100, [0.0]), mixture(100, [1000.0]))
    for name in ("precision", "recall", "density", "coverage"):
        assert found[name].value == 0.0


def test_exchanging_the_samples_exchanges_precision_and_recall() -> None:
    x, y = mixture(300, [0.0, 3.0]), mixture(400, [0.0, 5.0])
    there, back = precision_recall(x, y), precision_recall(y, x)
    assert there["precision"] == back["recall"]
    assert there["recall"] == back["precision"]


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="y needs at least 12 rows, got 11"):
        precision_recall(mixture(20, [0.0]), mixture(11, [0.0]), k=5)
