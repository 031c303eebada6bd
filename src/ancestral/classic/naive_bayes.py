"""Naive Bayes: the network label -> x whose columns are independent given the label."""

from collections.abc import Mapping
from typing import Generic, Self, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical

from ancestral.capabilities import Given
from ancestral.classic.arguments import (
    check_examples,
    check_possible,
    check_weights,
    states_of,
)
from ancestral.classic.families import Family
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table
from ancestral.networks.sampling import draw

F = TypeVar("F", bound=Family)


class NaiveBayes(nn.Module, Generic[F]):
    """The joint density ``p(label, x) = p(label) prod_d p(x_d | label)``, fitted by counting.

    Everything is summed in log-space, so ten thousand columns do not underflow.

    Source: Maron 1961, Automatic indexing; Koller & Friedman 2009, sec. 3.1.3.

    Args:
        family: The conditionals of the columns, with one state a label:
            :class:`~ancestral.classic.families.DiagonalGaussians`, ``Bernoullis``,
            ``Categoricals`` or ``Multinomials``. Its smoothing is the only setting there is.

    Example:
        >>> from ancestral.classic import DiagonalGaussians
        >>> model = NaiveBayes(DiagonalGaussians(2, 3))
        >>> x, label = torch.randn(20, 3), torch.arange(20) % 2
        >>> model.fit(x, given={"label": label}).posterior(x).probs.shape
        torch.Size([20, 2])
    """

    prior: Tensor

    def __init__(self, family: F) -> None:
        super().__init__()
        self.family: F = family
        even = torch.full((family.states,), 1 / family.states, dtype=torch.float64)
        self.register_buffer("prior", even)

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]."""
        return self.prior

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the label and its child x; x alone where there is one label."""
        return {"p": DAG({"x": ("label",)} if self.family.states > 1 else {"x": ()})}

    @property
    def network(self) -> BayesianNetwork:
        """The same with a node for each column: label -> x0, x1, ... (one x for counts)."""
        return BayesianNetwork([Node("label", Table(self.prior)), *self.family.nodes("label")])

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """Set p(label) to the labels' frequencies and p(x | label) in closed form; return self.

        Args:
            x: Examples, [N, D].
            given: ``label``, [N], from 0; it may be left out of a family of one state.
            generator: Not used: nothing is drawn.
            weights: How often each row counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If x is not [N, D], or the labels or weights are not [N], not states,
                or negative.
            DataError: If there is no row, a value is not finite, or not of the family.
            CapabilityError: If anything else is given.
        """
        del generator
        check_examples(x, (self.family.features,))
        self.family.check(x)
        label = self._labels(given, len(x))
        counts = check_weights(weights, x)
        hot = nn.functional.one_hot(label, self.family.states).to(self.prior) * counts[:, None]
        self.prior.copy_(hot.sum(dim=0) / counts.sum())
        self.family.estimate(x.detach(), hot)
        return self

    def log_joint(self, x: Tensor) -> Tensor:
        """Return log p(label, x) for every label, nats, [B, K], for x [B, D].

        Raises:
            ValueError: If x is not [B, D].
            DataError: If a value is not of the family.
        """
        return self.family.log_prob(x) + self.prior.log()

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x), nats, [B], for x [B, D]; log p(x | label) where ``label`` is given.

        Raises:
            ValueError: If x is not [B, D], or a label is no state.
            CapabilityError: If anything but ``label`` is given.
        """
        refuse_unknown(given, "naive-bayes", ["label"])
        if given:
            label = self._labels(given, len(x))
            value = self.family.log_prob(x).gather(1, label[:, None])[:, 0]
        else:
            value = self.log_joint(x).logsumexp(dim=1)
        return value.to(x.dtype) if x.is_floating_point() else value

    def posterior(self, x: Tensor) -> Categorical:
        """Return p(label | x), batch shape [B], for x [B, D]; ``logits`` are its logs, nats.

        Raises:
            ValueError: If x is not [B, D].
            DataError: If a value is not of the family.
            InferenceError: If a row has probability 0 under every label.
        """
        logits = check_possible(self.log_joint(x), "label")
        return Categorical(logits=logits, validate_args=False)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n examples, [n, D], float64: first the label, then x.

        A ``label`` may be given, one for all or [n].

        Raises:
            ValueError: If n < 1, or a label is no state.
            CapabilityError: If anything but ``label`` is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "naive-bayes", ["label"])
        if given:
            label = self._labels(given, n)
        else:
            prior = Categorical(probs=self.prior, validate_args=False)
            label = draw(prior, (n,), generator)
        return draw(self.family(label), (), generator).to(self.prior.dtype)

    def extra_repr(self) -> str:
        """Tell the number of labels and of columns in ``repr``."""
        return f"labels={self.family.states}, features={self.family.features}"

    def _labels(self, given: Given | None, n: int) -> Tensor:
        """Return the given labels, [n], checked."""
        refuse_unknown(given, "naive-bayes", ["label"])
        if "label" not in (given or {}) and self.family.states > 1:
            raise ValueError(f"given must have the label of each row, got {list(given or {})}")
        label = (given or {}).get("label", 0)
        return states_of("label", label, n, self.family.states).to(self.prior.device)
