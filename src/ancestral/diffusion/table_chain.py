"""Two chains over rows of cells: numbers fade into Gaussian noise, categories into even draws."""

from collections.abc import Sequence

import torch
from torch import Generator, Size, Tensor, nn
from torch.distributions import Distribution, Normal, kl_divergence, register_kl

from ancestral.diffusion.denoiser import Spread, time_of
from ancestral.networks.cell_scores import CellScores
from ancestral.networks.gaussian_path import NoiseLevel, Quantity
from ancestral.networks.noising import VariancePreservingStep

_TAIL = 1e3
"""Standard deviations from a mean at which a border is taken to be infinitely far."""


class TableRow(Distribution):
    """A row with noise: a Normal for each column in order, probabilities for each other one.

    Where ``last``, numbers are read at cells: the mass between the borders of a cell.

    Args:
        scores: Of the columns.
        normal: Of the scores, [*B, N].
        p: Probabilities of the other cells, [*B, C].
        last: Where a value is a row of cells, bool [*B, 1]; None: nowhere.
    """

    def __init__(
        self, scores: CellScores, normal: Normal, p: Tensor, last: Tensor | None = None
    ) -> None:
        self.scores, self.normal, self.p, self.last = scores, normal, p, last
        super().__init__(p.shape[:-1], Size((len(scores.sizes),)), validate_args=False)

    def expand(
        self, batch_shape: Sequence[int], _instance: Distribution | None = None
    ) -> "TableRow":
        """Return the same for more rows."""
        shape = Size(batch_shape)
        parts = (part.expand(*shape, -1) for part in (self.normal.loc, self.normal.scale))
        normal = Normal(*parts, validate_args=False)
        last = None if self.last is None else self.last.expand(*shape, 1)
        return TableRow(self.scores, normal, self.p.expand(*shape, -1), last)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log-densities, or of rows of cells log-probabilities, nats, [*sample, *B]."""
        numbers, others = self.scores.split(value)
        log_p = self.normal.log_prob(numbers)
        if self.last is not None:
            log_p = torch.where(self.last, self._log_mass(numbers), log_p)
        at = others.long() + self.scores.first
        lead = torch.broadcast_shapes(at.shape[:-1], self.batch_shape)
        p = self.p.expand(*lead, -1).gather(-1, at.expand(*lead, -1))
        return log_p.sum(-1) + p.log().sum(-1).to(log_p)

    def draw(self, shape: Size, generator: Generator | None) -> Tensor:
        """Return rows from a generator, [*shape, *B, D]: what :func:`draw` asks for."""
        full, loc = shape + self.normal.batch_shape, self.normal.loc
        noise = torch.randn(full, generator=generator, dtype=loc.dtype, device=loc.device)
        numbers = loc + self.normal.scale * noise
        if self.last is not None:
            numbers = torch.where(self.last, self.scores.nearest(numbers).to(loc), numbers)
        others = self.scores.noise.draw(self.p.expand(*shape, *self.p.shape), generator)
        return self.scores.join(numbers, others.to(loc))

    def _log_mass(self, numbers: Tensor) -> Tensor:
        loc, scale = self.normal.loc, self.normal.scale
        # Beyond the clamp lie the outer borders, and slopes that would lose all digits.
        low, high = (((at - loc) / scale).clamp(-_TAIL, _TAIL) for at in self.scores.ends(numbers))
        # From the nearer tail, where the difference of two masses keeps its digits.
        far = torch.special.log_ndtr(torch.where(low > 0, -high, low))
        near = torch.special.log_ndtr(torch.where(low > 0, -low, high))
        return near + torch.log(-torch.expm1((far - near).clamp(max=-1e-7)))


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

    It is asked for the mean of the scores, as of a :class:`~ancestral.diffusion.Denoiser`, which is
    then taken to the cells around, and for the law of the other cells but for what each with noise
    tells of itself: that is Bayes' rule. So little noise, through which one sees the cell, is for
    nothing that has to be learned.

    Args:
        network: Maps z [B, features] and time [B] to [B, features].
        scores: Of the columns.
        prediction: What its output of numbers is taken for.
    """

    def __init__(self, network: nn.Module, scores: CellScores, prediction: Quantity) -> None:
        super().__init__()
        self.network, self.scores = network, scores
        self.prediction: Quantity = prediction

    def forward(self, numbers: Tensor, others: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of the scores [B, N], and the prior of the other cells, float64 [B, C].

        Args:
            numbers: Scores with noise, of variance 1, [B, N].
            others: Cells with noise, [B, M].
            sigma: Noise of the scores in units of theirs, above 0, [B].
        """
        z = torch.cat((numbers, self.scores.one_hot(others)), dim=1)
        out = self.network(z, time_of(sigma))
        value, logits = out.split((numbers.shape[1], out.shape[1] - numbers.shape[1]), dim=1)
        level = NoiseLevel.preserving(sigma)
        smooth = level.convert(value, numbers, have=self.prediction, want="x")
        # Were the scores smooth, this would be about their deviation; but they are those of cells.
        x = self.scores.expected(smooth, level.sigma[:, None])
        parts = [part.softmax(1) for part in logits.double().split(self.scores.groups, dim=1)]
        return x, torch.cat((logits[:, :0].double(), *parts), dim=1)


class TableDenoising(nn.Module):
    """The step of p: the posteriors of q, averaged over what the denoiser says of the row."""

    def __init__(self, noise: TableNoise, denoiser: TableDenoiser, spread: Spread) -> None:
        super().__init__()
        self.noise, self.denoiser, self.spread = noise, denoiser, spread

    def forward(self, z: Tensor, t: Tensor) -> TableRow:
        """Return p(z_t-1 | z_t), z_t [R, D], t [R] from 1 to T."""
        gaussian, scores = self.noise.gaussian, self.noise.scores
        numbers, others = scores.split(z)
        sigma = gaussian.ratio(t).to(z)
        mean, prior = self.denoiser(numbers, others, sigma)
        of_start, of_z, variance = gaussian.posterior_factors(t)
        deviation = variance + (of_start * self.spread(sigma)[:, None]).square()
        normal = Normal(
            (of_start * mean + of_z * numbers).to(z),
            deviation.sqrt().to(z).expand_as(mean),
            validate_args=False,
        )
        p = scores.noise.back(scores.one_hot(others).double(), prior, *gaussian.shares(t))
        return TableRow(scores, normal, p, (t == 1)[:, None])


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
