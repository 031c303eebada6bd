import math

import pytest
import torch
from tests.contracts.models import Case, cases, train
from torch import Generator

from ancestral.capabilities import Batch, Loss, Player

pytestmark = cases("trains")


def loss_of(player: Player, batch: Batch, seed: int = 0) -> Loss:
    return player.loss(batch, Generator().manual_seed(seed))


def test_players_are_named_and_own_different_parameters(case: Case) -> None:
    model = case.fresh()
    players = model.players()
    assert len({player.name for player in players}) == len(players) > 0
    owned = [parameter for player in players for parameter in player.module.parameters()]
    assert len({id(parameter) for parameter in owned}) == len(owned)
    assert {id(parameter) for parameter in owned} == {id(p) for p in model.parameters()}
    assert all(any(True for _ in player.module.parameters()) for player in players)


def test_a_loss_is_finite_and_weighs_its_examples(case: Case) -> None:
    for player in case.fresh().players():
        for n in (1, 5):
            loss = loss_of(player, case.data(n, 2))
            assert loss.total.shape == ()
            assert math.isfinite(loss.total.item())
            assert loss.weight == n * case.weight


def test_every_parameter_gets_a_gradient_from_its_player(case: Case) -> None:
    model = case.fresh()
    for player in model.players():
        named = dict(player.module.named_parameters())
        total = loss_of(player, case.held_out).total
        gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
        for name, gradient in zip(named, gradients, strict=True):
            assert gradient is not None, (player.name, name)
            assert gradient.isfinite().all(), (player.name, name)
        assert any(bool(gradient.any()) for gradient in gradients if gradient is not None)


@pytest.mark.bits
def test_all_noise_comes_from_the_generator(case: Case) -> None:
    for number in range(len(case.fresh().players())):
        # Each time a fresh model: a loss may move a state of its own, such as chains.
        players = [case.fresh().players()[number] for _ in range(2)]
        before = torch.get_rng_state()
        totals = [loss_of(player, case.held_out, 3).total for player in players]
        assert torch.equal(before, torch.get_rng_state())
        assert torch.equal(totals[0], totals[1])


def test_each_player_lowers_its_own_loss(case: Case) -> None:
    for player in case.fresh().players():
        losses = train([player], case.data(128, 0), steps=30)[player.name]
        assert sum(losses[-5:]) < sum(losses[:5]), player.name


def test_losses_add_up_over_examples_unless_said_otherwise(case: Case) -> None:
    # The noise differs between one batch and its halves: compare means over many draws.
    for player in case.fresh().players():
        if player.couples_examples:
            continue
        x, given = case.held_out.x, case.held_out.given
        halves = [
            Batch(x[rows], {name: value[rows] for name, value in given.items()})
            for rows in (slice(0, 40), slice(40, 64))
        ]
        generator = Generator().manual_seed(0)
        with_grad = [
            torch.stack([player.loss(part, generator).total.detach() for _ in range(60)])
            for part in (case.held_out, *halves)
        ]
        whole, first, second = with_grad
        error = torch.stack([part.var() / 60 for part in with_grad]).sum().sqrt()
        slack = 5 * float(error) + 1e-5 * abs(float(whole.mean()))
        assert float(first.mean() + second.mean()) == pytest.approx(float(whole.mean()), abs=slack)
