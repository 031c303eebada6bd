"""What models share whose draws are noise that a network carries along in time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator, Size, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.networks.arguments import refuse_unknown
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.labels import drop_labels, fit_labels, given_label, uniform_labels
from ancestral.networks.nodes import Node, StandardNormal
from ancestral.networks.sampling import last_of


class Transport(nn.Module, ABC):
    """The network ``p = {label, z, x | z, label}`` of which x is where z ~ Normal(0, I) is carried.

    Time 0 is noise and time 1 is data.

    Args:
        network: Maps z [B, *event], times and a label [B] int64 or None to [B, *event].
        event_shape: Of z and x.
        classes: Number K of labels that the network takes; 0 for a model without.
        dropped: Share of the labels that training hides, so that guidance knows both.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        network: nn.Module,
        event_shape: Sequence[int],
        *,
        classes: int = 0,
        dropped: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= dropped < 1:
            raise ValueError(f"dropped must lie in [0, 1), got {dropped}")
        self.network, self.event_shape = network, Size(event_shape)
        self.classes, self.dropped = classes, dropped
        self.labels = uniform_labels(classes)
        self.base = StandardNormal(event_shape)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network: noise, the label where there are classes, and x, a function of both."""
        label = ("label",) if self.classes else ()
        return {"p": DAG({**dict.fromkeys(label, ()), "z": (), "x": ("z", *label)})}

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]; no attribute of a model without classes."""
        if self.labels is None:
            raise AttributeError("without classes there is no law of labels")
        return self.labels.probabilities

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, the maximum-likelihood table, from counts [K].

        Raises ValueError if there are no classes, or counts has another shape or sums to 0.
        """
        fit_labels(self.labels, counts)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return n draws of x, [n, *event]; a ``label`` and ``z``, a row each or one, may be given.

        A label that is not given is drawn from p(label).
        """
        return self.coupled(n, given=given, generator=generator)[1]

    def coupled(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return n noises and the draws that they become, each [n, *event]; as :meth:`sample`."""
        states = self.walk(n, given=given, generator=generator)
        first = next(states)
        return first, last_of(states)

    @abstractmethod
    def walk(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the states [n, *event] of n draws, from noise to data."""

    def players(self) -> Sequence[Player]:
        """Return the one player."""
        return [Player(name="flow", module=self, loss=self._loss)]

    @abstractmethod
    def _loss(self, batch: Batch, generator: Generator | None) -> Loss: ...

    def _begin(
        self, n: int, given: Given | None, generator: Generator | None
    ) -> tuple[Tensor, Tensor | None]:
        """Draw noise [n, *event] and labels [n], those that are given held fixed."""
        label = [] if self.labels is None else [Node("label", self.labels)]
        z = Node("z", self.base, (), tuple(self.event_shape))
        values = BayesianNetwork([*label, z]).sample(n, given=given, generator=generator)
        return self._own(values["z"]), values.get("label")

    def _noise(self, x: Tensor, generator: Generator | None) -> Tensor:
        return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)

    def _label(self, given: Given | None, n: int) -> Tensor | None:
        """Return the label of each of n examples, [n], None where none is given."""
        refuse_unknown(given, type(self).__name__, ("label",) if self.classes else ())
        return given_label(self.labels, given, n)

    def _taken(self, batch: Batch) -> Tensor | None:
        """Return the labels of a batch [B] if the network takes them; ValueError if they miss."""
        if not self.classes:
            return None
        if "label" not in batch.given:
            raise ValueError(f"a label of {self.classes} classes must be given, got none")
        return batch.given["label"]

    def _hidden(self, label: Tensor | None, generator: Generator | None) -> Tensor | None:
        """Return labels [B] as training shows them to the network: some are hidden."""
        if label is None:
            return None
        return drop_labels(label, classes=self.classes, rate=self.dropped, generator=generator)

    def _own(self, x: Tensor) -> Tensor:
        return x.to(self.base.zero.dtype)
