"""Feeds: where the loop gets the examples of a batch from, whatever holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from ancestral.capabilities import Batch
from ancestral.training.order import Order


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

    def __len__(self) -> int:
        """Return N."""
        return len(self.x)

    def order(self, batch_size: int, seed: int) -> Order:
        """Return the examples of each epoch in random order."""
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
