"""The diffusion model of mixed tables: two chains over rows of cells, and their exact bound."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.data.cells import UNKNOWN
from ancestral.diffusion.diffusion import (
    AT_ONCE,
    TERMS,
    Emphasis,
    check_loss,
    sampler_levels,
    training_levels,
)
from ancestral.diffusion.samplers import walk as walk_levels
from ancestral.diffusion.table_chain import (
    TableDenoiser,
    TableDenoising,
    TableNoise,
    TablePrior,
    share_kept,
)
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.cell_scores import CellScores
from ancestral.networks.cells import check_cells
from ancestral.networks.chain import Chain
from ancestral.networks.chain_elbo import chain_elbo
from ancestral.networks.dag import DAG
from ancestral.networks.gaussian_path import NoiseLevel
from ancestral.networks.noising import VariancePreservingStep, cosine_schedule, term_chances
from ancestral.nn.guidance import check_guidance

_OF_THE_BOUND = 0.05
"""Part of -elbo in the loss of cross-entropies, by which no level goes astray: without it two
dependent columns got a bound below that of independent ones. Online shoppers, 20 s: -43.7 nats a
row, -43.3 without it, -44.6 by the bound alone."""

TableWeighting: TypeAlias = Literal["bound", "cross-entropy"]


class TableDiffusion(nn.Module):
    """Gaussian diffusion of the numbers of a row and multinomial diffusion of its categories.

    ``q = {z_1, ..., z_T | x}`` adds Gaussian noise to the scores of cells in order and draws the
    other cells anew, evenly, with a growing chance; ``p = {z_T, ..., z_1, x}`` runs back by one
    network that sees all columns: it says how the law of each cell, given the row with noise,
    differs from the column's shares and what the noised cell tells of itself. So it begins at
    independent columns, and the bound is one on the probability of the row, in nats. A cell that
    is not known, -1, is summed out by a bound of its own: a draw of its column is imagined.

    Source: Kotelnikov et al. 2023, TabDDPM, arXiv:2209.15421; Hoogeboom et al. 2021,
    arXiv:2102.05379, sec. 4 (multinomial diffusion); Ho, Jain & Abbeel 2020, arXiv:2006.11239.

    Args:
        network: Maps laws of cells [B, features] and time [B] to what is added to their logarithms,
            [B, features], the features of ``scores``.
        scores: Of the columns; see :class:`~ancestral.networks.cell_scores.CellScores`.
        schedule: Shares that q keeps, a module as of :class:`~ancestral.diffusion.Diffusion`.
        weighting: ``bound`` lowers -elbo; ``cross-entropy`` that of the cells at all levels alike,
            by half of a batch, and a twentieth of -elbo by the others: the least is the same, and
            the gradients vary less, while what little noise asks for is not lost.
        emphasis: Levels at which the loss is taken: those of the ``schedule``, or ``log-normal``.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> scores = CellScores([2, 5], ordered=[False, True])
        >>> model = TableDiffusion(TimedMLP(scores.features, hidden=(32,)), scores)
        >>> model.elbo(torch.tensor([[1, 4], [0, -1]])).shape
        torch.Size([2])
        >>> *_, x = model.walk(3, steps=20)
        >>> x.shape, x.dtype
        (torch.Size([3, 2]), torch.int64)
    """

    def __init__(
        self,
        network: nn.Module,
        scores: CellScores,
        *,
        schedule: nn.Module | None = None,
        weighting: TableWeighting = "cross-entropy",
        emphasis: Emphasis = "log-normal",
    ) -> None:
        super().__init__()
        if weighting not in ("bound", "cross-entropy"):
            raise ValueError(f"weighting must be bound or cross-entropy, got {weighting!r}")
        check_loss("bound", emphasis)
        self.weighting: TableWeighting = weighting
        self.emphasis: Emphasis = emphasis
        self.denoiser = TableDenoiser(network, scores)
        schedule = schedule or cosine_schedule(1000)
        self.gaussian = VariancePreservingStep(schedule, (len(scores.lengths),))
        self.steps = len(self.gaussian.kept) - 1
        self._names = ("x", *(f"z{t}" for t in range(1, self.steps + 1)))

    @property
    def scores(self) -> CellScores:
        """The scores of the cells, of which a model has one copy."""
        return self.denoiser.scores

    @property
    def q(self) -> Chain:
        """The chain from rows of cells to noise."""
        event = (len(self.scores.sizes),)
        noise = TableNoise(self.scores, self.gaussian)
        return Chain(None, noise, steps=self.steps, event_shape=event, names=self._names)

    @property
    def p(self) -> Chain:
        """The chain from noise to rows of cells."""
        return Chain(
            TablePrior(self.scores),
            TableDenoising(TableNoise(self.scores, self.gaussian), self.denoiser),
            steps=self.steps,
            event_shape=(len(self.scores.sizes),),
            reverse=True,
            names=self._names,
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The chain ``p`` from noise to data, and ``q`` from data to noise."""
        return {"p": self.p.graph, "q": self.q.graph}

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw noise, then walk the chain back step by step to n rows of cells, int64 [n, D].

        :meth:`walk` needs far fewer steps.
        """
        check_whole("n", n)
        refuse_unknown(given, "a diffusion model of tables")
        with torch.no_grad():
            *_, x = self.p.walk(n, generator=generator)
        return x.long()

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 50,
        sampler: str = "dpmpp-2m",
        guidance: float = 1.0,
    ) -> Iterator[Tensor]:
        """Yield the states of n draws as rows of cells, int64 [n, D], the noise first.

        The scores go by the sampler, the categories beside them: where it asks for a lower level,
        they are drawn from the reverse of their noise, and where for a higher one, get more.

        Args:
            n: Number of draws, at least 1.
            given: Nothing can be.
            generator: Source of all noise; torch's global one if None.
            steps: Steps of the sampler, at least 1.
            sampler: One of :data:`~ancestral.diffusion.samplers.SAMPLERS`.
            guidance: 1: there are no labels to guide by.

        Raises:
            ConfigError: If there is another guidance scale.
            ValueError: If an argument is out of its range.
        """
        check_whole("n", n)
        refuse_unknown(given, "a diffusion model of tables")
        check_guidance(guidance, labelled=False)
        levels = sampler_levels(self.gaussian, (len(self.scores.sizes),), steps)
        like = self.scores.scores
        beside, shape = _Beside(self.denoiser, n, generator), (n, len(self.scores.lengths))
        states = walk_levels(sampler, beside.denoise, levels, shape, like=like, generator=generator)
        for level, state in zip(levels, states, strict=True):
            beside.move(like.new_tensor(level))
            numbers = self.scores.nearest(state / math.sqrt(1 + level**2))
            yield self.scores.join(numbers, beside.cells)

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x), in nats, [B].

        Of the T terms some are drawn.

        Args:
            x: Rows of cells, int64 [B, D]; -1 where one is not known.
            given: Nothing can be.
            draws: Number of draws that are averaged, at least 1.
            generator: Source of the draws; torch's global one if None.
        """
        check_whole("draws", draws)
        refuse_unknown(given, "a diffusion model of tables")
        check_cells(x, self.scores.sizes)
        terms = min(self.steps, TERMS)
        parts = x.split(max(1, AT_ONCE // (terms * self.scores.features)))
        rounds = [
            torch.cat([self._bound(part, terms, generator) for part in parts]) for _ in range(draws)
        ]
        return torch.stack(rounds).mean(0)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the error of what is denoised."""
        return [Player(name="diffusion", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        check_cells(batch.x, self.scores.sizes)
        half = 0 if self.weighting == "bound" else (len(batch.x) + 1) // 2
        told, bounded = batch.x[:half], batch.x[half:]
        each = -self._bound(bounded, 1, generator) / len(self.scores.sizes)
        if not half:
            return Loss(each.sum(), weight=len(each))
        entropy = self._cross_entropy(told, generator)
        total = entropy.sum() + _OF_THE_BOUND * each.sum()
        return Loss(total * len(batch.x) / half, len(batch.x), {"error": entropy.detach().mean()})

    def _cross_entropy(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Return that of the known cells at a level for each row, the mean over columns, [B]."""
        numbers, others = self.scores.split(self.scores.imagined(x, generator))
        scores = self.scores.score(numbers)
        sigma = training_levels(self.gaussian, scores, generator, emphasis=self.emphasis)
        noise = torch.randn(
            scores.shape, generator=generator, dtype=scores.dtype, device=scores.device
        )
        z = NoiseLevel.preserving(sigma).mix(scores, noise)
        seen, categories = self.scores.one_hot(others).double(), self.scores.noise
        states = categories.draw(categories(seen, share_kept(sigma)), generator)
        return self.scores.cross_entropy(self.denoiser(z, states, sigma), x)

    def _bound(self, x: Tensor, terms: int, generator: Generator | None) -> Tensor:
        """Return the bound by so many of its terms: of the known cells, the others imagined."""
        free = ((x == UNKNOWN) * self.scores.entropies).sum(1)
        return free + chain_elbo(
            self.p,
            self.q,
            self.scores.imagined(x, generator).to(self.scores.scores),
            times=terms,
            chances=term_chances(self.gaussian.kept.detach()),
            generator=generator,
        )


class _Beside:
    """The categories of n rows, which keep up with a sampler of the numbers."""

    def __init__(self, denoiser: TableDenoiser, n: int, generator: Generator | None) -> None:
        self._denoiser, self._generator = denoiser, generator
        self._noise = denoiser.scores.noise
        self.cells = self._noise.draw(self._noise.share.expand(n, -1), generator)
        self._kept = self._law = None

    def denoise(self, y: Tensor, sigma: Tensor) -> Tensor:
        """Return the mean of the scores given them with noise [n, N] and the categories' state."""
        self.move(sigma.flatten()[0])
        z = y * (1 + sigma[:, None] ** 2).rsqrt()
        scores = self._denoiser.scores
        cells, self._law = scores.parts(self._denoiser(z, self.cells, sigma))
        return scores.moments(cells)[0].to(y)

    def move(self, sigma: Tensor) -> None:
        """Move the categories to a level of noise, down by what was denoised last."""
        kept, before = share_kept(sigma[None])[0], self._kept
        if before is not None and self._law is not None and kept != before:
            seen = self._denoiser.scores.one_hot(self.cells).double()
            if kept > before:
                p = self._noise.back(seen, self._law, kept, before)
            else:
                p = self._noise(seen, kept / before)
            self.cells = self._noise.draw(p, self._generator)
        self._kept = kept
