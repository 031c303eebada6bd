"""Which examples come when, and with which noise: pure functions of the seed and the step.

No state of a random generator is ever stored. A run that is killed and resumed asks the same
functions the same questions, and so gets the same bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch
from torch import Generator, Tensor

_BUCKET = 50
"""Batches whose examples are sorted together by length."""


def seed_of(seed: int, *purpose: int | str) -> int:
    """Return a seed in [0, 2**63) for one purpose; different purposes are independent.

    Args:
        seed: The run's seed.
        purpose: What it is for: a name, a step, a micro-batch.

    Example:
        >>> seed_of(0, "noise", 1) == seed_of(0, "noise", 1) != seed_of(0, "noise", 2)
        True
    """
    # repr keeps ("a", 1) and ("a", "1") apart, and no separator can be forged.
    digest = blake2b(repr((seed, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def order(n: int, seed: int, epoch: int) -> Tensor:
    """Return the permutation of the n examples in an epoch, int64 [n]."""
    generator = Generator().manual_seed(seed_of(seed, "order", epoch))
    return torch.randperm(n, generator=generator)


def by_length(permutation: Tensor, lengths: Tensor, bucket: int) -> Tensor:
    """Bring examples of like length together: each bucket of a permutation, sorted by length.

    Every other bucket runs from long to short, so that lengths do not jump between buckets. A
    bucket is a random sample of the data, so batches stay nearly as random as they were.

    Args:
        permutation: Of the examples, int64 [n].
        lengths: Of the examples, [n].
        bucket: Examples that are sorted together, at least 1.

    Returns:
        A permutation, int64 [n].

    Example:
        >>> by_length(torch.tensor([0, 1, 2, 3]), torch.tensor([5, 1, 2, 7]), bucket=2)
        tensor([1, 0, 3, 2])
    """
    parts = [
        part[lengths[part].argsort(stable=True, descending=number % 2 == 1)]
        for number, part in enumerate(permutation.split(bucket))
    ]
    return torch.cat(parts)


class Order:
    """The endless stream of examples, epoch after epoch, cut into batches of one size.

    A batch may lie across two epochs, so that every step costs the same and no example is
    skipped: after E epochs each example was seen E times.

    Args:
        n: Examples in the training split.
        batch_size: Examples per batch; more than n is cut to n.
        seed: The run's seed.
        lengths: Of the examples, [n], where batches should hold examples of like length.

    Example:
        >>> Order(10, 4, seed=0).batch(3).shape
        torch.Size([4])
    """

    def __init__(
        self, n: int, batch_size: int, *, seed: int, lengths: Tensor | None = None
    ) -> None:
        if n < 1 or batch_size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        self.n, self.batch_size, self.seed = n, min(n, batch_size), seed
        self.lengths = lengths
        self._known: dict[int, Tensor] = {}

    def batch(self, index: int) -> Tensor:
        """Return the indices of the examples of batch ``index`` (from 0), int64 [batch_size]."""
        epoch, first = divmod(index * self.batch_size, self.n)
        head = self._epoch(epoch)[first : first + self.batch_size]
        missing = self.batch_size - len(head)
        return head if missing == 0 else torch.cat((head, self._epoch(epoch + 1)[:missing]))

    def _epoch(self, epoch: int) -> Tensor:
        if epoch not in self._known:
            # Two are enough: a batch lies across two epochs at most.
            self._known = {e: p for e, p in self._known.items() if e == epoch - 1}
            found = order(self.n, self.seed, epoch)
            if self.lengths is not None:
                found = by_length(found, self.lengths, _BUCKET * self.batch_size)
            self._known[epoch] = found
        return self._known[epoch]


class PoissonOrder:
    """The endless stream of batches that each hold every example with the same probability.

    Args:
        n: Number of examples.
        batch_size: Examples of a batch in the mean; more than n is cut.
        seed: The run's seed.

    Example:
        >>> order = PoissonOrder(1000, 100, seed=0)
        >>> 60 < len(order.batch(7)) < 140, torch.equal(order.batch(7), order.batch(7))
        (True, True)
    """

    def __init__(self, n: int, batch_size: int, *, seed: int) -> None:
        self.n, self.seed = n, seed
        self.batch_size = min(n, batch_size)

    def batch(self, index: int) -> Tensor:
        """Return the indices of the examples of batch ``index`` (from 0), rising, int64 [*]."""
        generator = Generator().manual_seed(seed_of(self.seed, "poisson", index))
        place = torch.rand(self.n, generator=generator, dtype=torch.float64) * self.n
        return (place < self.batch_size).nonzero()[:, 0]


class WindowedOrder:
    """The endless stream of examples that lie in chunks, each of which is read as a whole.

    In each epoch the chunks come in random order, and the examples of ``window`` chunks that
    follow each other in random order among themselves: what a reader with a shuffle buffer gives.
    Yet it is a function of the seed and the batch's number, like :class:`Order`, and what is kept
    does not grow with the number of examples.

    Args:
        sizes: Examples of each chunk, int64 [K], at least one.
        window: Chunks whose examples are mixed, at least 1.
        batch_size: Examples per batch; more than there are is cut.
        seed: The run's seed.

    Example:
        >>> order = WindowedOrder(torch.tensor([3, 2]), 1, 5, seed=0)
        >>> order.batch(1).sort().values
        tensor([0, 1, 2, 3, 4])
    """

    def __init__(self, sizes: Tensor, window: int, batch_size: int, *, seed: int) -> None:
        self.sizes, self.window, self.seed = sizes, window, seed
        self.n = int(sizes.sum())
        self.batch_size = min(self.n, batch_size)
        self._starts = sizes.cumsum(0) - sizes
        self._known: dict[tuple[int, int], Tensor] = {}

    def batch(self, index: int) -> Tensor:
        """Return the indices of the examples of batch ``index`` (from 0), int64 [batch_size]."""
        place, parts, missing = index * self.batch_size, [], self.batch_size
        while missing:
            epoch, first = divmod(place, self.n)
            chunks = order(len(self.sizes), self.seed, epoch).split(self.window)
            ends = torch.stack([self.sizes[some].sum() for some in chunks]).cumsum(0)
            number = int(torch.searchsorted(ends, first, right=True))
            inside = first - (int(ends[number - 1]) if number else 0)
            parts.append(self._window(epoch, number, chunks[number])[inside : inside + missing])
            place, missing = place + len(parts[-1]), missing - len(parts[-1])
        return torch.cat(parts)

    def _window(self, epoch: int, number: int, chunks: Tensor) -> Tensor:
        if (epoch, number) not in self._known:
            rows = [self._starts[k] + torch.arange(int(self.sizes[k])) for k in chunks.tolist()]
            mixed = torch.cat(rows)
            seed = seed_of(self.seed, "window", epoch, number)
            mixed = mixed[torch.randperm(len(mixed), generator=Generator().manual_seed(seed))]
            # A batch may lie across two windows.
            last = list(self._known.items())[-1:]
            self._known = {**dict(last), (epoch, number): mixed}
        return self._known[epoch, number]


@contextmanager
def global_randomness(device: torch.device) -> Iterator[Generator]:
    """Lend torch's global generator of a device, and put it back as it was.

    Dropout draws from the global generator: the training step seeds the one it is lent, and the
    caller's own draws afterwards are what they would have been without training.
    """
    generator = torch.default_generator
    if device.type == "cuda":
        generator = torch.cuda.default_generators[device.index or torch.cuda.current_device()]
    before = generator.get_state()
    try:
        yield generator
    finally:
        generator.set_state(before)
