import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ancestral.adversarial import (
    OBJECTIVES,
    hinge_critic_loss,
    least_squares_critic_loss,
    smoothed_critic_loss,
    wasserstein_critic_loss,
)

F64 = torch.float64


@pytest.mark.parametrize("name", OBJECTIVES)
def test_critic_and_generator_pull_opposite_ways(name: str) -> None:
    objective = OBJECTIVES[name]
    real = torch.zeros(4, dtype=F64, requires_grad=True)
    fake = torch.zeros(4, dtype=F64, requires_grad=True)
    critic = torch.autograd.grad(
        objective.critic(real, fake).sum(), (real, fake), materialize_grads=True
    )
    (generator,) = torch.autograd.grad(objective.generator(real, fake).sum(), fake)
    assert (critic[0] < 0).all()  # Lowering its loss raises the outputs of real examples,
    assert (critic[1] >= 0).all()  # and never those of generated ones;
    assert (generator < 0).all()  # the generator raises its own.


def test_hinge_is_flat_beyond_its_margin() -> None:
    real = torch.tensor([0.5, 1.0, 3.0], dtype=F64, requires_grad=True)
    fake = torch.tensor([-0.5, -1.0, -3.0], dtype=F64, requires_grad=True)
    loss = hinge_critic_loss(real, fake)
    torch.testing.assert_close(
        loss, -(real - 1).clamp(max=0) - (-fake - 1).clamp(max=0)
    )  # The book's form.
    slopes = torch.autograd.grad(loss.sum(), (real, fake))
    assert slopes[0].tolist() == [-1, 0, 0]
    assert slopes[1].tolist() == [1, 0, 0]


def test_the_best_least_squares_critic_is_the_share_of_real_examples() -> None:
    p, q = torch.tensor([0.7, 0.3], dtype=F64), torch.tensor([0.2, 0.8], dtype=F64)
    best = (p / (p + q)).requires_grad_()
    zero = torch.zeros_like(p)
    loss = p @ least_squares_critic_loss(best, zero) + q @ least_squares_critic_loss(zero + 1, best)
    (slope,) = torch.autograd.grad(loss, best)
    torch.testing.assert_close(slope, zero)


def test_a_critic_of_slope_one_finds_the_wasserstein_distance() -> None:
    # Between 0 and 3 on the line, f(x) = -x: the distance is 3.
    real, fake = torch.zeros(1, dtype=F64), torch.full((1,), 3.0, dtype=F64)
    assert -wasserstein_critic_loss(-real, -fake).item() == 3


def test_smoothed_labels_are_those_of_the_cross_entropy_on_one_side() -> None:
    real, fake = torch.randn(2, 7, dtype=F64)
    expected = 0.5 * (
        binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9), reduction="none")
        + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake), reduction="none")
    )
    torch.testing.assert_close(smoothed_critic_loss(real, fake, smoothing=0.1), expected)
    objective = OBJECTIVES["saturating"].with_smoothing(0.1)
    torch.testing.assert_close(objective.critic(real, fake), expected)


def test_objectives_without_labels_refuse_smoothing() -> None:
    with pytest.raises(ValueError, match="smoothing must be 0 but with loss=non-saturating"):
        OBJECTIVES["hinge"].with_smoothing(0.1)
    with pytest.raises(ValueError, match=r"smoothing must be in \[0, 1\), got 1"):
        OBJECTIVES["saturating"].with_smoothing(1.0)
