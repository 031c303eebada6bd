"""The empirical distribution: the data themselves, as a distribution."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.arguments import (
    check_event,
    check_examples,
    check_fitted,
)
from ancestral.errors import CapabilityError
from ancestral.networks.arguments import check_whole, held_rows, refuse_unknown
from ancestral.networks.dag import DAG
from ancestral.nn.resizable import resize_on_load


class Empirical(nn.Module):
    """Each of the K training examples with probability 1/K: the model that memorises.

    For continuous data this distribution is singular: it has no density, so there is no
    ``log_prob``; a held-out point has mass 0. It is the baseline that every measure of sample
    quality should like and every measure of memorisation must catch. Fitted with labels, it is
    the network ``label -> x`` and can be sampled for a given label.

    Source: van der Vaart 1998, Asymptotic Statistics, ch. 19.

    Args:
        event_shape: Shape of one example.

    Example:
        >>> model = Empirical((2,)).fit(torch.tensor([[0.0, 1.0], [0.0, 1.0], [5.0, 5.0]]))
        >>> model.sample(4).shape
        torch.Size([4, 2])
        >>> model.mass(torch.tensor([[0.0, 1.0]]))
        tensor([0.6667], dtype=torch.float64)
    """

    data: Tensor
    labels: Tensor

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.register_buffer("data", torch.empty(0, *self.event_shape))
        self.register_buffer("labels", torch.empty(0, dtype=torch.long))
        resize_on_load(self, ["data", "labels"])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the node x, and its parent label where the data had labels."""
        return {"p": DAG({"x": ("label",) if len(self.labels) else ()})}

    @property
    def label_probabilities(self) -> Tensor:
        """The share of the examples with each label, [K]; [0] where they had none."""
        return self.labels.bincount().double() / max(1, len(self.labels))

    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
    ) -> Self:
        """Store the examples x [N, *event] and, if given, their ``label`` [N]; return self.

        Raises:
            ValueError: If x has another shape, or the labels are not one a row.
            DataError: If there is no row or a value is not finite.
            CapabilityError: If anything but ``label`` is given.
        """
        del generator  # There is nothing random in keeping data.
        check_examples(x, self.event_shape)
        refuse_unknown(given, "empirical", ["label"])
        labels = (given or {}).get("label", self.labels.new_empty(0))
        if given and labels.shape != x.shape[:1]:
            raise ValueError(f"label must have shape [{len(x)}], got {list(labels.shape)}")
        self.data = x.detach().clone(memory_format=torch.contiguous_format)
        self.labels = labels.long().clone()
        return self

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n training examples with replacement, [n, *event].

        A ``label`` may be given, one for all or [n]: then among the examples that carry it.

        Raises:
            ValueError: If n < 1 or the labels have another shape.
            CapabilityError: If not fitted, if anything else is given, or no example has a label.
        """
        check_whole("n", n)
        check_fitted(self.data, "empirical")
        refuse_unknown(given, "empirical", ["label"] if len(self.labels) else [])
        if not given:
            rows = torch.randint(len(self.data), (n,), generator=generator, device=self.data.device)
            return self.data[rows]
        return self.data[self._rows_of(given["label"], n, generator)]

    @torch.no_grad()
    def mass(self, x: Tensor) -> Tensor:
        """Return the probability of exactly each point: its multiplicity / K, float64 [B].

        Raises:
            ValueError: If x is not [B, *event].
            CapabilityError: If not fitted.
        """
        check_event(x, self.event_shape)
        check_fitted(self.data, "empirical")
        both = torch.cat((self.data, x.to(self.data))).flatten(start_dim=1)
        _, kind = torch.unique(both, dim=0, return_inverse=True)
        counts = torch.bincount(kind[: len(self.data)], minlength=int(kind.max()) + 1)
        return counts[kind[len(self.data) :]].double() / len(self.data)

    def extra_repr(self) -> str:
        """Tell the shape and the number of examples in ``repr``."""
        return f"event_shape={self.event_shape}, examples={len(self.data)}"

    def _rows_of(self, label: Tensor, n: int, generator: Generator | None) -> Tensor:
        """Draw a row for each label, [n]."""
        label = held_rows("label", label, n, ()).to(self.labels)
        top = max(int(label.max()), int(self.labels.max()))
        counts = torch.bincount(self.labels, minlength=top + 1)
        wanted = label.clamp_min(0)
        if bool((label < 0).any()) or bool((counts[wanted] == 0).any()):
            missing = int(label[(label < 0) | (counts[wanted] == 0)][0])
            raise CapabilityError(f"empirical has no example with label {missing}")
        order, first = self.labels.argsort(stable=True), counts.cumsum(0) - counts
        uniform = torch.rand(n, generator=generator, dtype=torch.float64, device=label.device)
        return order[first[label] + (uniform * counts[label]).long()]
