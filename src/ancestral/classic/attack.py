"""Small changes that turn the answer of a classifier: the fast gradient sign method."""

import torch
from torch import Tensor

from ancestral.capabilities import Classifies
from ancestral.networks.arguments import check_number


def fast_gradient_sign(
    model: Classifies,
    x: Tensor,
    label: Tensor,
    *,
    epsilon: float,
    low: float | None = None,
    high: float | None = None,
) -> Tensor:
    """Return examples near x whose own label is less likely: ``x + epsilon sign(d loss / dx)``.

    The loss is -log p(label | x). No change of at most epsilon in each number raises its linear
    part more; a classifier by logits that are linear in x, of two labels, is changed the most that
    can be. Every model that gives p(label | x) by differentiable operations can be attacked, one
    that has it from a density, too. Where it is so sure that the slope rounds to 0, nothing moves.

    Source: Goodfellow, Shlens & Szegedy 2015, Explaining and Harnessing Adversarial Examples,
    arXiv:1412.6572, eq. of sec. 4.

    Args:
        model: Gives p(label | x); its parameters are left alone.
        x: Examples, floating-point numbers [B, *event].
        label: Their own labels, [B], from 0.
        epsilon: The largest change of a number, at least 0, in the units of x.
        low: The least value that a number may have; None: any.
        high: The largest one; None: any.

    Returns:
        The changed examples, [B, *event].

    Raises:
        ValueError: If epsilon is below 0, or x holds no floating-point numbers.

    Example:
        >>> from ancestral.classic import DiagonalGaussians, NaiveBayes
        >>> x, label = torch.tensor([[0.0], [1.5], [1.0], [2.5]]), torch.tensor([0, 0, 1, 1])
        >>> model = NaiveBayes(DiagonalGaussians(2, 1)).fit(x, given={"label": label})
        >>> [round(v, 1) for v in fast_gradient_sign(model, x, label, epsilon=0.5)[:, 0].tolist()]
        [0.5, 2.0, 0.5, 2.0]
    """
    check_number("epsilon", epsilon)
    if not x.is_floating_point():
        raise ValueError(f"x must be floating-point numbers, got {x.dtype}")
    with torch.enable_grad():
        moved = x.detach().clone().requires_grad_()
        loss = -model.posterior(moved).log_prob(label).sum()
        (slope,) = torch.autograd.grad(loss, moved)
    found = x + epsilon * slope.sign()
    return found if low is None and high is None else found.clamp(low, high)
