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
