"""Order-agnostic autoregression over the columns of a table: any of them given any others."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.data.cells import UNKNOWN
from ancestral.networks.arguments import check_whole
from ancestral.networks.cells import check_cells, given_rows, offsets
from ancestral.networks.completion import complete
from ancestral.networks.dag import DAG
from ancestral.tabular.clipping import clipped_loss, log_probs

_ROWS = 1 << 11
_BRANCHES = (4, 16)
_OWN = 0.5


class TabularAutoregressive(nn.Module):
    """``p(x) = prod_d p(x_d | x_1 .. x_d-1)`` over cells, by a network that knows any conditional.

    One network reads what is known of a row, the other columns marked as unknown, and returns the
    law of every column. It is trained on random sets of known columns, so that any subset of the
    columns may be given; ``log_prob`` and ``sample`` take the columns in their own order.

    Source: Uria, Murray & Larochelle 2014, A deep and tractable density estimator, arXiv:1310.1757;
    Hoogeboom et al. 2022, Autoregressive diffusion models, arXiv:2110.02037, eq. 4; Tiwald et al.
    2025, TabularARGN, arXiv:2501.12012.

    Args:
        sizes: Number of cells of each of the D columns.
        names: Names of the columns; x1, x2, ... if not given.
        ordered: Whether the cells of each column are in order: neighbours then share what they
            learn. None is, if not given.
        width: Of the network, at least 1.
        blocks: Residual blocks, at least 0.
        dropout: Share of hidden units left out while training, in [0, 1).

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> model = TabularAutoregressive([2, 3], width=8)
        >>> model.sample(5).shape, model.log_prob(torch.tensor([[0, 2], [1, 0]])).shape
        (torch.Size([5, 2]), torch.Size([2]))
    """

    _first: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        names: Sequence[str] = (),
        ordered: Sequence[bool] = (),
        width: int = 256,
        blocks: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_whole("width", width)
        check_whole("blocks", blocks, least=0)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.sizes = tuple(sizes)
        self.names = tuple(names) or tuple(f"x{i}" for i in range(1, len(sizes) + 1))
        ordered = tuple(ordered) or (False,) * len(sizes)
        self.known = CellVectors(sizes, ordered, width)
        self.unknown = nn.Parameter(torch.randn(len(sizes), width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = CellVectors(sizes, ordered, width)
        self.bias = nn.Parameter(torch.zeros(sum(sizes)))
        self.register_buffer("_first", offsets(sizes), persistent=False)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: every column under all before it."""
        return {"p": DAG({name: self.names[:at] for at, name in enumerate(self.names)})}

    def features(self, x: Tensor) -> Tensor:
        """Return the features [B, width] of what is known of rows [B, D]; -1 is not known."""
        table = self.known()
        known = (x != UNKNOWN).to(table.dtype)
        places = x.clamp_min(0) + self._first
        bag = functional.embedding_bag(places, table, mode="sum", per_sample_weights=known)
        hidden = bag + (1 - known) @ self.unknown
        for block in self.blocks:
            hidden = block(hidden)
        return self.norm(hidden)

    def logits(self, features: Tensor) -> Sequence[Tensor]:
        """Return the logits of every column, D of [B, K], given features [B, width]."""
        return functional.linear(features, self.head(), self.bias).split(self.sizes, dim=1)

    def conditional(self, x: Tensor, column: int) -> Tensor:
        """Return log p(column | the other cells of each row that are known), [B, K]."""
        others = x.clone()
        others[:, column] = UNKNOWN
        first, size = int(self._first[column]), self.sizes[column]
        vectors, bias = self.head()[first : first + size], self.bias[first : first + size]
        parts = [
            functional.linear(self.features(part), vectors, bias).log_softmax(dim=1)
            for part in others.split(_ROWS)
        ]
        return torch.cat(parts)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | given) of rows [B, D], nats, float64 [B]: the columns in their order.

        Columns that are given are known before all others.

        Raises:
            ValueError: If a cell is not known: it could not be summed out.
        """
        check_cells(x, self.sizes)
        seen = given_rows(given, self.names, self.sizes, len(x), x.device)
        if bool(((x == UNKNOWN) & (seen == UNKNOWN)).any()):
            raise ValueError("every cell must be known: this model cannot sum over one")
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for column in range(len(self.sizes)):
            if bool((seen[:, column] != UNKNOWN).all()):
                continue
            log_p = self.conditional(seen, column)
            total += log_p.gather(1, x[:, column, None])[:, 0].double()
            seen[:, column] = x[:, column]
        return total

    def mean_over_orders(
        self, x: Tensor, *, draws: int = 1, generator: Generator | None = None
    ) -> Tensor:
        """Estimate the mean over all orders of log p(x) of rows [B, D], nats, [B].

        It is a lower bound on the logarithm of the mean of the orders' probabilities, and unbiased
        for any number of ``draws``, each of one set of known columns.
        """
        check_whole("draws", draws)
        count, total = len(self.sizes), torch.zeros(len(x), device=x.device)
        for _ in range(draws):
            known, place = self._some(x, generator)
            # Each hidden column is equally likely to come next: their mean stands for one factor.
            total = total + (self._log_probs(x, place >= known) * count / (count - known)).sum(
                dim=1
            )
        return total / draws

    def complete(
        self, x: Tensor, *, least: Sequence[int] = (), generator: Generator | None = None
    ) -> Tensor:
        """Draw what is not known of rows [N, D], -1, given what is; columns in their order."""
        check_cells(x, self.sizes)
        order = range(len(self.sizes))
        parts = [
            complete(self.conditional, part, order=order, least=least, generator=generator)
            for part in x.split(_ROWS)
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n rows of cells, int64 [n, D]; columns that are given, by their cells, are held."""
        check_whole("n", n)
        rows = given_rows(given, self.names, self.sizes, n, self.unknown.device)
        return self.complete(rows, generator=generator)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers minus the mean over orders, and over their own."""
        return (Player(name="model", module=self, loss=self._loss, clipped=self._clipped),)

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return minus an estimate of log p(x), over random orders and over the columns' own.

        Of half of the rows the known columns are the first ones, as ``log_prob`` and ``sample``
        meet them. There the column that comes next stands for log p(x) in that order, and counts as
        much as all others do together, which stand for the orders that begin so.
        """
        x, count = batch.x, len(self.sizes)
        known, place = self._some(x, generator)
        own = torch.rand(len(x), 1, generator=generator, device=x.device) < _OWN
        place = torch.where(own, torch.arange(count, device=x.device), place)
        log_p = self._log_probs(x, place >= known)
        rest = (log_p * count / (count - known)).sum(dim=1)
        following = count * (log_p * (place == known)).sum(dim=1)
        total = torch.where(own[:, 0], (following + rest) / 2, rest)
        return Loss(-total.sum(), float(len(x)))

    def _clipped(self, batch: Batch, generator: Generator | None, clip: float) -> Loss:
        """Return the loss over random orders alone, its gradients bounded.

        A single column that counts for half of a row's gradient would after the cut be most of it.
        """
        known, place = self._some(batch.x, generator)
        total = clipped_loss(self, batch.x, place >= known, clip)
        return Loss(total, float(len(batch.x)))

    def _some(self, x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Return a number of known columns of each row, [B, 1], and a random order, [B, D]."""
        rand = partial(torch.rand, generator=generator, device=x.device)
        count = len(self.sizes)
        number = (rand(len(x), 1) * count).long()
        return number, rand(len(x), count).argsort(dim=1).argsort(dim=1)

    def _log_probs(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Return log p(column | the columns that are not hidden), 0 for those, [B, D]."""
        logits = self.logits(self.features(x.masked_fill(hidden, UNKNOWN)))
        return log_probs(logits, x) * hidden


class Block(nn.Module):
    """A residual block: norm, a wide layer, back to the width.

    Args:
        width: Of its input and output.
        dropout: Share of hidden units left out while training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, width] to [B, width]."""
        return x + self.layers(x)


class CellVectors(nn.Module):
    """A vector of each cell of each column: its own plus, of ordered cells, those of its group.

    Groups of 4 and of 16 neighbours share a part, so that a cell with few rows learns from others.

    Args:
        sizes: Number of cells of each column.
        ordered: Whether they are in order.
        width: Of a vector.
    """

    _groups: Tensor

    def __init__(self, sizes: Sequence[int], ordered: Sequence[bool], width: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(sum(sizes), width) * 0.02)
        groups, found = 0, []
        for branch in _BRANCHES:
            of_cells = []
            for size, in_order in zip(sizes, ordered, strict=True):
                if in_order and size > branch:
                    of_cells.append(torch.arange(size) // branch + 1 + groups)
                    groups += (size - 1) // branch + 1
                else:
                    of_cells.append(torch.zeros(size, dtype=torch.int64))
            found.append(torch.cat(of_cells))
        self.shared = nn.Parameter(torch.randn(groups + 1, width) * 0.02)
        self.register_buffer("_groups", torch.stack(found), persistent=False)

    def forward(self) -> Tensor:
        """Return the vectors of all cells, [all cells, width]."""
        return self.own + functional.embedding(self._groups, self.shared).sum(dim=0)

    def squares(self, slopes: Tensor) -> Tensor:
        """Return what the squared gradients by the parameters add up to, [B].

        Where the gradient by the vectors of all cells is ``slopes`` [B, all cells] times a vector
        of length 1.
        """
        shared = slopes.new_zeros(len(slopes), len(self.shared))
        for groups in self._groups:
            shared.index_add_(1, groups, slopes)
        return slopes.square().sum(dim=1) + shared.square().sum(dim=1)
