"""A model in the user's units: the model together with the data transform it was fitted under."""

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor, nn
from torch.distributions import Categorical, Distribution

from ancestral.capabilities import (
    Classifies,
    Completes,
    Decodes,
    Encodes,
    Given,
    HasBound,
    HasDensity,
    HasGraph,
    NeedsGiven,
    Samples,
    SamplesMeans,
    Tightens,
)
from ancestral.data.cells import UNKNOWN, Cells
from ancestral.data.transforms import Transform
from ancestral.errors import CapabilityError
from ancestral.networks.inversion import invert
from ancestral.networks.sampling import last_of

T = TypeVar("T")

Rows: TypeAlias = Tensor | ArrayLike
"""Examples: a tensor, or what NumPy takes for an array, such as a data frame of numbers."""


class InDataUnits:
    """Sample, score and encode in the units, shapes and columns of the user's data.

    Every likelihood counts the transform's log-determinant, so that models with different
    transforms compare. Where the transform dequantises (``exact`` is False), a density of the
    dequantised data becomes a lower bound on the probability of the discrete data. What the model
    cannot do raises a :class:`~ancestral.errors.CapabilityError`.

    Args:
        network: Any model of this library, in model units.
        transform: User units -> model units, fitted on the training split.
        draw: ``draw(model, n, given=, generator=)`` in place of the model's own ``sample``, where
            more than that can be set.
        walk: ``walk(model, n, evaluations=, given=, generator=)`` of a model that draws in steps:
            the states of n draws, from noise to data, [n, *event] each, by so many evaluations of
            its network; None: by as many as ``draw`` takes.
    """

    def __init__(
        self,
        network: nn.Module,
        transform: Transform,
        *,
        draw: Callable[..., Tensor] | None = None,
        walk: Callable[..., Iterator[Tensor]] | None = None,
    ) -> None:
        self.network = network
        self.transform = transform
        self._draw, self._walk = draw, walk

    @property
    def exact(self) -> bool:
        """Whether a likelihood in user units is as exact as the model's own."""
        return self.transform.exact

    def can(self, capability: type) -> bool:
        """Return whether the model has a capability, one of ``ancestral.capabilities``."""
        return isinstance(self.network, capability)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes of the generative network; empty of a model that is none."""
        graphs = self.network.graph if isinstance(self.network, HasGraph) else {}
        return tuple(graphs["p"].names) if "p" in graphs else ()

    def taken(self, given: Given) -> Given | None:
        """Return those of the given fields that are nodes of the model, None where none is."""
        nodes = self.nodes
        return {name: value for name, value in given.items() if name in nodes} or None

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the fields that must always be given: they have no law of their own."""
        return tuple(self.network.needs) if isinstance(self.network, NeedsGiven) else ()

    def required(self, given: Given) -> Given | None:
        """Return those of the given fields that the model needs, None where it needs none."""
        return {name: given[name] for name in self.needs} or None

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        means: bool = False,
        evaluations: int | None = None,
    ) -> Tensor:
        """Return n draws, or means of p(x | z) if ``means``, in user units [n, *event].

        Of a model that draws in steps, ``evaluations`` says how often its network is evaluated.
        """
        if evaluations is not None:
            how = {"evaluations": evaluations, "given": given, "generator": generator}
            draws = last_of(self._steps(n, **how))
        elif means:
            draws = self._need(SamplesMeans, "means").sample_means(
                n, given=given, generator=generator
            )
        elif self._draw is not None:
            draws = self._draw(self.network, n, given=given, generator=generator)
        else:
            draws = self._need(Samples, "samples").sample(n, given=given, generator=generator)
        return self.transform.inverse(draws, generator)

    @property
    def walks(self) -> bool:
        """Whether it draws in steps, from noise to data."""
        return self._walk is not None

    def walk(
        self,
        n: int,
        *,
        evaluations: int | None = None,
        given: Given | None = None,
        generator: Generator | None = None,
    ) -> Iterator[Tensor]:
        """Yield the states of n draws from noise to data, in user units [n, *event] each.

        Args:
            n: Number of draws.
            evaluations: Of the network; None: as many as ``sample`` takes.
            given: What is held fixed.
            generator: Of the draws.

        Raises:
            CapabilityError: If the model does not draw in steps.
        """
        how = {"evaluations": evaluations, "given": given, "generator": generator}
        for state in self._steps(n, **how):
            yield self.transform.inverse(state, generator)

    def _steps(self, n: int, **how: Any) -> Iterator[Tensor]:  # noqa: ANN401 - as of ``walk``
        if self._walk is None:
            raise CapabilityError(f"{type(self.network).__name__} does not draw in steps")
        return self._walk(self.network, n, **how)

    def log_prob(
        self, x: Rows, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return log p(x | given) in nats, [B]; a bound if not ``exact``."""
        model = self._need(HasDensity, "log_prob")
        y, log_det = self._model_units(x, generator)
        return model.log_prob(y, given=given) + log_det

    def elbo(
        self,
        x: Rows,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return a lower bound on log p(x | given) in nats, [B]."""
        model = self._need(HasBound, "elbo")
        y, log_det = self._model_units(x, generator)
        return model.elbo(y, given=given, draws=draws, generator=generator) + log_det

    def estimate_log_prob(
        self,
        x: Rows,
        *,
        given: Given | None = None,
        draws: int = 64,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the importance-weighted estimate of log p(x | given) in nats, [B]."""
        model = self._need(Tightens, "estimate_log_prob")
        y, log_det = self._model_units(x, generator)
        return model.estimate_log_prob(y, given=given, draws=draws, generator=generator) + log_det

    def complete(
        self,
        x: Tensor,
        known: Tensor,
        *,
        present: bool = False,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return rows with what is not known drawn from p(unknown | known), [B, D].

        Args:
            x: In the user's units, [B, D]; what is not known may be anything.
            known: What is, bool [B, D].
            present: Draw values alone, where a missing cell might come, too.
            generator: Of the draws.
        """
        model, cells = self._cells(x, known)
        least = [int(column.gaps) for column in self.table.field.columns] if present else []
        drawn = model.complete(cells, least=least, generator=generator)
        return x.where(known, self.transform.inverse(drawn, generator))

    def conditional(self, x: Tensor, known: Tensor, column: int) -> Tensor:
        """Return log p(cell of a column | what is known of each row), nats, [B, K].

        Arguments as of :meth:`complete`; the cells' names are ``table.names(column)``.
        """
        model, cells = self._cells(x, known)
        return model.conditional(cells, column)

    def cell_log_probs(self, x: Tensor) -> Tensor:
        """Return log p(value | the other values of its row) of every cell of x, nats, [B, D]."""
        model, cells = self._cells(x, torch.ones_like(x, dtype=torch.bool))
        found = [
            model.conditional(cells, column).gather(1, cells[:, column, None])[:, 0].double()
            for column in range(x.shape[1])
        ]
        return torch.stack(found, dim=1) + self.table.located(x)[1]

    @property
    def table(self) -> Cells:
        """The cells of the columns of a mixed table.

        Raises:
            CapabilityError: If the model is of other data.
        """
        if not isinstance(self.transform, Cells):
            raise CapabilityError(f"{type(self.network).__name__} models no mixed table here")
        return self.transform

    def _cells(self, x: Tensor, known: Tensor) -> tuple[Completes, Tensor]:
        """Return the model, and what it sees of rows of which something is known."""
        model = self._need(Completes, "part that can be given")
        return model, self.table(x.where(known, math.nan)).masked_fill(~known, UNKNOWN)

    def posterior(self, x: Rows, *, generator: Generator | None = None) -> Categorical:
        """Return p(label | x), batch shape [B]."""
        model = self._need(Classifies, "labels")
        return model.posterior(self._model_units(x, generator)[0])

    def encode(self, x: Rows, *, given: Given | None = None) -> Distribution:
        """Return q(z | x), batch shape [B]."""
        model = self._need(Encodes, "encode")
        return model.encode(self._model_units(x, None)[0], given=given)

    def invert(
        self, x: Rows, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return latents that nearly make x, of a model without an encoder, [B, *latent].

        See :func:`ancestral.networks.inversion.invert`.
        """
        model = self._need(Decodes, "decode")
        return invert(model, self._model_units(x, None)[0], given=given, generator=generator)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | z) in user units, [B, *event]; in cells always the same draw."""
        able = Decodes if self.can(Decodes) else Encodes
        y = self._need(able, "decode").decode(z, given=given)
        return self.transform.inverse(y, Generator(y.device).manual_seed(0))

    def _model_units(self, x: Rows, generator: Generator | None) -> tuple[Tensor, Tensor]:
        x = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
        return self.transform.forward_and_log_det(x, generator)

    def _need(self, capability: type[T], what: str) -> T:
        if not isinstance(self.network, capability):
            raise CapabilityError(
                f"{type(self.network).__name__} has no {what} that can be called so"
            )
        return self.network
