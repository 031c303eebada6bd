"""How many latents of a variational autoencoder say anything of an example."""

import torch

from ancestral.capabilities import Encodes, Tightens
from ancestral.data.dataset import Examples
from ancestral.evaluation.figures import Figure
from ancestral.networks.latent import encode
from ancestral.networks.units import InDataUnits

ACTIVE = 0.01
"""Share of the variance of a latent that is of its posterior mean, above which it is in use."""

COLLAPSED = 0.1
"""Share of the latents in use below which a posterior has collapsed onto the prior."""


@torch.no_grad()
def active_units(model: InDataUnits, examples: Examples, *, device: str = "cpu") -> Figure | None:
    """Return the share of latents that are in use, None of a model without such a posterior.

    A latent is in use if its posterior mean varies over examples by more than a hundredth of its
    variance under the mean posterior. Where the prior is Normal(0, 1) and the fit is good, that
    variance is 1, and the rule is the usual one.

    Source: Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, sec. 5.2.

    Args:
        model: In the units of the examples.
        examples: At least 2.
        device: Where the model is.
    """
    if not (model.can(Encodes) and model.can(Tightens)) or len(examples) < 2:
        return None
    found = encode(model, examples, device=device)
    if found.std is None:
        return None
    between = found.mean.double().flatten(1).var(dim=0)
    within = found.std.double().flatten(1).square().mean(dim=0)
    share = (between > ACTIVE * (between + within)).double().mean()
    return Figure(share.item(), None, "share", "estimate")


def said_of_latents(figure: Figure | None) -> list[str]:
    """Return a sentence where the posterior has collapsed onto the prior, else none.

    Example:
        >>> said_of_latents(Figure(0.04, None, "share", "estimate"))
        ['posterior collapse: 4% of the latents say anything of x']
        >>> said_of_latents(Figure(0.5, None, "share", "estimate"))
        []
    """
    if figure is None or figure.value >= COLLAPSED:
        return []
    return [f"posterior collapse: {figure.value:.0%} of the latents say anything of x"]
