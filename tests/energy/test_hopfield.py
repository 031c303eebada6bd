"""PD-02: the Hopfield network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ancestral.energy import Hopfield


def signs(rows: int, units: int, generator: Generator) -> Tensor:
    return 2.0 * torch.randint(2, (rows, units), generator=generator) - 1


# PD-02
@settings(max_examples=30, deadline=None)
@given(st.integers(5, 30), st.integers(1, 4), st.integers(0, 2**31))
def test_the_energy_never_rises(units: int, patterns: int, seed: int) -> None:
    generator = Generator().manual_seed(seed)
    memory = Hopfield(units).double().fit(signs(patterns, units, generator))
    states = signs(8, units, generator)
    energy = memory.energy(states)
    for unit in torch.randint(units, (60,), generator=generator).tolist():
        states = memory.update(states, unit)
        after = memory.energy(states)
        assert bool((after <= energy + 1e-12).all())
        energy = after
    fixed = memory.recall(states, generator=generator)
    assert torch.equal(memory.recall(fixed, generator=generator), fixed)
    assert bool((memory.energy(fixed) <= energy + 1e-12).all())


# PD-02
@settings(max_examples=30, deadline=None)
@given(st.integers(20, 60), st.integers(1, 5), st.integers(0, 2**31))
def test_stored_patterns_are_fixed_points(units: int, patterns: int, seed: int) -> None:
    generator = Generator().manual_seed(seed)
    stored = signs(patterns, units, generator)
    memory = Hopfield(units).double().fit(stored)
    for unit in range(units):
        assert torch.equal(memory.update(stored, unit), stored)


def test_damaged_patterns_are_mended(generator: Generator) -> None:
    stored = signs(5, 100, generator)
    memory = Hopfield(100).double().fit(stored)
    damaged = stored.clone()
    damaged[:, :10] *= -1
    assert torch.equal(memory.recall(damaged, generator=generator), stored)


def test_patterns_at_right_angles_are_stored_by_hebbs_rule() -> None:
    stored = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1]]).double()
    memory = Hopfield(4).double().fit(stored)
    hebb = stored.T @ stored / 4
    torch.testing.assert_close(memory.weight, hebb - hebb.diag().diag())


def test_mistakes_are_named() -> None:
    memory = Hopfield(4)
    with pytest.raises(ValueError, match=r"states must be \[B, 4\] of \+1 and -1"):
        memory.recall(torch.zeros(1, 4))
    with pytest.raises(ValueError, match="patterns must be from 1 to 3, got 4"):
        memory.fit(torch.ones(4, 4))
    with pytest.raises(ValueError, match="units must be at least 2, got 1"):
        Hopfield(1)


def test_recall_stays_on_the_device_of_the_states(generator: Generator) -> None:
    patterns = signs(2, 12, generator)
    memory = Hopfield(12).fit(patterns)
    with torch.device("meta"):  # What is made without a device fails.
        found = memory.recall(patterns, generator=generator)
    assert found.equal(patterns)


def test_units_whose_weights_are_rounding_alone_stay() -> None:
    generator = Generator().manual_seed(2)
    memory = Hopfield(7).double().fit(signs(4, 7, generator))
    lone = memory.weight.abs().sum(dim=1) < 1e-12
    assert int(lone.sum()) == 2
    states = signs(8, 7, generator)
    for unit in lone.nonzero()[:, 0].tolist():
        assert memory.update(states, unit).equal(states)
