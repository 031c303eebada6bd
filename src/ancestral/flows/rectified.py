"""Rectified flow: straighter paths, or a single step, learned from the draws of a teacher."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss
from ancestral.flows.flow_matching import Matching
from ancestral.flows.transport import Transport
from ancestral.networks.labels import some_label
from ancestral.networks.nodes import Table
from ancestral.networks.ode import for_rows

_AT_ONCE = 1_000


@runtime_checkable
class Couples(Protocol):
    """Draws noise together with what it becomes; its labels, where it has some, have a law."""

    labels: Table | None

    def coupled(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return n noises and the draws that they become, each [n, *event]."""
        ...


class TeacherPairs:
    """A stock of noises with what a teacher makes of them, drawn when the first pair is asked for.

    It is a function of the teacher alone, so that a training that is resumed has the same.

    Args:
        teacher: The model; it is not changed, and not part of the model that learns from it.
        size: Number of pairs, at least 1.

    Raises:
        ValueError: If size < 1.
    """

    def __init__(self, teacher: Couples, *, size: int) -> None:
        if size < 1:
            raise ValueError(f"pairs must be at least 1, got {size}")
        self.teacher, self.size = teacher, size
        self._stock: tuple[Tensor, Tensor, Tensor | None] | None = None

    def draw(
        self, n: int, device: torch.device, generator: Generator | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return n of the pairs: noise and draws [n, *event], and labels [n] where there are."""
        if self._stock is None:
            self._stock = self._make(device)
        z, x, label = self._stock
        rows = torch.randint(self.size, (n,), generator=generator, device=device)
        return z[rows], x[rows], None if label is None else label[rows]

    @torch.no_grad()
    def _make(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
        generator = Generator(device).manual_seed(0)
        label = some_label(self.teacher.labels, None, self.size, generator)
        parts = []
        for start in range(0, self.size, _AT_ONCE):
            n = min(_AT_ONCE, self.size - start)
            given = {} if label is None else {"label": label[start : start + n]}
            parts.append(self.teacher.coupled(n, given=given, generator=generator))
        z, x = (torch.cat(part) for part in zip(*parts, strict=True))
        return z, x, label


def _drawn(
    pairs: TeacherPairs | None, batch: Batch, generator: Generator | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return as many pairs as the batch has examples; ValueError without a teacher."""
    if pairs is None:
        raise ValueError("pairs must be of a teacher to learn from, got None")
    return pairs.draw(len(batch.x), batch.x.device, generator)


class RectifiedFlow(Matching):
    """Flow matching of pairs (z, x(z)) of a teacher's noise and draws in place of data: reflow.

    The law of the draws stays the teacher's, the paths get straighter, and few steps suffice.

    Source: Liu, Gong & Liu 2023, Flow Straight and Fast, arXiv:2209.03003, sec. 2.2.

    Args:
        network: The velocity: maps z [B, *event], time [B] and label [B] int64 or None to
            [B, *event].
        event_shape: Of x.
        pairs: Of the teacher; the data themselves are not used. None: it learns no more.
        classes: Number K of labels that the network takes, the teacher's; 0 for a model without.
        dropped: Share of the labels that training hides.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.flows import FlowMatching
        >>> from ancestral.nn import TimedMLP
        >>> teacher = FlowMatching(TimedMLP(2, hidden=(32,)), (2,))
        >>> pairs = TeacherPairs(teacher, size=100)
        >>> RectifiedFlow(TimedMLP(2, hidden=(32,)), (2,), pairs=pairs).sample(5).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        network: nn.Module,
        event_shape: Sequence[int],
        *,
        pairs: TeacherPairs | None = None,
        classes: int = 0,
        dropped: float = 0.1,
    ) -> None:
        super().__init__(network, event_shape, classes=classes, dropped=dropped)
        self.pairs = pairs

    def _pairs(
        self, batch: Batch, generator: Generator | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        x_0, x_1, label = _drawn(self.pairs, batch, generator)
        return self._own(x_0), self._own(x_1), label


class DistilledFlow(Transport):
    """One step: ``x = z + v(z)``, learned from a teacher's noise and draws.

    Source: Liu, Gong & Liu 2023, Flow Straight and Fast, arXiv:2209.03003, sec. 2.2 (distillation
    of a k-rectified flow: the teacher is best one).

    Args:
        network: Maps z [B, *event], time [B], which is 0, and label [B] or None to [B, *event].
        event_shape: Of x.
        pairs: Of the teacher; the data themselves are not used. None: it learns no more.
        classes: Number K of labels that the network takes, the teacher's; 0 for a model without.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.flows import FlowMatching
        >>> from ancestral.nn import TimedMLP
        >>> teacher = FlowMatching(TimedMLP(2, hidden=(32,)), (2,))
        >>> pairs = TeacherPairs(teacher, size=100)
        >>> len([*DistilledFlow(TimedMLP(2, hidden=(32,)), (2,), pairs=pairs).walk(5)])
        2
    """

    def __init__(
        self,
        network: nn.Module,
        event_shape: Sequence[int],
        *,
        pairs: TeacherPairs | None = None,
        classes: int = 0,
    ) -> None:
        super().__init__(network, event_shape, classes=classes, dropped=0.0)
        self.pairs = pairs

    @torch.no_grad()
    def walk(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield n noises and the draws that one evaluation makes of them, each [n, *event]."""
        z, label = self._begin(n, given, generator)
        yield z
        yield z + self._velocity(z, label)

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        z, x, label = _drawn(self.pairs, batch, generator)
        z, x = self._own(z), self._own(x)
        error = z + self._velocity(z, self._hidden(label, generator)) - x
        each = error.square().flatten(start_dim=1).mean(dim=1)
        return Loss(each.sum(), weight=len(x))

    def _velocity(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.network(z, for_rows(0.0, z), label)
