import pytest
import torch
from torch import Generator

from ancestral.energy import ReplayBuffer, contrastive_loss


def test_chains_are_taken_once_each_and_put_back(generator: Generator) -> None:
    buffer = ReplayBuffer(torch.arange(10.0)[:, None])
    rows, states = buffer.take(6, torch.zeros(6, 1), generator)
    assert len(rows.unique()) == 6
    assert torch.equal(states, buffer.states[rows])
    buffer.put(rows, states + 100)
    assert int((buffer.states >= 100).sum()) == 6


def test_fewer_chains_than_wanted_are_all_taken_and_draws_repeat_none_too_early() -> None:
    buffer = ReplayBuffer(torch.arange(4.0)[:, None])
    rows, _ = buffer.take(9, torch.zeros(9, 1), None)
    assert sorted(rows.tolist()) == [0, 1, 2, 3]
    drawn = buffer.draw(10, Generator().manual_seed(0))[:, 0]
    assert sorted(drawn[:4].tolist()) == sorted(drawn[4:8].tolist()) == [0, 1, 2, 3]
    assert len(drawn[8:].unique()) == 2


def test_a_share_begins_anew(generator: Generator) -> None:
    buffer = ReplayBuffer(torch.ones(4000, 1), restart=0.25)
    _, states = buffer.take(4000, torch.zeros(4000, 1), generator)
    # Binomial: five standard errors of a share of 4000.
    assert float((states == 0).double().mean()) == pytest.approx(0.25, abs=5 * 0.0068)


def test_the_contrast_is_a_difference_of_means() -> None:
    found = contrastive_loss(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0, 4.0]))
    assert float(found) == pytest.approx(0.0)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="states must hold a chain"):
        ReplayBuffer(torch.zeros(0, 2))
    with pytest.raises(ValueError, match="restart must be in"):
        ReplayBuffer(torch.zeros(1, 2), restart=1.0)
