import math

import pytest
import torch
from torch import Tensor

from ancestral.adversarial import DIVERGENCES, DivergenceGame, game_value

F64 = torch.float64
P = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=F64)
Q = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)

every_game = pytest.mark.parametrize("game", DIVERGENCES.values(), ids=list(DIVERGENCES))


def bound(game: DivergenceGame, outputs: Tensor) -> Tensor:
    """What the critic raises, exactly: its outputs at the four states are a vector."""
    return P @ game.activation(outputs) - Q @ game.conjugate(outputs)


@every_game
def test_the_best_critic_reaches_the_divergence(game: DivergenceGame) -> None:
    outputs = torch.zeros(4, dtype=F64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [outputs],
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -bound(game, outputs)
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    found = outputs.detach()
    torch.testing.assert_close(bound(game, found), game.divergence(P, Q).value, rtol=1e-8, atol=0)
    best = game.divergence.slope(P / Q)
    torch.testing.assert_close(game.activation(found), best, rtol=1e-4, atol=1e-5)


@every_game
def test_no_critic_is_above_the_divergence(game: DivergenceGame) -> None:
    outputs = torch.randn(200, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    assert all(bound(game, each) <= game.divergence(P, Q).value for each in outputs)


@every_game
def test_conjugate_is_that_of_the_activated_output(game: DivergenceGame) -> None:
    v = torch.linspace(-6, 6, 50, dtype=F64)
    expected = game.divergence.conjugate(game.activation(v))
    torch.testing.assert_close(game.conjugate(v), expected, rtol=1e-8, atol=1e-12)
    assert game.conjugate(torch.tensor([-80.0, 80.0])).isfinite().all()


@every_game
def test_the_critic_lowers_minus_the_bound_and_the_generator_raises_its_outputs(
    game: DivergenceGame,
) -> None:
    real, fake = torch.randn(2, 5, dtype=F64)
    expected = game.activation(real) - game.conjugate(fake)
    torch.testing.assert_close(game.critic(real, fake), -expected)
    fake.requires_grad_()
    (slope,) = torch.autograd.grad(game.generator(fake).sum(), fake)
    assert (slope < 0).all()


def test_jensen_and_shannon_are_the_game_of_cross_entropies() -> None:
    real, fake = torch.randn(2, 50, dtype=F64)
    mean = -DIVERGENCES["js"].critic(real, fake).mean()
    torch.testing.assert_close(mean, game_value(real, fake) + math.log(2))
