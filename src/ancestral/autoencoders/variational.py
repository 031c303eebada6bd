"""What all variational autoencoders share: two Bayesian networks, draws, and the generic bound."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution

from ancestral.autoencoders.objectives import Objective, WeighedBound
from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.networks.arguments import check_whole, held_rows
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.elbo import estimate_log_prob
from ancestral.networks.labels import fit_labels, uniform_labels
from ancestral.networks.nodes import Node, Table


class Variational(nn.Module, ABC):
    """``p = {label, ..., z, x | z, label}`` and ``q = {z | x, label, ...}``, trained together.

    In both networks the label, where there is one, is an input: training and bounds are
    conditional on it, and ``joint`` has its law, too.

    Args:
        p: Nodes of the generative network but for the label; x and z are among them.
        q: Nodes of the inference network: the latents.
        classes: Number K of labels; 0 for none.

    Attributes:
        objective: What training raises: the ELBO, unless another is put in its place.

    Raises:
        ValueError: If classes is negative.
    """

    objective: Objective

    def __init__(self, p: Sequence[Node], q: Sequence[Node], *, classes: int = 0) -> None:
        super().__init__()
        self.p, self.q = BayesianNetwork(p), BayesianNetwork(q)
        self.classes, self.labels = classes, uniform_labels(classes)
        self.objective = WeighedBound()

    @property
    def joint(self) -> BayesianNetwork:
        """The whole generative network, ``p`` with the node ``label`` where there are classes."""
        return BayesianNetwork([*self._label_node(), *self.p.nodes.values()])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The generative network ``p`` and the inference network ``q``."""
        return {"p": self.joint.graph, "q": self.q.graph}

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]; no attribute of a model without classes."""
        if self.labels is None:
            raise AttributeError("without classes there is no law of labels")
        return self.labels.probabilities

    @property
    def encoder(self) -> nn.Module:
        """The conditional q(z | x)."""
        return self.q.nodes["z"].conditional

    @property
    def decoder(self) -> nn.Module:
        """The conditional p(x | z)."""
        return self.p.nodes["x"].conditional

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, the maximum-likelihood table, from counts [K].

        Raises ValueError if there are no classes, or counts has another shape or sums to 0.
        """
        fit_labels(self.labels, counts)

    def at(self, progress: float) -> None:
        """Let the objective take the form of this share of the training, in [0, 1]."""
        self.objective.at(progress)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw label and latents, then x from p(x | z, label), noise included; [n, *event].

        A ``label``, [n] or a scalar, and the latents that have no parents may be given.
        """
        return self.joint.sample(n, given=given, generator=generator)["x"]

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return q(z | x, label), batch shape [B], event shape [L], for x [B, *event].

        Raises ValueError if there are classes and no label is given.
        """
        return self.q.nodes["z"].distribution([x, *self._label(given, len(x)).values()])

    @abstractmethod
    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the examples [B, *event] that stand for p(x | z, label), given z [B, L]."""

    def players(self) -> Sequence[Player]:
        """Return the one player: it raises the objective, given the label."""
        return [Player(name="vae", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        values = {"x": batch.x, **self._label(batch.given, len(batch.x))}
        raised, metrics = self.objective.raised(
            self.p, self.q, values, generator, training=self.training
        )
        return Loss(-raised.sum(), weight=len(batch.x), metrics=metrics)

    def _decoded(self, z: Tensor, given: Given | None) -> Distribution:
        return self.p.nodes["x"].distribution([z, *self._label(given, len(z)).values()])

    def _label_node(self) -> list[Node]:
        return [] if self.labels is None else [Node("label", self.labels)]

    def _label(self, given: Given | None, n: int) -> dict[str, Tensor]:
        """Check what is given and return the label [n] by name, or nothing without classes."""
        if not self.classes:
            if given:
                raise ValueError(f"this model is conditional on nothing, got given {[*given]}")
            return {}
        given = dict(given or {})
        label = given.pop("label", None)
        if given:
            raise ValueError(f"only a label of the model's classes can be given, got {[*given]}")
        if label is None:
            raise ValueError(f"a label of {self.classes} classes must be given, got none")
        return {"label": held_rows("label", label, n, ())}


class WithMeans(Variational):
    """A variational autoencoder whose p(x | z) has a mean."""

    @torch.no_grad()
    def sample_means(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return the means of p(x | z, label) for n drawn z and labels: not draws of the model."""
        above = [node for name, node in self.p.nodes.items() if name != "x"]
        values = BayesianNetwork([*self._label_node(), *above]).sample(
            n, given=given, generator=generator
        )
        label = {name: values[name] for name in values if name == "label"}
        return self.decode(values["z"], given=label)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | z, label), [B, *event], for z [B, L].

        Raises ValueError if there are classes and no label is given.
        """
        return self._decoded(z, given).mean


class WithBound(Variational):
    """A variational autoencoder whose p(x | z) is a density or gives probabilities."""

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | label), or log p(x), in nats.

        Without a label it is ``log sum_k p(k) w_k`` with one importance weight
        ``w_k = p(x, z_k | k) / q(z_k | x, k)`` a class. In expectation that is at most log p(x);
        the same sum over one-draw bounds in closed form need not be.

        Args:
            x: Examples, [B, *event].
            given: ``label`` [B] or a scalar; None to sum over all classes (without gradient).
            draws: Number of draws that are averaged, at least 1.
            generator: Source of the draws; torch's global one if None.

        Returns:
            The bound, [B].
        """
        check_whole("draws", draws)
        if self.labels is not None and not given:
            rounds = [self._marginal(x, self.labels, 1, generator) for _ in range(draws)]
            return torch.stack(rounds).mean(0)
        values = {"x": x, **self._label(given, len(x))}
        return self.objective.bound(self.p, self.q, values, draws, generator)

    def estimate_log_prob(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 64,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the importance-weighted estimate of log p(x | label), or log p(x), nats, [B]."""
        if self.labels is not None and not given:
            return self._marginal(x, self.labels, draws, generator)
        return self._estimate(x, given, draws, generator)

    def _marginal(
        self, x: Tensor, labels: Table, draws: int, generator: Generator | None
    ) -> Tensor:
        terms = [
            self._estimate(x, {"label": torch.tensor(k)}, draws, generator)
            for k in range(self.classes)
        ]
        return (torch.stack(terms, -1) + labels.probabilities.log()).logsumexp(-1)

    def _estimate(
        self, x: Tensor, given: Given | None, draws: int, generator: Generator | None
    ) -> Tensor:
        values = {"x": x, **self._label(given, len(x))}
        return estimate_log_prob(self.p, self.q, values, draws=draws, generator=generator)
