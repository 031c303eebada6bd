import itertools
import math

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from ancestral.capabilities import Batch
from ancestral.tabular import TabularAutoregressive
from ancestral.tabular.autoregressive import CellVectors

SIZES = (2, 3, 4)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))


def model(**settings: float) -> TabularAutoregressive:
    torch.manual_seed(0)
    own = {"width": 16, "blocks": 1, "dropout": 0.0, **settings}
    found = TabularAutoregressive(SIZES, ordered=(False, False, True), **own).double().eval()
    with torch.no_grad():  # Far from uniform, so that orders differ.
        for parameter in found.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return found


def in_order(net: TabularAutoregressive, x: Tensor, order: tuple[int, ...]) -> Tensor:
    """log p(x) by the plain chain rule in an order."""
    seen, total = torch.full_like(x, -1), torch.zeros(len(x), dtype=torch.float64)
    for column in order:
        logits = net.logits(net.features(seen))[column]
        total += logits.log_softmax(dim=1).gather(1, x[:, column, None])[:, 0]
        seen[:, column] = x[:, column]
    return total


@torch.no_grad()
def test_probabilities_add_up_to_one_and_are_the_chain_rule() -> None:
    net = model()
    log_p = net.log_prob(ALL)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(log_p, in_order(net, ALL, (0, 1, 2)))


@torch.no_grad()
def test_columns_that_are_given_are_known_first() -> None:
    net, x = model(), ALL[:5]
    given = {"x3": x[:, 2]}
    seen = torch.full_like(x, -1)
    seen[:, 2] = x[:, 2]
    expected = net.conditional(seen, 0).gather(1, x[:, :1])[:, 0]
    seen[:, 0] = x[:, 0]
    expected = expected + net.conditional(seen, 1).gather(1, x[:, 1:2])[:, 0]
    torch.testing.assert_close(net.log_prob(x, given=given), expected)
    draws = net.sample(200, given={"x3": torch.tensor(1)}, generator=Generator().manual_seed(0))
    assert bool((draws[:, 2] == 1).all())


@torch.no_grad()
def test_random_sets_estimate_the_mean_over_all_orders_without_bias() -> None:
    net = model()
    orders = list(itertools.permutations(range(3)))
    exact = torch.stack([in_order(net, ALL, order) for order in orders]).mean(dim=0)
    n = 4000
    x = ALL.repeat(n, 1)
    draws = net.mean_over_orders(x, generator=Generator().manual_seed(0)).view(n, -1)
    error = draws.std(dim=0) / math.sqrt(n)
    assert bool(((draws.mean(dim=0) - exact).abs() < 5 * error).all())
    mixture = torch.stack([in_order(net, ALL, order) for order in orders]).logsumexp(dim=0)
    assert bool((exact <= mixture - math.log(len(orders)) + 1e-12).all())


@torch.no_grad()
def test_the_loss_estimates_both_means_without_bias() -> None:
    net, n = model(), 3000
    orders = list(itertools.permutations(range(3)))
    own = in_order(net, ALL, (0, 1, 2))
    mean = torch.stack([in_order(net, ALL, order) for order in orders]).mean(dim=0)
    # Of prefixes of the own order: all columns that are left stand for the orders that begin so.
    begun = torch.zeros(len(ALL), dtype=torch.float64)
    for known in range(3):
        seen = torch.full_like(ALL, -1)
        seen[:, :known] = ALL[:, :known]
        logits = net.logits(net.features(seen))
        for column in range(known, 3):
            log_p = logits[column].log_softmax(dim=1).gather(1, ALL[:, column, None])[:, 0]
            begun += log_p / (3 - known)
    expected = 0.5 * mean + 0.5 * (own + begun) / 2
    (player,) = net.players()
    losses = torch.stack(
        [
            player.loss(Batch(ALL), Generator().manual_seed(seed)).total / len(ALL)
            for seed in range(n)
        ]
    )
    error = losses.std() / math.sqrt(n)
    assert abs(losses.mean() + expected.mean()) < 5 * error


def test_the_loss_reaches_every_parameter() -> None:
    net = model()
    (player,) = net.players()
    player.loss(Batch(ALL.repeat(20, 1)), Generator().manual_seed(0)).total.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


@torch.no_grad()
def test_draws_follow_the_density() -> None:
    net, n = model(), 20_000
    p = net.log_prob(ALL).exp()
    drawn = net.sample(n, generator=Generator().manual_seed(0))
    share = torch.stack([(drawn == row).all(dim=1).double().mean() for row in ALL])
    assert bool(((share - p).abs() < 5 * (p / n).sqrt() + 1e-9).all())


def test_features_are_those_of_a_plain_sum() -> None:
    net = model(blocks=0)
    x = torch.tensor([[1, -1, 3]])
    table = net.known()
    plain = table[1] + net.unknown[1] + table[5 + 3]
    torch.testing.assert_close(net.features(x)[0], functional.layer_norm(plain, (16,), *_norm(net)))


def _norm(net: TabularAutoregressive) -> tuple[Tensor, Tensor]:
    return net.norm.weight, net.norm.bias


def test_ordered_cells_share_the_vectors_of_their_groups() -> None:
    vectors = CellVectors([20, 20], [True, False], 8)
    with torch.no_grad():
        vectors.own.zero_()
    table = vectors()
    assert torch.equal(table[0], table[3])
    assert not torch.equal(table[3], table[4])
    assert torch.equal(table[20], table[39])  # Not in order: all share one.


def test_it_learns_a_table_to_within_two_percent() -> None:
    generator = Generator().manual_seed(0)
    truth = torch.rand(len(ALL), generator=generator, dtype=torch.float64) ** 3
    truth /= truth.sum()
    x = ALL[truth.multinomial(20_000, replacement=True, generator=generator)]
    torch.manual_seed(0)
    net = TabularAutoregressive(SIZES, width=32, blocks=1, dropout=0.0)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    (player,) = net.players()
    for _ in range(400):
        batch = x[torch.randint(len(x), (500,), generator=generator)]
        loss = player.loss(Batch(batch), generator)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()
    with torch.no_grad():
        excess = (truth * (truth.log() - net.eval().log_prob(ALL))).sum().item()
    entropy = -(truth * truth.log()).sum().item()
    assert 0 <= excess < 0.02 * entropy


def test_bad_input_is_refused() -> None:
    net = model()
    with pytest.raises(ValueError, match="every cell must be known"):
        net.log_prob(torch.tensor([[0, -1, 0]]))
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\)"):
        TabularAutoregressive(SIZES, dropout=1.0)
    with pytest.raises(ValueError, match="width must be"):
        TabularAutoregressive(SIZES, width=0)
