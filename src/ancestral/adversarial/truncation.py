"""The truncation trick: draws nearer to the middle of the latents, of fewer modes."""

import torch
from torch import Generator, Tensor
from torch.distributions import Normal

from ancestral.adversarial.gan import AdversarialNetworks
from ancestral.capabilities import Given
from ancestral.errors import ConfigError


def sample_truncated(
    model: AdversarialNetworks,
    n: int,
    truncation: float | None,
    *,
    given: Given | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return n draws [n, D] whose normal latents lie within so many standard deviations.

    Source: Brock et al. 2019, arXiv:1809.11096, sec. 3.1.

    Raises:
        ConfigError: If the latents are not normal.
    """
    if truncation is not None:
        prior = model.p.nodes["z"].distribution(())
        normal = getattr(prior, "base_dist", prior)
        if not isinstance(normal, Normal):
            raise ConfigError("truncation is of normal latents: leave it out with prior=uniform")
        edge = normal.cdf(torch.full_like(normal.mean, truncation))
        draws = torch.rand((n, *edge.shape), generator=generator, device=edge.device)
        z = normal.icdf(torch.lerp(1 - edge, edge, draws)).clamp(-truncation, truncation)
        given = {**(given or {}), "z": z}
    return model.sample(n, given=given, generator=generator)
