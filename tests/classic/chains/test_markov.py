import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ancestral.classic import MarkovChain
from ancestral.errors import DataError, InferenceError
from ancestral.networks import query


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chain(states: int, order: int, *, seed: int = 0) -> MarkovChain:
    model = MarkovChain(states, order=order)
    for table in model.tables:
        noise = torch.rand(table.shape, dtype=torch.float64, generator=seeded(seed)).log().neg()
        table.copy_(noise / noise.sum(-1, keepdim=True))
    return model


def everything(states: int, length: int) -> Tensor:
    return torch.cartesian_prod(*length * [torch.arange(states)]).view(-1, length)


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("length", [1, 3, 5])
def test_log_prob_is_the_network_and_sums_to_one(order: int, length: int) -> None:
    model, x = chain(3, order), everything(3, length)
    network = model.network(length)
    generic = network.log_prob({f"x{t + 1}": x[:, t] for t in range(length)})
    torch.testing.assert_close(model.log_prob(x), generic, rtol=0, atol=1e-12)
    assert model.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_a_marginal_is_generic_elimination() -> None:
    model, x = chain(3, 2), everything(3, 4)
    network = model.network(4)
    answer = query(network, ["x4"], given={"x1": 2}).probabilities["x4"]
    weight = model.log_prob(x).exp() * (x[:, 0] == 2)
    exact = torch.stack([weight[x[:, 3] == k].sum() for k in range(3)]) / weight.sum()
    assert list(answer.values()) == pytest.approx(exact.tolist(), abs=1e-12)
    assert network.graph.parents("x4") == ("x2", "x3")
    assert model.graph["p"].as_mapping == network.graph.as_mapping


def test_fit_without_smoothing_is_normalised_counts() -> None:
    x = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 0, -1, -1]])
    model = MarkovChain(3, order=1, alpha=0).fit(x, lengths=torch.tensor([5, 3]))
    assert model.tables[0].tolist() == [0.5, 0.5, 0]
    third = 1 / 3
    expected = torch.tensor([[0, 1, 0], [0.5, 0.5, 0], [third] * 3], dtype=torch.float64)
    torch.testing.assert_close(model.transition, expected)
    second = MarkovChain(2, order=2, alpha=0).fit(x, lengths=torch.tensor([5, 3]))
    assert second.transition[1, 1].tolist() == [1, 0]
    assert second.transition[0, 0].tolist() == [0.5, 0.5]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    order=st.integers(0, 3),
    width=st.integers(1, 6),
    alpha=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_rows_sum_to_one_and_counting_is_the_maximum(
    seed: int, order: int, width: int, alpha: float
) -> None:
    x = torch.randint(3, (7, width), generator=seeded(seed))
    lengths = torch.randint(1, width + 1, (7,), generator=seeded(seed))
    model = MarkovChain(3, order=order, alpha=alpha).fit(x, lengths=lengths)
    for table in model.tables:
        torch.testing.assert_close(table.sum(-1), torch.ones(table.shape[:-1]).double())
    best = MarkovChain(3, order=order, alpha=0).fit(x, lengths=lengths)
    own = best.log_prob(x, lengths=lengths).sum()
    assert own >= chain(3, order, seed=seed).log_prob(x, lengths=lengths).sum()
    assert own >= model.log_prob(x, lengths=lengths).sum() - 1e-12


def test_simulated_steps_have_the_frequencies_of_the_matrix() -> None:
    model = chain(3, 1)
    x = model.sample(200, length=500, generator=seeded(1))
    found = MarkovChain(3, order=1, alpha=0).fit(x)
    counts = torch.bincount(x[:, :-1].flatten(), minlength=3)[:, None]
    error = (model.transition * (1 - model.transition) / counts).sqrt()
    assert bool(((found.transition - model.transition).abs() < 4 * error).all())


def test_a_higher_order_predicts_its_own_source_better() -> None:
    source = chain(4, 2, seed=3)
    x, held_out = (source.sample(100, length=100, generator=seeded(seed)) for seed in (1, 2))
    perplexity = [MarkovChain(4, order=order).fit(x).perplexity(held_out) for order in range(3)]
    assert perplexity[0] > perplexity[1] > perplexity[2]
    assert perplexity[2] == pytest.approx(source.perplexity(held_out), rel=0.02)


def test_perplexity_of_even_rows_is_the_number_of_states() -> None:
    assert MarkovChain(5, order=2).perplexity(torch.randint(5, (3, 9))) == pytest.approx(5)


@pytest.mark.parametrize("order", range(4))
def test_the_stationary_distribution_stays(order: int) -> None:
    model = chain(3, order)
    found = model.stationary()
    assert found.sum().item() == pytest.approx(1)
    if order == 0:
        assert torch.equal(found, model.transition)
        return
    # The joint of k + 1 states, summed over the first, is that of the last k.
    moved = (found[..., None] * model.transition).sum(0)
    torch.testing.assert_close(moved, found, rtol=0, atol=1e-12)


def test_rare_steps_lose_no_digit_of_the_stationary_distribution() -> None:
    a, model = 1e-16, MarkovChain(2)
    model.transition.copy_(torch.tensor([[1 - a, a], [a / 2, 1 - a / 2]]).double())
    assert model.stationary().tolist() == pytest.approx([1 / 3, 2 / 3], rel=1e-15)
    # A birth-death chain has pi_i up_i = pi_i+1 down_i, however far apart its rates are.
    up, down = torch.tensor([1e-9, 0.3, 1e-17, 1e-3]), torch.tensor([0.5, 1e-12, 1e-15, 1e-8])
    up, down = up.double(), down.double()
    steps = torch.diag(up, 1) + torch.diag(down, -1)
    model = MarkovChain(5)
    model.transition.copy_(steps + torch.diag(1 - steps.sum(-1)))
    wanted = torch.cat((torch.ones(1), (up / down).cumprod(0))).double()
    found = model.stationary()
    torch.testing.assert_close(found, wanted / wanted.sum(), rtol=1e-14, atol=0)


def test_many_states_are_reduced_block_by_block() -> None:
    # A walk on a path of 200 states, one way likelier: pi_i is in proportion to (p / q)^i.
    p, q, size = 0.2, 0.3, 200
    ones = torch.ones(size - 1, dtype=torch.float64)
    steps = p * torch.diag(ones, 1) + q * torch.diag(ones, -1)
    order = torch.randperm(size, generator=seeded())
    model = MarkovChain(size)
    model.transition.copy_((steps + torch.diag(1 - steps.sum(-1)))[order][:, order])
    wanted = (p / q) ** order.double()
    torch.testing.assert_close(model.stationary(), wanted / wanted.sum(), rtol=1e-12, atol=0)


def test_transient_states_have_no_stationary_mass() -> None:
    model = MarkovChain(3)
    model.transition.copy_(torch.tensor([[0.5, 0.5, 0], [0, 0.2, 0.8], [0, 0.4, 0.6]]))
    torch.testing.assert_close(
        model.stationary(), torch.tensor([0, 1 / 3, 2 / 3], dtype=torch.float64)
    )
    model.transition.copy_(torch.eye(3))
    with pytest.raises(InferenceError, match="3 sets of states that are never left"):
        model.stationary()


def test_impossible_saving_and_repr() -> None:
    model = MarkovChain(2, alpha=0).fit(torch.tensor([[0, 1, 0, 1]]))
    assert model.log_prob(torch.tensor([[0, 0]])).item() == -math.inf
    other = MarkovChain(2, order=1)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.transition, model.transition)
    assert "order=1" in repr(model)
    again = model.fit(torch.tensor([[1, 1]]))
    assert again is model
    assert model.transition[0].tolist() == [0.5, 0.5]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="order must be at least 0, got -1"):
        MarkovChain(2, order=-1)
    with pytest.raises(ValueError, match="take NGram"):
        MarkovChain(1000, order=2)
    with pytest.raises(ValueError, match="at most 4096, got 10000"):
        MarkovChain(10, order=4).stationary()
    with pytest.raises(DataError, match="x must hold states 0 to 1, got 2"):
        MarkovChain(2).fit(torch.tensor([[0, 2]]))
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        MarkovChain(2).sample(1, length=0)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        MarkovChain(2).sample(0, length=1)
