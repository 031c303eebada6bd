import torch
from torch import nn

from ancestral.adversarial.penalties import unit_slope_penalty, zero_centred_penalty


def test_penalty_of_a_linear_critic_is_half_its_squared_weight() -> None:
    weight = torch.tensor([3.0, -4.0], dtype=torch.float64)
    penalty = zero_centred_penalty(lambda x: x @ weight + 1, torch.randn(5, 2, dtype=weight.dtype))
    torch.testing.assert_close(penalty, torch.full((5,), 12.5, dtype=weight.dtype))


def test_penalty_of_a_quadratic_critic_differs_by_example() -> None:
    x = torch.randn(6, 1, 2, 2, dtype=torch.float64)
    penalty = zero_centred_penalty(lambda x: x.square().flatten(1).sum(1), x)
    torch.testing.assert_close(penalty, 2 * x.square().flatten(1).sum(1))
    assert not x.requires_grad


def test_lowering_the_penalty_flattens_the_critic() -> None:
    layer = nn.Linear(2, 1).double()
    x = torch.randn(4, 2, dtype=torch.float64)
    zero_centred_penalty(lambda x: layer(x)[:, 0], x).mean().backward()
    # d/dw of |w|^2 / 2 is w, whatever x is.
    torch.testing.assert_close(layer.weight.grad, layer.weight.detach())


def test_unit_slope_of_a_linear_critic_is_that_of_its_weight_everywhere() -> None:
    weight = torch.tensor([3.0, -4.0], dtype=torch.float64)
    real, fake = torch.randn(2, 5, 2, dtype=torch.float64)
    penalty = unit_slope_penalty(lambda x: x @ weight, real, fake)
    torch.testing.assert_close(penalty, torch.full((5,), 16.0, dtype=torch.float64))


def test_unit_slope_is_taken_between_real_and_generated_examples() -> None:
    seen: list[torch.Tensor] = []

    def logits(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.square().flatten(1).sum(1) / 2

    real, fake = torch.zeros(1_000, 1, dtype=torch.float64), torch.ones(1_000, 1).double()
    penalty = unit_slope_penalty(logits, real, fake, torch.Generator().manual_seed(0))
    (x,) = seen
    assert ((x >= 0) & (x <= 1)).all()
    assert abs(x.mean().item() - 0.5) < 5 * 12**-0.5 / 1_000**0.5
    torch.testing.assert_close(penalty, (x[:, 0] - 1).square())


def test_unit_slope_takes_images_that_come_in_half_precision() -> None:
    real, fake = torch.randn(2, 5, 2)
    penalty = unit_slope_penalty(lambda x: x @ torch.tensor([3.0, -4.0]), real, fake.bfloat16())
    torch.testing.assert_close(penalty, torch.full((5,), 16.0))
