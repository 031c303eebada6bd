import pytest
import torch
from torch import Generator

from ancestral.errors import CapabilityError
from ancestral.networks import Table
from ancestral.networks.labels import (
    drop_labels,
    fit_labels,
    given_label,
    some_label,
    sum_labels,
    uniform_labels,
)


def test_labels_are_counted() -> None:
    labels = uniform_labels(3)
    assert labels is not None
    assert labels.probabilities.tolist() == pytest.approx([1 / 3] * 3)
    fit_labels(labels, torch.tensor([1.0, 3.0, 0.0]))
    assert labels.probabilities.tolist() == [0.25, 0.75, 0.0]


def test_without_classes_there_is_no_law() -> None:
    assert uniform_labels(0) is None
    assert some_label(None, None, 4, None) is None
    with pytest.raises(ValueError, match="no label"):
        fit_labels(None, torch.ones(3))
    with pytest.raises(CapabilityError, match="unconditional"):
        given_label(None, {"label": torch.tensor(0)}, 4)
    with pytest.raises(ValueError, match="classes must be at least 0, got -1"):
        uniform_labels(-1)


def test_a_given_label_is_kept_and_another_is_drawn_by_its_law() -> None:
    labels = uniform_labels(3)
    fit_labels(labels, torch.tensor([1.0, 3.0, 0.0]))
    kept = some_label(labels, {"label": torch.tensor(2)}, 4, None)
    assert kept is not None
    assert kept.tolist() == [2] * 4
    drawn = some_label(labels, {}, 10_000, Generator().manual_seed(0))
    assert drawn is not None
    # Five standard errors of a share of 10,000 are at most 0.025.
    shares = drawn.bincount(minlength=3) / 10_000
    assert shares.tolist() == pytest.approx([0.25, 0.75, 0.0], abs=0.025)


@pytest.mark.parametrize("label", [-1, 3])
def test_no_class_is_refused(label: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 2"):
        given_label(uniform_labels(3), {"label": torch.tensor(label)}, 2)


def test_labels_are_dropped_at_their_rate() -> None:
    label = torch.arange(10_000) % 3
    dropped = drop_labels(label, classes=3, rate=0.1, generator=Generator().manual_seed(0))
    gone = dropped == 3
    assert torch.equal(dropped[~gone], label[~gone])
    # Five standard errors: 5 * sqrt(0.09 / 10,000) = 0.015.
    assert gone.double().mean().item() == pytest.approx(0.1, abs=0.015)
    assert torch.equal(drop_labels(label, classes=3, rate=0.0), label)


def test_labels_are_summed_out_by_their_law() -> None:
    labels = Table([0.2, 0.8])
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    means = torch.tensor([-1.0, 1.0], dtype=torch.float64)

    def log_prob(label: torch.Tensor) -> torch.Tensor:
        return torch.distributions.Normal(means[label], 1.0).log_prob(x)

    both = torch.stack([log_prob(torch.full((3,), k)).exp() for k in (0, 1)])
    expected = (0.2 * both[0] + 0.8 * both[1]).log()
    assert torch.allclose(sum_labels(labels, log_prob, x), expected, atol=1e-12)
