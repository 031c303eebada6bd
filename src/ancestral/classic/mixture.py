"""Mixtures of probability tables: naive Bayes whose label was not seen, fitted by EM."""

import math
from collections.abc import Mapping
from typing import Generic, Self, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical

from ancestral.capabilities import Given
from ancestral.classic.arguments import (
    check_components,
    check_examples,
    check_possible,
    counted_rows,
    states_of,
)
from ancestral.classic.families import TableFamily
from ancestral.networks.arguments import check_number, check_whole, refuse_unknown
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table
from ancestral.networks.sampling import draw

F = TypeVar("F", bound=TableFamily)


class MixtureOf(nn.Module, Generic[F]):
    """The network z -> x_1, ..., x_D with a hidden z: ``p(x) = sum_k w_k prod_d p(x_d | z = k)``.

    With :class:`~ancestral.classic.families.Bernoullis` it is the Bernoulli mixture, with
    ``Categoricals`` latent class analysis, with ``Multinomials`` a mixture of unigrams. EM raises
    the log of the posterior density of the parameters, which is the log-likelihood where the
    family's smoothing is 0; it never falls.

    Source: Lazarsfeld & Henry 1968, Latent Structure Analysis; Bishop 2006, Pattern Recognition
    and Machine Learning, sec. 9.3.3.

    Args:
        family: The conditionals of the columns, with one state a component.
        tolerance: EM ends when the objective rises by less than this an example, nats.
        iterations: Most sweeps of EM, at least 1.
        restarts: Random starts, of which the best is kept, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.classic import Bernoullis
        >>> model = MixtureOf(Bernoullis(3, 8)).fit(torch.ones(20, 8))
        >>> model.log_prob(torch.ones(5, 8)).shape, model.responsibilities(torch.ones(5, 8)).shape
        (torch.Size([5]), torch.Size([5, 3]))
    """

    weights: Tensor

    def __init__(
        self, family: F, *, tolerance: float = 1e-6, iterations: int = 500, restarts: int = 4
    ) -> None:
        super().__init__()
        for name, count in (("iterations", iterations), ("restarts", restarts)):
            check_whole(name, count)
        # Below 0, all sweeps are run.
        check_number("tolerance", tolerance, least=-math.inf, finite=False)
        if not hasattr(family, "log_prior"):
            raise ValueError(
                f"family must be of tables, got {type(family).__name__}: a mixture of Gaussians "
                'with independent columns is GaussianMixture(..., covariance="diag")'
            )
        self.family: F = family
        self.tolerance, self.iterations, self.restarts = tolerance, iterations, restarts
        self.history: tuple[float, ...] = ()
        """The objective, nats an example, at each sweep of the last ``fit``."""
        even = torch.full((family.states,), 1 / family.states, dtype=torch.float64)
        self.register_buffer("weights", even)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the component z and its child x, a vector of independent columns."""
        return {"p": DAG({"z": (), "x": ("z",)})}

    @property
    def network(self) -> BayesianNetwork:
        """The same with a node for each column: z -> x0, x1, ... (one x for counts)."""
        return BayesianNetwork([Node("z", Table(self.weights)), *self.family.nodes("z")])

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        start: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """Run EM on the examples x [N, D]; return self.

        Args:
            x: The data.
            given: Not used: the mixture is of the marginal p(x).
            generator: Source of the starts; torch's global one if None.
            start: Start from these responsibilities, [N, K], instead of random ones.
            weights: How often each row counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If x is not [N, D], start not [N, K], or weights not [N] or negative.
            ConfigError: If there are more components than examples that count.
            DataError: If there is no row, a value is not finite, or not of the family.
        """
        del given
        check_examples(x, (self.family.features,))
        self.family.check(x)
        shape = (len(x), self.family.states)
        rows, counts = counted_rows(x.detach(), weights)
        check_components(self.family.states, len(rows))
        if start is not None and start.shape != shape:
            raise ValueError(f"start must have shape {list(shape)}, got {list(start.shape)}")
        if start is not None and not bool(((start >= 0) & start.isfinite()).all()):
            raise ValueError("start must be finite and at least 0")
        if start is not None and weights is not None:
            start = start[weights > 0]
        best: tuple[float, dict[str, Tensor]] | None = None
        for _ in range(1 if start is not None else self.restarts):
            first = start if start is not None else self._start(len(rows), generator)
            history = self._climb(rows, first.to(self.weights), counts)
            if best is None or history[-1] > best[0]:
                self.history = tuple(history)
                state = {name: value.clone() for name, value in self.state_dict().items()}
                best = history[-1], state
        if best is not None:
            self.load_state_dict(best[1])
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x), nats, float64 [B], for x [B, D]; log p(x | z) where ``z`` is given.

        Raises:
            ValueError: If x is not [B, D], or a component is no state.
            DataError: If a value is not of the family.
            CapabilityError: If anything but ``z`` is given.
        """
        refuse_unknown(given, "a mixture", ["z"])
        if not given:
            return self._log_joint(x).logsumexp(dim=1)
        z = self._components(given, len(x))
        return self.family.log_prob(x).gather(1, z[:, None])[:, 0]

    def responsibilities(self, x: Tensor) -> Tensor:
        """Return the exact posterior p(z | x), [B, K], for x [B, D]; rows sum to 1.

        Raises:
            ValueError: If x is not [B, D].
            DataError: If a value is not of the family.
            InferenceError: If a row has probability 0 under every component.
        """
        return check_possible(self._log_joint(x), "component").softmax(dim=1)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n examples, [n, D], float64: first z, then x.

        A component ``z`` may be given, one for all or [n].

        Raises:
            ValueError: If n < 1, or a component is no state.
            CapabilityError: If anything but ``z`` is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "a mixture", ["z"])
        if given:
            z = self._components(given, n)
        else:
            z = draw(Categorical(probs=self.weights, validate_args=False), (n,), generator)
        return draw(self.family(z), (), generator).to(self.weights.dtype)

    def extra_repr(self) -> str:
        """Tell the number of components and of columns in ``repr``."""
        return f"components={self.family.states}, features={self.family.features}"

    def _components(self, given: Given, n: int) -> Tensor:
        return states_of("z", given["z"], n, self.family.states).to(self.weights.device)

    def _log_joint(self, x: Tensor) -> Tensor:
        return self.family.log_prob(x) + self.weights.log()

    def _start(self, n: int, generator: Generator | None) -> Tensor:
        """Draw responsibilities [n, K] that are evenly spread on the simplex."""
        shape = (n, self.family.states)
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
        exponential = -(1 - uniform).log()
        return exponential / exponential.sum(dim=1, keepdim=True)

    def _climb(self, x: Tensor, responsibilities: Tensor, counts: Tensor | None) -> list[float]:
        """Run EM from the given responsibilities; the last objective is the parameters' own."""
        history: list[float] = []
        each = torch.ones(len(x)) if counts is None else counts
        each = each.to(self.weights)
        total = each.sum()
        for _ in range(self.iterations):
            pulled = responsibilities * each[:, None]
            self.weights.copy_(pulled.sum(dim=0) / total)
            self.family.estimate(x, pulled)
            joint = self._log_joint(x)
            evidence = joint.logsumexp(dim=1)
            objective = float((each @ evidence + self.family.log_prior()) / total)
            history.append(objective)
            if len(history) > 1 and objective - history[-2] < self.tolerance:
                break
            responsibilities = (joint - evidence[:, None]).exp()
        return history
