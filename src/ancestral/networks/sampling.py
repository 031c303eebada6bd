"""The only place that draws from a distribution."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
)


@runtime_checkable
class Walked(Protocol):
    """A distribution over several values, which are drawn by this module one after another."""

    def draw(self, shape: torch.Size, generator: Generator | None) -> Tensor:
        """Return a draw of shape [*shape, *batch_shape, *event_shape]."""
        ...


def last_of(states: Iterable[Tensor]) -> Tensor:
    """Return the last state of a walk, keeping none of the others.

    Raises:
        IndexError: If there is no state.

    Example:
        >>> last_of(torch.arange(3))
        tensor(2)
    """
    return deque(states, maxlen=1)[0]


def even_uniform(n: int, like: Tensor, generator: Generator | None) -> Tensor:
    """Return uniform draws in [0, 1), one from each of n equal parts in turn, [n].

    A mean over them varies less than over independent ones.

    Example:
        >>> even_uniform(4, torch.zeros(()), None).mul(4).long()
        tensor([0, 1, 2, 3])
    """
    first = torch.rand(n, generator=generator, dtype=like.dtype, device=like.device)
    drawn = (torch.arange(n, dtype=like.dtype, device=like.device) + first) / n
    return drawn.clamp(max=1 - torch.finfo(like.dtype).eps / 2)  # The sum may round up to n.


def draw(
    distribution: Distribution,
    shape: Sequence[int] = (),
    generator: Generator | None = None,
    *,
    reparametrised: bool = False,
) -> Tensor:
    """Return a draw of shape [*shape, *batch_shape, *event_shape].

    torch's distributions take no generator. The families used in inner loops are drawn here
    directly from it; any other family is drawn under torch's global state, seeded from the
    generator and restored after.

    Args:
        distribution: What to draw from.
        shape: Leading shape of the draw.
        generator: Source of randomness; torch's global one if None.
        reparametrised: Let gradients flow to the distribution's parameters (``rsample``).

    Raises:
        ValueError: If ``reparametrised`` and the distribution has no ``rsample``.
    """
    if reparametrised and not distribution.has_rsample:
        raise ValueError(f"{type(distribution).__name__} has no reparametrised draw")
    with torch.set_grad_enabled(reparametrised and torch.is_grad_enabled()):
        return _draw(distribution, torch.Size(shape), generator)


def _draw(distribution: Distribution, shape: torch.Size, generator: Generator | None) -> Tensor:
    base, full = distribution, shape + distribution.batch_shape + distribution.event_shape
    while isinstance(base, Independent):
        base = base.base_dist
    if isinstance(base, Normal):
        return torch.addcmul(base.loc, base.scale, _noise(full, base.loc, generator))
    if isinstance(base, MultivariateNormal):
        noise = _noise(full, base.loc, generator)
        return base.loc + (base._unbroadcasted_scale_tril @ noise[..., None])[..., 0]
    if isinstance(base, Categorical):
        count = shape.numel()
        if count == 1:  # By inversion: many times faster than preparing each row for many draws.
            below = base.probs.cumsum(-1)
            at = torch.rand(
                (*base.batch_shape, 1), generator=generator, dtype=below.dtype, device=below.device
            )
            return (at * below[..., -1:] >= below).sum(-1).reshape(full)
        flat = base.probs.reshape(-1, base.probs.shape[-1])
        picks = torch.multinomial(flat, count, replacement=True, generator=generator)
        return picks.t().reshape(shape + base.batch_shape)
    if isinstance(base, Bernoulli):
        return torch.bernoulli(base.probs.expand(full), generator=generator)
    if isinstance(base, Walked):
        return base.draw(shape, generator)
    return _draw_by_global_state(distribution, shape, generator)


def _noise(shape: torch.Size, like: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def _draw_by_global_state(
    distribution: Distribution, shape: torch.Size, generator: Generator | None
) -> Tensor:
    take = distribution.rsample if torch.is_grad_enabled() and distribution.has_rsample else None
    take = take or distribution.sample
    if generator is None:
        return take(shape)
    seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
    with torch.random.fork_rng():
        torch.manual_seed(int(seed))
        return take(shape)
