"""BN-01: undirected networks, and the Ising model on a grid."""

import itertools
import math

import pytest
import torch
from torch import Generator

from ancestral.energy import Ising, MarkovField
from ancestral.information import mutual_information

pytestmark = pytest.mark.usefixtures("float64")


# BN-01
def test_three_binary_nodes_are_normalised_by_enumeration() -> None:
    pairs, three = [torch.randn(2, 2) for _ in range(2)], torch.randn(2, 2, 2)
    field = MarkovField([(0, 1), (2, 1), (0, 1, 2)], [*pairs, three])
    masses = {
        (a, b, c): math.exp(float(pairs[0][a, b] + pairs[1][c, b] + three[a, b, c]))
        for a, b, c in itertools.product((0, 1), repeat=3)
    }
    assert float(field.log_normaliser()) == pytest.approx(math.log(sum(masses.values())))
    table = field.table()
    assert float(table.sum()) == pytest.approx(1, abs=1e-14)
    for state, mass in masses.items():
        assert float(table[state]) == pytest.approx(mass / sum(masses.values()))
    states = torch.cartesian_prod(*[torch.arange(2)] * 3)
    torch.testing.assert_close(field.log_prob(states).exp(), table.flatten())


# BN-01
def test_nodes_that_a_third_separates_are_independent_given_it() -> None:
    first = torch.tensor([[1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]])
    field = MarkovField([(0, 1), (1, 2)], [first, first.T])
    table = field.table()
    for state in range(3):
        given = table[:, state] / table[:, state].sum()
        assert abs(float(mutual_information(given))) < 1e-14
    assert float(mutual_information(table.sum(dim=1))) > 1e-3


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"clique \[0, 0\] needs 2 axes"):
        MarkovField([(0, 0)], [torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="node 1 has 2 states and 3 states"):
        MarkovField([(0, 1), (1,)], [torch.zeros(2, 2), torch.zeros(3)])
    with pytest.raises(ValueError, match="numbers from 0 without gaps"):
        MarkovField([(0, 2)], [torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="states must be at most 1048576"):
        MarkovField([(node,) for node in range(21)], [torch.zeros(2)] * 21)
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        Ising(0, 3, coupling=1.0)


# BN-01
def test_a_grid_of_spins_is_that_field() -> None:
    ising = Ising(2, 3, coupling=0.7, field=-0.2)
    field = ising.markov_field()
    states = torch.cartesian_prod(*[torch.arange(2)] * 6)
    spins = (2.0 * states - 1).reshape(-1, 2, 3)
    torch.testing.assert_close(-ising.energy(spins), field.log_potential(states))


# BN-01
def test_two_spins_have_their_closed_form() -> None:
    coupling = 0.8
    field = Ising(1, 2, coupling=coupling).markov_field()
    wanted = math.log(2 * math.exp(coupling) + 2 * math.exp(-coupling))
    assert float(field.log_normaliser()) == pytest.approx(wanted)


# BN-01
def test_the_sampler_has_the_law_of_a_small_grid(generator: Generator) -> None:
    ising = Ising(3, 3, coupling=0.4, field=0.1)
    table = ising.markov_field().table().flatten()
    states = torch.cartesian_prod(*[torch.arange(2)] * 9)
    spins = (2.0 * states - 1).reshape(-1, 3, 3)
    draws, n = ising.sample(20_000, sweeps=60, generator=generator).double(), 20_000
    for f in (
        lambda s: s.mean(dim=(1, 2)),
        lambda s: s.mean(dim=(1, 2)).abs(),
        lambda s: ising.energy(s),
        lambda s: s[:, 0, 0] * s[:, 2, 2],
    ):
        wanted, values = float(table @ f(spins)), f(draws)
        assert abs(float(values.mean()) - wanted) < 5 * float(values.std()) / math.sqrt(n)


# BN-01
def test_spins_line_up_below_the_critical_temperature_alone(generator: Generator) -> None:
    cold, hot = (
        Ising(12, 12, coupling=coupling).sample(50, sweeps=300, generator=generator)
        for coupling in (0.7, 0.2)
    )
    sizes = [s.mean(dim=(1, 2)).abs().median() for s in (cold, hot)]
    assert float(sizes[0]) > 0.8 > 0.3 > float(sizes[1])


def test_everything_stays_on_the_device_of_what_is_given(generator: Generator) -> None:
    field, ising = Ising(2, 3, coupling=0.4).markov_field(), Ising(2, 3, coupling=0.4)
    with torch.device("meta"):  # What is made without a device fails.
        total = field.table().sum()
        spins = ising.sample(4, sweeps=2, generator=generator)
    assert float(total) == pytest.approx(1)
    assert bool((spins.abs() == 1).all())
