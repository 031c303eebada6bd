"""Score matching: fit grad log p(x) to data without the normaliser, which it does not hold.

Each loss is up to a constant the mean over the data of ``|s(x) - grad log p_data(x)|^2 / 2``,
example by example; the score is a function of x [B, *event] that autograd can differentiate.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Generator, Tensor

Score: TypeAlias = Callable[[Tensor], Tensor]
"""Maps x [B, *event] to grad_x log p(x) [B, *event]."""


def score_matching_loss(score: Score, x: Tensor, generator: Generator | None = None) -> Tensor:
    """Return ``tr(grad s(x)) + |s(x)|^2 / 2``, exact: one backward pass for each coordinate.

    Source: Hyvärinen 2005, Estimation of non-normalized statistical models by score matching,
    theorem 1.

    Args:
        score: The model's.
        x: Data, [B, *event].
        generator: Not used: nothing is drawn.

    Returns:
        The loss of each example, [B]; it may be below 0, and is no likelihood.
    """
    del generator
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        found = score(x).flatten(start_dim=1)
        trace = torch.zeros_like(found[:, 0])
        for column in range(found.shape[1]):
            (row,) = torch.autograd.grad(found[:, column].sum(), x, create_graph=True)
            trace = trace + row.flatten(start_dim=1)[:, column]
    return trace + found.square().sum(dim=1) / 2


def sliced_score_matching_loss(
    score: Score, x: Tensor, generator: Generator | None = None
) -> Tensor:
    """Return ``v . grad(v . s(x)) + |s(x)|^2 / 2`` with v = +-1 at random in each coordinate.

    Its mean over v is the exact loss, for one backward pass in any dimension.

    Source: Song et al. 2019, Sliced score matching, arXiv:1905.07088, eq. 8 (reduced variance).

    Args and result as of :func:`score_matching_loss`; the generator draws v.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        found = score(x)
        signs = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        v = torch.where(signs < 0.5, -1.0, 1.0).to(x)
        (along,) = torch.autograd.grad((v * found).sum(), x, create_graph=True)
    curvature = (v * along).flatten(start_dim=1).sum(dim=1)
    return curvature + found.flatten(start_dim=1).square().sum(dim=1) / 2


def denoising_score_matching_loss(
    score: Score, x: Tensor, generator: Generator | None = None, *, sigma: float
) -> Tensor:
    """Return ``|sigma s(x + sigma e) + e|^2 / 2`` with e ~ Normal(0, 1).

    What is fitted is the score of the data blurred by Normal(0, sigma^2). A loss at one noise level
    is weighed by sigma^2, so that levels compare.

    Source: Vincent 2011, A connection between score matching and denoising autoencoders, eq. 4.

    Args and result as of :func:`score_matching_loss`; the generator draws e.

    Raises:
        ValueError: If sigma is not above 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    error = sigma * score(x + sigma * noise) + noise
    return error.flatten(start_dim=1).square().sum(dim=1) / 2


def posterior_score(score: Score, log_likelihood: Callable[[Tensor], Tensor]) -> Score:
    """Return the score of p(x | y), ``grad log p(x) + grad_x log p(y | x)``.

    The normaliser p(y) does not depend on x, so that a score can be conditioned on what it was not
    trained with.

    Source: Song et al. 2021, Score-based generative modeling through stochastic differential
    equations, arXiv:2011.13456, eq. 14.

    Args:
        score: Of p(x).
        log_likelihood: x [B, *event] to log p(y | x) + constant, [B].
    """

    def conditional(x: Tensor) -> Tensor:
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(log_likelihood(at).sum(), at)
        return score(x) + slope

    return conditional
