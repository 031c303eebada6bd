"""Feeds: where the loop gets the examples of a batch from, whatever holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ancestral.capabilities import Batch
from ancestral.training.order import Order, PoissonOrder, WindowedOrder


class Batches(Protocol):
    """Which examples come in which batch: a function of the seed and the batch's number alone."""

    @property
    def batch_size(self) -> int:
        """Return how many examples a batch holds."""
        ...

    def batch(self, index: int) -> Tensor:
        """Return the indices of the examples of batch ``index`` (from 0), int64 [batch_size]."""
        ...


class Feed(Protocol):
    """Examples by number, so that no feed has a position.

    A run that is resumed asks for the same indices, and is given the same examples.
    """

    def __len__(self) -> int:
        """Return N, the number of examples."""
        ...

    def order(self, batch_size: int, seed: int) -> Batches:
        """Return the endless stream of examples, cut into batches.

        Args:
            batch_size: Examples of a batch; more than N is cut to N.
            seed: The run's seed.
        """
        ...

    def take(self, indices: Tensor) -> Batch:
        """Return the examples at ``indices``, int64 [B] on the CPU, in that order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A feed of tensors that lie in memory, or of a file that is mapped into it.

    Args:
        x: Examples, [N, *event].
        given: What is known of them, each [N, *].
        lengths: Of the examples, [N], where batches should hold examples of like length.
        mapped: ``x`` lies in a file: the rows of a batch are read from its start to its end.
        poisson: Batches hold each example independently of the others, as private training asks.

    Example:
        >>> import torch
        >>> Rows(torch.arange(6.0).view(3, 2), mapped=True).take(torch.tensor([2, 0])).x
        tensor([[4., 5.],
                [0., 1.]])
    """

    x: Tensor
    given: Mapping[str, Tensor] = field(default_factory=dict)
    lengths: Tensor | None = None
    mapped: bool = False
    poisson: bool = False

    def __len__(self) -> int:
        """Return N."""
        return len(self.x)

    def order(self, batch_size: int, seed: int) -> Batches:
        """Return the examples of each epoch in random order, or batches of independent ones."""
        if self.poisson:
            return PoissonOrder(len(self.x), batch_size, seed=seed)
        return Order(len(self.x), batch_size, seed=seed, lengths=self.lengths)

    def take(self, indices: Tensor) -> Batch:
        """Return the examples at ``indices``."""
        indices = indices.to(self.x.device)
        given = {name: value.index_select(0, indices) for name, value in self.given.items()}
        if not self.mapped:
            return Batch(self.x.index_select(0, indices), given)
        ordered, places = indices.sort()
        x = self.x.new_empty((len(indices), *self.x.shape[1:]))
        return Batch(x.index_copy_(0, places, self.x.index_select(0, ordered)), given)


class Chunks(Protocol):
    """Examples in chunks, each of which is read as a whole: a row group, an archive."""

    @property
    def sizes(self) -> Tensor:
        """Return the number of examples of each chunk, int64 [K]."""
        ...

    def read(self, chunk: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the examples of a chunk, [N, *event], and what is known of them."""
        ...


class Streamed:
    """A feed of chunks that are read as they come, in a seeded order, and forgotten.

    The examples of ``window`` chunks are mixed with each other, and two windows are held.

    Args:
        chunks: Where the examples lie.
        window: Chunks whose examples are mixed.
        given: Whether what is known of the examples is needed.
    """

    def __init__(self, chunks: Chunks, *, window: int = 4, given: bool = True) -> None:
        self.chunks, self.window, self.given = chunks, window, given
        self._ends = chunks.sizes.cumsum(0)
        self._held: dict[int, tuple[Tensor, Mapping[str, Tensor]]] = {}

    def __len__(self) -> int:
        """Return N."""
        return int(self._ends[-1])

    def order(self, batch_size: int, seed: int) -> WindowedOrder:
        """Return the examples, chunk after chunk in random order, window by window mixed."""
        return WindowedOrder(self.chunks.sizes, self.window, batch_size, seed=seed)

    def take(self, indices: Tensor) -> Batch:
        """Return the examples at ``indices``; the chunks that they lie in are read."""
        owners = torch.searchsorted(self._ends, indices, right=True)
        parts, places = [], []
        for chunk in owners.unique().tolist():
            x, given = self._read(chunk)
            place = (owners == chunk).nonzero()[:, 0]
            rows = indices[place] - (self._ends[chunk] - len(x))
            known = {name: value[rows] for name, value in given.items()} if self.given else {}
            parts.append(Batch(x[rows], known))
            places.append(place)
        back = torch.cat(places).argsort()
        x = torch.cat([part.x for part in parts])[back]
        names = parts[0].given
        return Batch(
            x, {name: torch.cat([part.given[name] for part in parts])[back] for name in names}
        )

    def _read(self, chunk: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        found = self._held.pop(chunk, None)
        self._held[chunk] = self.chunks.read(chunk) if found is None else found
        while len(self._held) > 2 * self.window:  # The one that was not asked for the longest.
            del self._held[next(iter(self._held))]
        return self._held[chunk]
