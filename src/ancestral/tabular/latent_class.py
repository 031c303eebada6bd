"""Latent classes: a mixture of products, the columns of a row independent given its class."""

import math
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical

from ancestral.capabilities import Given
from ancestral.data.cells import UNKNOWN
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.cells import check_cells, given_rows, offsets
from ancestral.networks.dag import DAG
from ancestral.networks.sampling import draw
from ancestral.telling import beat, time_left

_ROWS = 1 << 16


class LatentClass(nn.Module):
    """``p(x) = sum_c p(c) prod_d p(x_d | c)`` over cells, fitted by EM; one class is independence.

    What is not known of a row is summed out exactly: it leaves the product.

    Source: Lazarsfeld & Henry 1968, Latent Structure Analysis; Bishop 2006, Pattern Recognition and
    Machine Learning, sec. 9.3.3.

    Args:
        sizes: Number of cells of each of the D columns.
        classes: Number of classes, at least 1.
        names: Names of the columns; x1, x2, ... if not given.
        pseudo_count: Rows that are added to every class, spread as the cells of all rows are, so
            that no cell is impossible; above 0.
        sweeps: Most sweeps of EM, at least 1.
        tolerance: EM ends where a sweep gains fewer nats a row.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> x = torch.tensor([[0, 0], [0, 0], [1, 1], [1, 1]])
        >>> model = LatentClass([2, 2], classes=2, pseudo_count=1e-3).fit(x)
        >>> model.log_prob(torch.tensor([[0, 0], [0, -1]])).exp().round(decimals=2)
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """

    log_weights: Tensor
    log_tables: Tensor
    _first: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        classes: int = 1,
        names: Sequence[str] = (),
        pseudo_count: float = 1.0,
        sweeps: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__()
        check_whole("classes", classes)
        check_whole("sweeps", sweeps)
        if pseudo_count <= 0:
            raise ValueError(f"pseudo_count must be above 0, got {pseudo_count}")
        self.sizes, self.classes = tuple(sizes), classes
        self.names = tuple(names) or tuple(f"x{i}" for i in range(1, len(sizes) + 1))
        self.pseudo_count, self.sweeps, self.tolerance = pseudo_count, sweeps, tolerance
        uniform = torch.cat([torch.full((size,), -math.log(size)) for size in sizes]).double()
        self.register_buffer("log_weights", torch.full((classes,), -math.log(classes)).double())
        self.register_buffer("log_tables", uniform[:, None].repeat(1, classes))
        self.register_buffer("_first", offsets(sizes), persistent=False)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: every column under the class, or alone where there is one class."""
        if self.classes == 1:
            return {"p": DAG(dict.fromkeys(self.names, ()))}
        latent = "class"
        while latent in self.names:  # A column of that name is no class of rows.
            latent += "_"
        return {"p": DAG({latent: (), **dict.fromkeys(self.names, (latent,))})}

    @torch.no_grad()
    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Fit by EM to cells x [N, D], -1 where they are not known; return self.

        Raises:
            ValueError: If x has another shape or holds no cell of a column.
            DataError: If there is no row.
            CapabilityError: If anything is given.
        """
        check_cells(x, self.sizes, rows=1)
        refuse_unknown(given, "a mixture of classes")
        share = self._counts(x, torch.ones(len(x), 1, dtype=torch.float64, device=x.device)) + 1
        share /= self._sums(share)
        resp = torch.rand(
            (len(x), self.classes), generator=generator, dtype=torch.float64, device=x.device
        )
        # Each class begins near a row of its own, so that they differ from the first sweep on.
        seeds = torch.randperm(len(x), generator=generator, device=x.device)[: self.classes]
        alike = (x[:, None, :] == x[seeds]).sum(dim=-1) if self.classes > 1 else resp
        resp = (2.0 * alike + resp).softmax(dim=1)
        before = -math.inf
        for _ in range(self.sweeps):
            self._maximise(x, resp, share)
            log_joint = self._log_joint(x)
            log_prob = log_joint.logsumexp(dim=1)
            resp = (log_joint - log_prob[:, None]).exp()
            now = log_prob.mean().item()
            beat()
            if self.classes == 1 or now - before < self.tolerance or time_left() <= 0:
                break
            before = now
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the log-probability of what is known of each row [B, D], nats, float64 [B].

        Columns that are given are conditioned on.
        """
        check_cells(x, self.sizes)
        if given:
            fixed = given_rows(given, self.names, self.sizes, len(x), x.device)
            both = torch.where(fixed == UNKNOWN, x, fixed)
            return self.log_prob(both) - self.log_prob(fixed)
        return self._log_joint(x).logsumexp(dim=1)

    def posterior_classes(self, x: Tensor) -> Tensor:
        """Return p(class | what is known of each row), float64 [B, C]."""
        check_cells(x, self.sizes)
        return self._log_joint(x).softmax(dim=1)

    def conditional(self, x: Tensor, column: int) -> Tensor:
        """Return log p(column | the other cells of each row that are known), float64 [B, K]."""
        others = x.clone()
        others[:, column] = UNKNOWN
        log_class = self._log_joint(others).log_softmax(dim=1)
        first = int(self._first[column])
        table = self.log_tables[first : first + self.sizes[column]]
        return (log_class.exp() @ table.exp().T).log()

    def complete(
        self, x: Tensor, *, least: Sequence[int] = (), generator: Generator | None = None
    ) -> Tensor:
        """Draw what is not known of rows [N, D]: a class of each, then its cells."""
        check_cells(x, self.sizes)
        rows = []
        for part in x.split(_ROWS):
            joint = self._log_joint(part) + self._log_possible(part, least)
            classes, filled = _drawn(joint, generator), part.clone()
            for column, first in enumerate(self._first.tolist()):
                above = least[column] if least else 0
                table = self.log_tables[first + above : first + self.sizes[column]]
                drawn = above + _drawn(table.T[classes], generator)
                filled[:, column] = torch.where(part[:, column] == UNKNOWN, drawn, part[:, column])
            rows.append(filled)
        return torch.cat(rows)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n rows of cells, int64 [n, D]; columns that are given, by their cells, are held."""
        check_whole("n", n)
        device = self.log_weights.device
        return self.complete(
            given_rows(given, self.names, self.sizes, n, device), generator=generator
        )

    def _log_joint(self, x: Tensor) -> Tensor:
        """Return log p(class, what is known of the row), float64 [B, C]."""
        parts = []
        for rows in x.split(_ROWS):
            total = self.log_weights.expand(len(rows), -1).clone()
            for column, first in enumerate(self._first.tolist()):
                cells = rows[:, column]
                known = (cells != UNKNOWN)[:, None]
                total += self.log_tables[cells.clamp_min(0) + first].where(known, 0.0)
            parts.append(total)
        return torch.cat(parts)

    def _log_possible(self, x: Tensor, least: Sequence[int]) -> Tensor:
        """Return log p(what is not known may be drawn | class) of each row, float64 [B, C]."""
        total = torch.zeros((len(x), self.classes), dtype=torch.float64, device=x.device)
        for column, above in enumerate(least):
            first = int(self._first[column])
            table = self.log_tables[first + above : first + self.sizes[column]]
            total += (x[:, column] == UNKNOWN)[:, None] * table.logsumexp(dim=0)
        return total

    def _maximise(self, x: Tensor, resp: Tensor, share: Tensor) -> None:
        counts = self._counts(x, resp) + self.pseudo_count * share
        self.log_tables.copy_((counts / self._sums(counts)).log())
        weights = resp.sum(dim=0) + self.pseudo_count
        self.log_weights.copy_((weights / weights.sum()).log())

    def _counts(self, x: Tensor, resp: Tensor) -> Tensor:
        """Return how many rows of each class have each cell, float64 [all cells, C]."""
        counts = resp.new_zeros((sum(self.sizes), resp.shape[1]))
        for column, first in enumerate(self._first.tolist()):
            known = (x[:, column] != UNKNOWN).double()[:, None]
            counts.index_add_(0, x[:, column].clamp_min(0) + first, resp * known)
        return counts

    def _sums(self, counts: Tensor) -> Tensor:
        """Return the sum over each column's cells in the place of each cell."""
        parts = counts.split(self.sizes)
        return torch.cat([part.sum(dim=0, keepdim=True).expand_as(part) for part in parts])


def _drawn(logits: Tensor, generator: Generator | None) -> Tensor:
    return draw(Categorical(logits=logits, validate_args=False), (), generator)


def best_classes(x: Tensor, sizes: Sequence[int], *, generator: Generator, most: int = 256) -> int:
    """Return the number of classes, a power of 2, up to which held-out rows get likelier.

    Twice as many must gain more than the standard error of what they gain, and where the time is
    limited there is an end to the trials.

    Args:
        x: Cells, int64 [N, D]; a tenth of the rows is held out.
        sizes: Number of cells of each column.
        generator: Of the rows held out and of the starts of EM.
        most: Most classes that are tried.
    """
    order = torch.randperm(len(x), generator=generator, device=x.device)
    held_out, rest = x[order[: max(1, len(x) // 10)]], x[order[max(1, len(x) // 10) :]]
    best, before, classes = 1, None, 1
    while classes <= min(most, len(rest)):
        model = LatentClass(sizes, classes=classes, sweeps=60, tolerance=1e-3).to(x.device)
        scores = model.fit(rest, generator=generator).log_prob(held_out)
        if before is not None:
            gain = scores - before
            if gain.mean() <= gain.std(correction=0) / len(gain) ** 0.5:  # No more than chance.
                break
        best, before = classes, scores
        if time_left() <= 0:
            break
        classes *= 2
    return best
