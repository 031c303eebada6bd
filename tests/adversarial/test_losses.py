import math
from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from torch.distributions import Bernoulli

from ancestral.adversarial.losses import (
    critic_loss,
    game_value,
    non_saturating_loss,
    saturating_loss,
)

F64 = torch.float64
LossFunction: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


def probability_form(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The losses as the book's text writes them, on D = sigmoid(logit)."""
    return 0.5 * (real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())


def test_a_critic_that_knows_nothing_has_value_minus_ln_2() -> None:
    value = game_value(torch.zeros(3, dtype=F64), torch.zeros(5, dtype=F64))
    assert value.item() == pytest.approx(-math.log(2), abs=1e-15)


def test_the_best_critic_of_a_discrete_pair_has_value_js_minus_ln_2() -> None:
    # Counts in twelfths, so that a finite "sample" has exactly these frequencies.
    data, model = torch.tensor([6, 4, 1, 1]), torch.tensor([2, 4, 3, 3])
    p, q = data.to(F64) / 12, model.to(F64) / 12
    logit = (p / q).log()  # log D - log(1 - D) of the optimal D = p / (p + q).
    mixture = (p + q) / 2
    js = 0.5 * ((p * (p / mixture).log()).sum() + (q * (q / mixture).log()).sum())

    value = game_value(logit.repeat_interleave(data), logit.repeat_interleave(model))

    assert value.item() == pytest.approx(-math.log(2) + js.item(), abs=1e-14)
    # And it is the maximum: every other critic is below it.
    for shift in (-0.1, 0.1):
        other = logit + shift * torch.arange(4)
        assert game_value(other.repeat_interleave(data), other.repeat_interleave(model)) < value


def test_the_value_is_the_mean_log_likelihood_of_the_labels_real_is_one() -> None:
    real, fake = torch.randn(7, dtype=F64), torch.randn(7, dtype=F64)
    labels = torch.cat((torch.ones(7, dtype=F64), torch.zeros(7, dtype=F64)))
    likelihood = Bernoulli(logits=torch.cat((real, fake))).log_prob(labels).mean()
    torch.testing.assert_close(game_value(real, fake), likelihood)


def test_losses_equal_their_probability_form_at_moderate_logits() -> None:
    real = torch.linspace(-8, 8, 101, dtype=F64)
    fake = real.flip(0) * 0.7
    value = probability_form(real, fake)
    torch.testing.assert_close(game_value(real, fake), value, atol=1e-10, rtol=0)
    torch.testing.assert_close(critic_loss(real, fake).mean(), -value, atol=1e-10, rtol=0)
    d = fake.sigmoid()
    torch.testing.assert_close(saturating_loss(fake), (1 - d).log(), atol=1e-10, rtol=0)
    torch.testing.assert_close(non_saturating_loss(fake), -d.log(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("logit", [-1e3, 1e3])
def test_losses_and_gradients_are_finite_where_the_probability_form_is_not(logit: float) -> None:
    x = torch.full((2,), logit, requires_grad=True)
    for loss in (critic_loss(x, x), saturating_loss(x), non_saturating_loss(x)):
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()
    assert not probability_form(x, x).isfinite()


def test_gradients_in_the_logit_saturate_or_not() -> None:
    d = torch.tensor(3.4e-4, dtype=F64)
    logit = torch.logit(d).requires_grad_()
    (saturating,) = torch.autograd.grad(saturating_loss(logit), logit)
    (non_saturating,) = torch.autograd.grad(non_saturating_loss(logit), logit)
    assert saturating.item() == pytest.approx(-3.4e-4, rel=1e-9)
    assert non_saturating.item() == pytest.approx(-0.99966, abs=1e-9)


def test_in_the_probability_the_saturating_slope_does_not_vanish() -> None:
    d = torch.tensor(3.4e-4, dtype=F64, requires_grad=True)
    (slope,) = torch.autograd.grad((1 - d).log(), d)
    assert slope.item() == pytest.approx(-1 / (1 - 3.4e-4))


def test_lowering_the_critic_loss_raises_real_and_lowers_fake() -> None:
    real, fake = (torch.zeros(4, requires_grad=True) for _ in range(2))
    critic_loss(real, fake).sum().backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


@pytest.mark.parametrize("loss", [saturating_loss, non_saturating_loss])
def test_lowering_either_generator_loss_raises_the_logit_of_fakes(loss: LossFunction) -> None:
    fake = torch.zeros(4, requires_grad=True)
    loss(fake).sum().backward()
    assert fake.grad is not None
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("loss", [saturating_loss, non_saturating_loss])
def test_the_game_on_a_discrete_toy_ends_at_the_data(loss: LossFunction) -> None:
    # The exact game, no sampling: the generator is a table of 4 probabilities, the critic of 4
    # logits. The critic is followed closely (its updates are cheap), so the fixed point attracts.
    data = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=F64)
    scores = torch.zeros(4, dtype=F64, requires_grad=True)
    critic = torch.zeros(4, dtype=F64, requires_grad=True)
    for _ in range(400):
        for _ in range(5):
            q = scores.detach().softmax(0)
            value = data @ -critic_loss(critic, critic.detach()) + q @ -critic_loss(
                critic.detach(), critic
            )
            (slope,) = torch.autograd.grad(value, critic)
            with torch.no_grad():
                critic += 4 * slope
        (slope,) = torch.autograd.grad(scores.softmax(0) @ loss(critic.detach()), scores)
        with torch.no_grad():
            scores -= slope
    torch.testing.assert_close(scores.softmax(0), data, atol=1e-3, rtol=0)
    torch.testing.assert_close(critic.sigmoid(), torch.full_like(critic, 0.5), atol=2e-3, rtol=0)
