"""Two chains over rows of cells: numbers fade into Gaussian noise, categories into even draws."""

from collections.abc import Sequence

import torch
from torch import Generator, Size, Tensor, nn
from torch.distributions import Distribution, Normal, kl_divergence, register_kl

from ancestral.diffusion.denoiser import time_of
from ancestral.networks.cell_scores import CellScores
from ancestral.networks.even_noise import draw_each
from ancestral.networks.gaussian_path import NoiseLevel
from ancestral.networks.noising import VariancePreservingStep

_LEAST = 1e-12
"""A variance of which the square root has a gradient; that at t = 1, where it is 0, is not used."""


class TableRow(Distribution):
    """A row with noise: a Normal for each column in order, probabilities for each other one.

    Where ``last``, numbers are cells, too.

    Args:
        scores: Of the columns.
        normal: Of the scores, [*B, N].
        p: Probabilities of the other cells, [*B, C].
        cells: Probabilities of the cells in order where ``last``; None: nowhere.
        last: Where a value is a row of cells, bool [*B, 1].
    """

    def __init__(
        self,
        scores: CellScores,
        normal: Normal,
        p: Tensor,
        cells: Tensor | None = None,
        last: Tensor | None = None,
    ) -> None:
        self.scores, self.normal, self.p, self.cells, self.last = scores, normal, p, cells, last
        super().__init__(p.shape[:-1], Size((len(scores.sizes),)), validate_args=False)

    def expand(
        self, batch_shape: Sequence[int], _instance: Distribution | None = None
    ) -> "TableRow":
        """Return the same for more rows."""
        shape = Size(batch_shape)
        loc, scale = (part.expand(*shape, -1) for part in (self.normal.loc, self.normal.scale))
        cells, last = (
            None if part is None else part.expand(*shape, -1) for part in (self.cells, self.last)
        )
        normal = Normal(loc, scale, validate_args=False)
        return TableRow(self.scores, normal, self.p.expand(*shape, -1), cells, last)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log-densities, or of rows of cells log-probabilities, nats, [*sample, *B]."""
        numbers, others = self.scores.split(value)
        lead = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        at, count = self.scores.at(numbers, others).expand(*lead, -1), numbers.shape[-1]
        shift = len(self.scores.scores)
        log_p = self.p.expand(*lead, -1).gather(-1, at[..., count:] - shift).log()
        log_number = self.normal.log_prob(numbers)
        if self.cells is not None and self.last is not None:
            own = self.cells.expand(*lead, -1).gather(-1, at[..., :count]).log()
            log_number = torch.where(self.last, own.to(log_number), log_number)
        return log_number.sum(-1) + log_p.sum(-1).to(log_number)

    def draw(self, shape: Size, generator: Generator | None) -> Tensor:
        """Return rows from a generator, [*shape, *B, D]: what :func:`draw` asks for."""
        full, loc = shape + self.normal.batch_shape, self.normal.loc
        noise = torch.randn(full, generator=generator, dtype=loc.dtype, device=loc.device)
        numbers = loc + self.normal.scale * noise
        if self.cells is not None and self.last is not None:
            cells = self.cells.expand(*shape, *self.cells.shape)
            drawn = draw_each(cells, self.scores.lengths, generator)
            numbers = torch.where(self.last, drawn.to(loc), numbers)
        others = self.scores.noise.draw(self.p.expand(*shape, *self.p.shape), generator)
        return self.scores.join(numbers, others.to(loc))


@register_kl(TableRow, TableRow)
def _kl(q: TableRow, p: TableRow) -> Tensor:
    """KL of rows with noise, neither of them cells, nats, [*B]."""
    gaussian = kl_divergence(q.normal, p.normal).sum(-1)
    return gaussian + (q.p * (q.p.log() - p.p.log())).sum(-1).to(gaussian)


class TableNoise(nn.Module):
    """The step of q: Gaussian noise of the scores, even draws of the other cells, one schedule.

    Args:
        scores: Of the columns.
        gaussian: Noise of the scores, whose shares are those of the categories, too.
    """

    def __init__(self, scores: CellScores, gaussian: VariancePreservingStep) -> None:
        super().__init__()
        self.scores, self.gaussian = scores, gaussian

    def forward(self, z: Tensor, t: Tensor) -> TableRow:
        """Return q(z_t | z_t-1); z_0 is a row of cells, [R, D]."""
        before, now = self.gaussian.shares(t)
        numbers, others = self.scores.split(z)
        scores = torch.where(t[:, None] == 1, self.scores.score(numbers), numbers)
        p = self.scores.noise(self.scores.one_hot(others).double(), now / before)
        return TableRow(self.scores, self.gaussian(scores, t), p)

    def jump(self, start: Tensor, t: Tensor) -> TableRow:
        """Return q(z_t | z_0)."""
        _, now = self.gaussian.shares(t)
        numbers, others = self.scores.split(start)
        p = self.scores.noise(self.scores.one_hot(others).double(), now)
        return TableRow(self.scores, self.gaussian.jump(self.scores.score(numbers), t), p)

    def posterior(self, z: Tensor, start: Tensor, t: Tensor) -> TableRow:
        """Return q(z_t-1 | z_t, z_0)."""
        numbers, others = self.scores.split(start)
        seen, now = self.scores.split(z)
        normal = self.gaussian.posterior(seen, self.scores.score(numbers), t)
        z_others, x_others = (self.scores.one_hot(part).double() for part in (now, others))
        p = self.scores.noise.back(z_others, x_others, *self.gaussian.shares(t))
        return TableRow(self.scores, normal, p)


class TableDenoiser(nn.Module):
    """What a network says of a row of cells, given the row with noise.

    By Bayes' rule each column with noise tells of its own cell, whose share is known; the network
    says how the laws given the whole row differ, so that it begins at independent columns.

    Args:
        network: Maps laws of cells [B, features] and time [B] to log-factors [B, features].
        scores: Of the columns.
    """

    def __init__(self, network: nn.Module, scores: CellScores) -> None:
        super().__init__()
        self.network, self.scores = network, scores

    def forward(self, numbers: Tensor, others: Tensor, sigma: Tensor) -> Tensor:
        """Return the laws of the cells of each column, float64 [B, features].

        Args:
            numbers: Scores with noise, of variance 1, [B, N].
            others: Cells with noise, [B, M].
            sigma: Noise of the scores in units of theirs, above 0, [B].
        """
        level, scores = NoiseLevel.preserving(sigma), self.scores
        of_numbers = scores.evidence(numbers, level.alpha, level.sigma).double()
        of_others = scores.noise(scores.one_hot(others).double(), share_kept(sigma)).log()
        seen = torch.cat((of_numbers, of_others), dim=1)
        return scores.answered(self.network, seen, time_of(sigma))


class TableDenoising(nn.Module):
    """The step of p: the posteriors of q, averaged over what the denoiser says of the row.

    Of scores it is the Normal of that mean and variance.
    """

    def __init__(self, noise: TableNoise, denoiser: TableDenoiser) -> None:
        super().__init__()
        self.noise, self.denoiser = noise, denoiser

    def forward(self, z: Tensor, t: Tensor) -> TableRow:
        """Return p(z_t-1 | z_t), z_t [R, D], t [R] from 1 to T."""
        gaussian, scores = self.noise.gaussian, self.noise.scores
        numbers, others = scores.split(z)
        cells, law = scores.parts(self.denoiser(numbers, others, gaussian.ratio(t).to(z)))
        mean, spread = scores.moments(cells)
        of_start, of_z, variance = gaussian.posterior_factors(t)
        deviation = (variance + of_start.square() * spread).clamp_min(_LEAST).sqrt()
        normal = Normal(
            (of_start * mean + of_z * numbers).to(z), deviation.to(z), validate_args=False
        )
        p = scores.noise.back(scores.one_hot(others).double(), law, *gaussian.shares(t))
        return TableRow(scores, normal, p, cells, (t == 1)[:, None])


class TablePrior(nn.Module):
    """Normal(0, 1) scores and even draws of the other cells."""

    def __init__(self, scores: CellScores) -> None:
        super().__init__()
        self.scores = scores

    def forward(self) -> TableRow:
        """Return the law of z_T."""
        zero = self.scores.scores.new_zeros(len(self.scores.lengths))
        normal = Normal(zero, torch.ones_like(zero), validate_args=False)
        return TableRow(self.scores, normal, self.scores.noise.share)


def share_kept(sigma: Tensor) -> Tensor:
    """Return the share of the variance that is kept at levels of noise [B], float64 [B, 1]."""
    return (1 + sigma.double().square()).reciprocal()[:, None]
