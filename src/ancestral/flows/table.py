"""Flow matching of mixed tables: noise carried to rows of cells, whose laws a network learns."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.flows.flow_matching import PATHS, Path
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.cell_scores import CellScores
from ancestral.networks.cells import check_cells
from ancestral.networks.dag import DAG
from ancestral.networks.gaussian_path import NoiseLevel
from ancestral.networks.ode import even, walk
from ancestral.networks.sampling import even_uniform, last_of
from ancestral.nn.guidance import check_guidance


class TableFlowMatching(nn.Module):
    """Flow matching of rows of cells: of numbers by their scores, of other columns by vectors.

    A row is the point ``x_1`` of the scores of its cells in order and of a single 1 for each other
    cell; Gaussian noise is carried to it. The velocity of a path is linear in ``x_1`` given the
    point z on it, so its mean follows from the laws of the cells given z, which a network learns
    by cross-entropy: no square of a difference to a cell has to be matched. What z tells of each
    column by itself is known by Bayes' rule and the column's shares; the network says how the laws
    given the whole row differ, so that it begins at independent columns. The last step draws the
    cells by their laws. There is no density.

    Source: Lipman et al. 2023, arXiv:2210.02747; velocities by laws of categories: Eijkelboom et
    al. 2024, Variational Flow Matching for Graph Generation, arXiv:2406.04843, sec. 3-4.

    Args:
        network: Maps laws of cells [B, features] and time [B] to what is added to their logarithms,
            [B, features], the features of ``scores``.
        scores: Of the columns; see :class:`~ancestral.networks.cell_scores.CellScores`.
        path: ``straight`` (optimal transport), or ``preserving`` the variance.

    Raises:
        ValueError: If the path is none of these.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> scores = CellScores([2, 5], ordered=[False, True])
        >>> model = TableFlowMatching(TimedMLP(scores.features, hidden=(32,)), scores)
        >>> x = model.sample(3)
        >>> x.shape, x.dtype
        (torch.Size([3, 2]), torch.int64)
    """

    def __init__(self, network: nn.Module, scores: CellScores, *, path: Path = "straight") -> None:
        super().__init__()
        if path not in PATHS:
            raise ValueError(f"path must be one of {', '.join(PATHS)}, got {path!r}")
        self.network, self.scores, self.path = network, scores, path

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network: noise, and x, which is drawn where it was carried."""
        return {"p": DAG({"z": (), "x": ("z",)})}

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n rows of cells, int64 [n, D]; nothing can be given."""
        return last_of(self.walk(n, given=given, generator=generator))

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 50,
        sampler: str = "heun",
        guidance: float = 1.0,
    ) -> Iterator[Tensor]:
        """Yield the states of n draws as the cells next to them, int64 [n, D], the noise first.

        Args:
            n: Number of draws, at least 1.
            given: Nothing can be.
            generator: Source of the noise and of the last draw; torch's global one if None.
            steps: Of equal length, at least 1; the last is a draw by one evaluation.
            sampler: One of :data:`~ancestral.networks.ode.SOLVERS`, for the steps before it.
            guidance: 1: there are no labels to guide by.

        Raises:
            ConfigError: If there is another guidance scale.
            ValueError: If steps or sampler are out of their range.
        """
        check_whole("n", n)
        refuse_unknown(given, "flow matching of tables")
        check_guidance(guidance, labelled=False)
        times, like = even(steps), self.scores.scores
        width = len(self.scores.lengths) + sum(self.scores.groups)
        z = torch.randn((n, width), generator=generator, dtype=like.dtype, device=like.device)
        yield self._nearest(z)
        if steps > 1:
            for z in walk(self.velocity, z, times[:-1], method=sampler):  # noqa: B020
                yield self._nearest(z)
        yield self.scores.drawn(self.law(z, z.new_full((n,), times[-2])), generator)

    def law(self, z: Tensor, t: Tensor) -> Tensor:
        """Return the laws of the cells of each column, float64 [B, features].

        Args:
            z: Points of paths: numbers' scores, then the other columns, [B, N + cells of those].
            t: Times in [0, 1), [B].
        """
        level = PATHS[self.path](t)
        numbers, others = self._parts(z)
        of_numbers = self.scores.evidence(numbers, level.alpha, level.sigma)
        of_others = (level.alpha / level.sigma.square())[:, None] * others
        seen = torch.cat((of_numbers, of_others), dim=1).double()
        return self.scores.answered(self.network, seen, t)

    def velocity(self, z: Tensor, t: Tensor) -> Tensor:
        """Return the mean velocity of the paths through z [B, N + C] at times t [B] below 1."""
        numbers, others = self.scores.parts(self.law(z, t))
        mean = torch.cat((self.scores.moments(numbers)[0], others), dim=1).to(z)
        return PATHS[self.path](t).convert(mean, z, have="x", want="velocity")

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the cross-entropy of the cells."""
        return [Player(name="flow", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        check_cells(batch.x, self.scores.sizes)
        numbers, others = self.scores.split(self.scores.imagined(batch.x, generator))
        x = torch.cat((self.scores.score(numbers), self.scores.one_hot(others)), dim=1)
        t = even_uniform(len(x), x, generator)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        level: NoiseLevel = PATHS[self.path](t)
        each = self.scores.cross_entropy(self.law(level.mix(x, noise), t), batch.x)
        return Loss(each.sum(), weight=len(x))

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return of points [B, N + C] the scores [B, N] and the other columns [B, C]."""
        count = len(self.scores.lengths)
        return z[:, :count], z[:, count:]

    def _nearest(self, z: Tensor) -> Tensor:
        """Return the rows of cells next to points, int64 [B, D]."""
        numbers, others = self._parts(z)
        states = [part.argmax(1) for part in others.split(self.scores.groups, dim=1)]
        cells = torch.stack(states, dim=1) if states else others.long()
        return self.scores.join(self.scores.nearest(numbers), cells)
