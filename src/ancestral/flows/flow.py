"""The flow as a model: one node whose law is noise carried through a bijection."""

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import one_hot

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.flows.bijection import Bijection
from ancestral.flows.transformed import Transformed
from ancestral.networks.arguments import held_rows
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.labels import (
    drop_labels,
    fit_labels,
    given_label,
    sum_labels,
    uniform_labels,
)
from ancestral.networks.nodes import Node, StandardNormal, Table
from ancestral.networks.point_mass import PointMass


class FlowConditional(nn.Module):
    """p(x | parents): a standard normal carried through a bijection that sees the parents.

    Args:
        bijection: From noise to data.
        event_shape: Of x.
        classes: Number K of labels, of which the first parent then is one; 0 for none.

    Example:
        >>> from ancestral.flows import ElementwiseAffine
        >>> FlowConditional(ElementwiseAffine(2), (2,))().event_shape
        torch.Size([2])
    """

    def __init__(
        self, bijection: Bijection, event_shape: Sequence[int], *, classes: int = 0
    ) -> None:
        super().__init__()
        self.bijection, self.classes = bijection, classes
        self.base = StandardNormal(event_shape)

    def forward(self, *parents: Tensor) -> Transformed:
        """Return the law of x, batch shape [B], given the label [B] and other parents [B, *].

        The label K is "no label": zeros.
        """
        base, context = self.base(), None
        if parents:
            dtype = self.base.zero.dtype
            parts = list(parents)
            if self.classes:
                parts[0] = one_hot(parts[0].long(), self.classes + 1)[:, : self.classes]
            flat = [part.reshape(len(part), -1).to(dtype) for part in parts]
            context = torch.cat(flat, dim=1) if len(flat) > 1 else flat[0]
        return Transformed(base, self.bijection, context)


class Flow(nn.Module):
    """A normalising flow: ``p = {x}`` or ``{label, x | label, ...}``, an exact density.

    x is noise z ~ Normal(0, I) carried through a bijection, so that
    ``log p(x) = log p(z) + log |dz/dx|``. z is no node: given x it is one point, which ``encode``
    returns and from which ``decode`` comes back to x.

    Source: Rezende & Mohamed 2015, Variational Inference with Normalizing Flows, arXiv:1505.05770;
    Papamakarios et al. 2021, Normalizing Flows for Probabilistic Modeling and Inference,
    arXiv:1912.02762.

    Args:
        bijection: From noise to data; it sees the label, one-hot, then what else is given.
        event_shape: Of x.
        classes: Number K of labels; 0 for a model without.
        given: Names of further parents; they have no law here, so that they must be given.
        dropped: Share of the labels that training hides, in [0, 1), for guidance.
        noise: Deviation of normal noise that is added to x while training, at least 0: few
            examples are not learned by heart, but smoothed as by a kernel of that width (Rothfuss
            et al. 2019, Noise Regularization for Conditional Density Estimation, arXiv:1907.08982).

    Raises:
        ValueError: If classes or noise is negative or dropped is out of its range.

    Example:
        >>> from ancestral.flows import Affine, Autoregressive
        >>> flow = Flow(Autoregressive([0, 1], Affine(), hidden=(16,), context=3), (2,), classes=3)
        >>> x = flow.sample(5, given={"label": torch.tensor(2)})
        >>> flow.log_prob(x).shape, flow.graph["p"].parents("x")
        (torch.Size([5]), ('label',))
    """

    def __init__(
        self,
        bijection: Bijection,
        event_shape: Sequence[int],
        *,
        classes: int = 0,
        given: Sequence[str] = (),
        dropped: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropped < 1:
            raise ValueError(f"dropped must lie in [0, 1), got {dropped:g}")
        if not noise >= 0:
            raise ValueError(f"noise must be at least 0, got {noise:g}")
        labels = uniform_labels(classes)
        self.classes, self.given = classes, tuple(given)
        self.dropped, self.noise = dropped, noise
        conditional = FlowConditional(bijection, event_shape, classes=classes)
        roots = [] if labels is None else [Node("label", labels)]
        parents = (*(root.name for root in roots), *given)
        self.p = BayesianNetwork([*roots, Node("x", conditional, parents, tuple(event_shape))])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network: x, and what it is conditional on."""
        return {"p": self.p.graph}

    @property
    def bijection(self) -> Bijection:
        """The map from noise to data."""
        return self._conditional.bijection

    @property
    def needs(self) -> Sequence[str]:
        """Names of the parents of x that must always be given."""
        return self.given

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]; no attribute of a flow without classes."""
        if not self.classes:
            raise AttributeError("without classes there is no law of labels")
        return self.p.table("label").probabilities

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, the maximum-likelihood table, from counts [K].

        Raises ValueError if there are no classes, or counts has another shape or sums to 0.
        """
        fit_labels(self._labels, counts)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return n draws, [n, *event]; a ``label``, [n] or a scalar, may be given."""
        return self.p.sample(n, given=given, generator=generator)["x"]

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the exact log p(x | given), nats, [B], for x [B, *event].

        Without a label it is the sum over all of them, ``log sum_k p(k) p(x | k)``.

        Raises:
            ValueError: If something else is given, or what the model needs is not.
        """
        return self._log_density(x, self._given(given, len(x)))

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return the noise z of x [B, *event] as a point mass, batch shape [B], event shape [D].

        Raises ValueError if there are classes and no label is given.
        """
        law = self._law(self._given(given, len(x), whole=True))
        return PointMass(law.noise_of(self._own(x)).flatten(1), event_dims=1)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the data [B, *event] of noise z [B, D].

        Raises ValueError if there are classes and no label is given.
        """
        law = self._law(self._given(given, len(z), whole=True))
        return law.carry(self._own(z).reshape(-1, *law.event_shape))

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers -log p(x | given)."""
        return [Player(name="flow", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x, values = batch.x, self._given(batch.given, len(batch.x))
        if self.noise:
            noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
            x = torch.add(x, noise, alpha=self.noise)
        if self.dropped and "label" in values:
            values["label"] = drop_labels(
                values["label"], classes=self.classes, rate=self.dropped, generator=generator
            )
        # In bf16 what goes there and back is not the same, and log-determinants are of no use.
        with torch.autocast(x.device.type, enabled=False):
            return Loss(-self._log_density(x, values).sum(), weight=len(x))

    def _log_density(self, x: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        if not self.classes or "label" in values:
            return self._law(values).log_prob(self._own(x))
        return sum_labels(
            self.p.table("label"),
            lambda label: self._law({"label": label, **values}).log_prob(self._own(x)),
            x,
        )

    @property
    def _conditional(self) -> FlowConditional:
        conditional = self.p.nodes["x"].conditional
        assert isinstance(conditional, FlowConditional)
        return conditional

    def _law(self, values: Mapping[str, Tensor]) -> Transformed:
        return self._conditional(*(values[name] for name in self.p.nodes["x"].parents))

    def _own(self, x: Tensor) -> Tensor:
        return x.to(self._conditional.base.zero.dtype)

    def _given(self, given: Given | None, n: int, *, whole: bool = False) -> dict[str, Tensor]:
        """Return what is given, a row for each of n examples; refuse what is unknown or missing."""
        given = given or {}
        parents = self.p.nodes["x"].parents
        if odd := [name for name in given if name not in parents]:
            takes = f"only {', '.join(parents)}" if parents else "nothing"
            raise ValueError(f"{takes} can be given to this model, got {odd}")
        needed = parents if whole else self.needs
        if missing := [name for name in needed if name not in given]:
            raise ValueError(f"{missing[0]!r} must be given, got {[*given]}")
        label = given_label(self._labels, given, n)
        values = {} if label is None else {"label": label}
        others = {name: value for name, value in given.items() if name not in values}
        return values | {name: held_rows(name, value, n) for name, value in others.items()}

    @property
    def _labels(self) -> Table | None:
        return self.p.table("label") if self.classes else None
