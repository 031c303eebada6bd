"""The distribution that a flow makes: noise carried to data."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import Generator, Size, Tensor
from torch.distributions import Distribution

from ancestral.flows.bijection import Bijection
from ancestral.networks.sampling import draw

Way: TypeAlias = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]


class Transformed(Distribution):
    """The law of x = f(z), z drawn from a base; ``log_prob`` is exact by the change of variables.

    ``log p(x) = log p(z) + log |dz/dx|`` with ``z = f^-1(x)``.

    Args:
        base: The law of z, batch shape (), event shape [*event].
        bijection: The map f.
        context: What is given, [*batch, C]; None where nothing is, then the batch shape is ().

    Example:
        >>> from ancestral.flows import ElementwiseAffine
        >>> from ancestral.networks import StandardNormal
        >>> law = Transformed(StandardNormal((2,))(), ElementwiseAffine(2))
        >>> law.log_prob(law.sample((5,))).shape
        torch.Size([5])
    """

    arg_constraints = {}  # noqa: RUF012 # pyright: ignore - torch's own
    has_rsample = True

    def __init__(
        self, base: Distribution, bijection: Bijection, context: Tensor | None = None
    ) -> None:
        self.base, self.bijection, self.context = base, bijection, context
        batch = Size() if context is None else context.shape[:-1]
        super().__init__(batch, base.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the exact log-density of values [*sample, *batch, *event], nats."""
        z, log_det = self._through(self.bijection.inverse_and_log_det, value)
        return self.base.log_prob(z) + log_det

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return draws [*sample_shape, *batch, *event] through which gradients flow."""
        return self.carry(self.base.rsample(self._lead(sample_shape)))

    def draw(self, shape: Size, generator: Generator | None) -> Tensor:
        """Return draws [*shape, *batch, *event]."""
        return self.carry(draw(self.base, self._lead(shape), generator))

    def carry(self, z: Tensor) -> Tensor:
        """Return the data x of noise z, both [*sample, *batch, *event]."""
        return self._through(self.bijection.forward_and_log_det, z)[0]

    def noise_of(self, x: Tensor) -> Tensor:
        """Return the noise z of data x, both [*sample, *batch, *event]."""
        return self._through(self.bijection.inverse_and_log_det, x)[0]

    def _lead(self, sample_shape: Sequence[int]) -> Size:
        return Size(sample_shape) + self.batch_shape

    def _through(self, way: Way, value: Tensor) -> tuple[Tensor, Tensor]:
        lead = value.shape[: value.ndim - len(self.event_shape)]
        context = self.context
        if context is not None:
            context = context.expand(*lead, -1).reshape(lead.numel(), -1)
        found, log_det = way(value.reshape(-1, *self.event_shape), context)
        return found.reshape(value.shape), log_det.reshape(lead)
