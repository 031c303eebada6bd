"""Frechet distance between the Gaussian fits of two samples, in the space of the data."""

import math

import torch
from torch import Tensor

from ancestral.evaluation.measures.estimate import Estimate, require_pair


def frechet(x: Tensor, y: Tensor) -> Estimate:
    """Squared Wasserstein-2 distance between the Gaussian fits of two samples.

    |mu_x - mu_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)), in squared units of the points. It is
    NOT the FID of image papers, which takes the features of an Inception network: here the
    points are the data themselves, so the figure sees means and covariances only.

    The standard error is the delta method's: the spread, over the points of each sample, of the
    Kantorovich potential between the two Gaussians. The upward bias of finite samples is left
    out; the real-against-real floor shows it.

    Source: Dowson & Landau 1982, The Frechet distance between multivariate normal
    distributions, eq. 4; error: Rippl et al. 2016, arXiv:1506.04480, theorem 2.1.

    Args:
        x: Points [N, D].
        y: Points [M, D]. Time grows with D^3.

    Returns:
        The squared distance and its standard error.

    Raises:
        ValueError: If a sample has fewer than 2 rows, is not finite, or the columns differ.
    """
    require_pair(x, y, least=2)
    x, y = x.double(), y.double()
    shift = x.mean(dim=0) - y.mean(dim=0)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    transport, pull_x = _transport(x, y)
    _, pull_y = _transport(y, x)
    value = shift @ shift + x.square().sum() / len(x) + y.square().sum() / len(y) - 2 * transport
    potential_x = x.square().sum(dim=1) - pull_x + 2 * x @ shift
    potential_y = y.square().sum(dim=1) - pull_y - 2 * y @ shift
    variance = potential_x.var() / len(x) + potential_y.var() / len(y)
    return Estimate(max(value.item(), 0.0), math.sqrt(variance.item()))


def _transport(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return tr (S_x S_y)^(1/2) and, per point of x, its product with its optimal image [N].

    All is done in the eigenbasis of S_x, where points are whitened; directions in which x does
    not vary have no points and drop out.
    """
    values, basis = torch.linalg.eigh(x.T @ x / len(x))
    keep = values > values[-1].clamp(min=1e-300) * 1e-12
    scale, basis = values[keep].sqrt(), basis[:, keep]
    y_there = (y @ basis) * scale
    squares, rotation = torch.linalg.eigh(y_there.T @ y_there / len(y))
    roots = squares.clamp(min=0).sqrt()
    white = ((x @ basis) / scale) @ rotation
    return roots.sum(), white.square() @ roots
