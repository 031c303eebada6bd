"""Gaussian mixtures: the network z -> x with a discrete latent, fitted by EM."""

import math
from collections.abc import Iterator, Mapping
from typing import Self, cast

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.arguments import (
    check_components,
    check_event,
    check_examples,
    check_possible,
    counted_rows,
    in_type_of,
    states_of,
)
from ancestral.classic.covariance import FORMS, Covariance
from ancestral.classic.em import Design, Mixture, assigned, climb, expectation, maximisation
from ancestral.classic.gaussians import Gaussians
from ancestral.classic.seeding import cluster_centres, nearest_centre
from ancestral.networks.arguments import check_number, check_whole, refuse_unknown
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table

_TILE = 1 << 20  # Numbers held at once in a density or a draw: 8 MiB.
LEAST_VARIANCES = (1e-6, 1e-4, 1e-2, 0.03, 0.1, 0.3)
"""Least variances that are tried, relative to the data's."""

_JUDGED_AT_MOST = 20_000


class GaussianMixture(nn.Module):
    """The network z -> x: ``p(x) = sum_k w_k Normal(x; m_k, S_k)``, fitted by EM.

    It IS a :class:`~ancestral.networks.bayesian_network.BayesianNetwork`, ``network``, of a table
    and Gaussians: sampling is its ancestral sampling, ``log_prob`` its joint summed over z. The
    parameters and the arithmetic are float64, whatever the type of the data.

    Source: Dempster, Laird & Rubin 1977; Bishop 2006, Pattern Recognition and Machine Learning,
    ch. 9.2; start by Arthur & Vassilvitskii 2007 (k-means++).

    Args:
        features: Dimension D of the data, at least 1.
        components: Number K of Gaussians, at least 1.
        covariance: Of each Gaussian: ``"full"``, ``"diag"`` (independent columns), ``"tied"``
            (the same full one for all) or ``"spherical"`` (one variance).
        least_variance: Least variance of a component in any direction, relative to the data's
            (per column, constant columns and spheres to the mean of all), in (0, 1]. It keeps a
            component that closes in on few points from infinite density. None: the one of 1e-6
            to 0.3 under which a held-out fifth of the examples (of at most 20,000) is most likely.
        tolerance: EM ends when the mean log-likelihood rises by less than this, nats.
        iterations: Most sweeps of EM, at least 1.
        restarts: Starts, of which the one of highest likelihood is kept, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = GaussianMixture(2, components=3).fit(torch.randn(100, 2))
        >>> model.log_prob(torch.zeros(5, 2)).shape, model.responsibilities(torch.zeros(5, 2)).shape
        (torch.Size([5]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        features: int,
        *,
        components: int = 10,
        covariance: Covariance = "full",
        least_variance: float | None = None,
        tolerance: float = 1e-4,
        iterations: int = 200,
        restarts: int = 1,
    ) -> None:
        super().__init__()
        counts = {"features": features, "components": components}
        for name, count in {**counts, "iterations": iterations, "restarts": restarts}.items():
            check_whole(name, count)
        # Below 0, all sweeps are run.
        check_number("tolerance", tolerance, least=-math.inf, finite=False)
        if covariance not in tuple(FORMS):
            raise ValueError(f"covariance must be one of {', '.join(FORMS)}, got {covariance!r}")
        if least_variance is not None:
            check_number("least_variance", least_variance)
        if least_variance is not None and not 0 < least_variance <= 1:
            raise ValueError(f"least_variance must be in (0, 1], got {least_variance}")
        self.features, self.components = features, components
        self.covariance: Covariance = covariance
        self.least_variance, self.tolerance = least_variance, tolerance
        self.iterations, self.restarts = iterations, restarts
        self.history: tuple[float, ...] = ()
        """Mean log-likelihood (nats) of the training data at each sweep of the last ``fit``."""
        self.network = BayesianNetwork(
            [
                Node("z", Table(torch.full((components,), 1 / components, dtype=torch.float64))),
                Node("x", Gaussians(components, features).double(), ("z",), (features,)),
            ]
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the component z, and x."""
        return {"p": self.network.graph}

    @property
    def givens(self) -> Mapping[str, tuple[str, ...]]:
        """The component z, whose states are called by their numbers."""
        return {"z": tuple(map(str, range(self.components)))}

    @property
    def gaussians(self) -> Gaussians:
        """The conditional p(x | z), with ``means`` [K, D] and ``scale_tril`` [K, D, D]."""
        return cast(Gaussians, self.network.nodes["x"].conditional)

    @property
    def weights(self) -> Tensor:
        """The probabilities p(z), [K]."""
        return self.network.table("z").probabilities

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        means: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """Run EM on the examples x [N, D]; return self.

        Args:
            x: The data, model units. Columns are centred and scaled inside, so that the fit does
                not depend on their units.
            given: Not used: the mixture is of the marginal p(x).
            generator: Source of the starts; torch's global one if None.
            means: Start from these means, [K, D], instead of k-means++: each example goes to the
                nearest (in scaled columns).
            weights: How often each row counts, [N], at least 0; None: each once. Only their
                proportions matter.

        Raises:
            ValueError: If x is not [N, D], means not [K, D], or weights not [N] or negative.
            ConfigError: If there are more components than examples that count.
            DataError: If there is no row or a value is not finite.
        """
        del given
        check_examples(x, (self.features,))
        x, counts = counted_rows(x.detach(), weights)
        check_components(self.components, len(x))
        if means is not None and means.shape != (self.components, self.features):
            wanted = [self.components, self.features]
            raise ValueError(f"means must have shape {wanted}, got {list(means.shape)}")
        if means is not None and not bool(means.isfinite().all()):
            raise ValueError("means must be finite, got NaN or infinity")
        x = x.to(self.gaussians.means.device, torch.float64)
        design, centre, scale = self._scaled(x, None if counts is None else counts.to(x.device))
        least = self.least_variance
        if least is None:
            least = self._choose_least_variance(design, generator)
        if means is not None:
            starts = [(means.to(x) - centre) / scale]
        else:
            starts = [self._start(design, generator) for _ in range(self.restarts)]
        climbed = [self._climb(design, start, least) for start in starts]
        mixture, history = max(climbed, key=lambda run: run[1][-1])
        self.history = tuple(value - float(scale.log().sum()) for value in history)
        self.network.table("z").probabilities.copy_(mixture.weights)
        self.gaussians.means.copy_(mixture.means * scale + centre)
        triangles = torch.linalg.cholesky(mixture.covariances)
        self.gaussians.scale_tril.copy_(triangles * scale[:, None])
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x) in nats, [B], for x [B, D]; log p(x | z) where ``z`` is given.

        Raises:
            ValueError: If x is not [B, D].
            CapabilityError: If anything but ``z`` is given.
        """
        refuse_unknown(given, "gmm", ["z"])
        if not given:
            return in_type_of(x, torch.cat([part.logsumexp(1) for part in self._log_joint(x)]))
        z = states_of("z", given["z"], len(x), self.components).to(x.device)
        log_prior = self.weights.log()
        conditional = torch.cat([part - log_prior for part in self._log_joint(x)])
        return in_type_of(x, conditional.gather(1, z[:, None])[:, 0])

    def responsibilities(self, x: Tensor) -> Tensor:
        """Return the exact posterior p(z | x), [B, K], for x [B, D]; rows sum to 1.

        Raises:
            ValueError: If x is not [B, D].
            DataError: If a value is not finite.
            InferenceError: If a row is too far from every component for any density.
        """
        log_joint = check_possible(torch.cat([*self._log_joint(x)]), "component")
        return in_type_of(x, log_joint.softmax(dim=1))

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n points, [n, D], float64, by ancestral sampling: first z, then x.

        A component ``z`` may be given, one for all or [n].

        Raises:
            ValueError: If n < 1.
            CapabilityError: If anything but ``z`` is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "gmm", ["z"])
        # Every draw carries its own [D, D] factor, so many are drawn in parts.
        rows = max(1, _TILE // self.features**2)
        z = states_of("z", (given or {}).get("z", 0), n, self.components)
        parts = [
            self.network.sample(
                min(rows, n - start),
                given={"z": z[start : start + rows]} if given else None,
                generator=generator,
            )["x"]
            for start in range(0, n, rows)
        ]
        return torch.cat(parts)

    def extra_repr(self) -> str:
        """Tell the dimension and the number of components in ``repr``."""
        return (
            f"features={self.features}, components={self.components}, "
            f"covariance={self.covariance!r}"
        )

    def _scaled(self, x: Tensor, counts: Tensor | None) -> tuple[Design, Tensor, Tensor]:
        """Return the centred and scaled columns of x [N, D], the centre and the scale, [D]."""
        if counts is None:
            centre, scale = x.mean(dim=0), x.std(dim=0, correction=0)
        else:
            counts = counts * (len(counts) / counts.sum())
            centre = counts @ x / len(x)
            scale = (counts @ (x - centre).square() / len(x)).sqrt()
        overall = scale.square().mean().sqrt()
        scale = torch.where(scale > 1e-12 * overall, scale, overall if overall > 0 else 1.0)
        form = FORMS[self.covariance]
        scale = form.units(scale)
        return Design((x - centre) / scale, form, counts), centre, scale

    def _start(self, design: Design, generator: Generator | None) -> Tensor:
        x, weights = design.x, design.weights
        return cluster_centres(x, self.components, weights=weights, generator=generator)

    def _choose_least_variance(self, design: Design, generator: Generator | None) -> float:
        x, weights = design.x, design.weights
        order = torch.randperm(len(x), generator=generator)[:_JUDGED_AT_MOST].to(x.device)
        cut = len(order) // 5
        judges, examples = (
            Design(x[part], design.form, None if weights is None else weights[part])
            for part in (order[:cut], order[cut:])
        )
        if cut == 0 or len(examples.x) < self.components:
            return LEAST_VARIANCES[-1]  # Too few examples to judge: the most careful.
        start = self._start(examples, generator)
        scores = {
            least: expectation(judges, self._climb(examples, start, least)[0])[0]
            for least in LEAST_VARIANCES
        }
        return max(scores, key=lambda least: scores[least])

    def _climb(
        self, design: Design, means: Tensor, least_variance: float
    ) -> tuple[Mixture, list[float]]:
        """Run EM in scaled columns from the given means, [K, D]."""
        statistics = assigned(design, nearest_centre(design.x, means), self.components)
        first = maximisation(statistics, design, least_variance=least_variance)
        return climb(
            design,
            first,
            least_variance=least_variance,
            tolerance=self.tolerance,
            iterations=self.iterations,
        )

    def _log_joint(self, x: Tensor) -> Iterator[Tensor]:
        """Yield log p(z, x) for all z, [b, K], tile by tile of x [B, D]."""
        check_event(x, (self.features,))
        log_prior = self.weights.log()
        rows = max(1, _TILE // (self.components * self.features))
        for part in x.to(log_prior.dtype).split(rows):
            yield self.gaussians.log_prob(part) + log_prior
