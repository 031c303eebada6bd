"""Classifier guidance: a denoiser that is drawn towards what a classifier knows."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.diffusion.denoising import Denoising
from ancestral.diffusion.samplers import Denoise
from ancestral.errors import ConfigError
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.dag import DAG
from ancestral.networks.gaussian_path import rows
from ancestral.networks.sampling import last_of

Knows: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Maps data with noise y [B, *event] and sigma [B] to log p(label | y), nats, [B]."""


def classifier_guided(denoise: Denoise, knows: Knows, *, scale: float = 1.0) -> Denoise:
    """Return the denoiser whose score is ``score + scale * gradient of log p(label | y)``.

    With scale 1 and an exact classifier of noisy data it is the denoiser given the label, by
    Bayes' rule; with more, draws are more typical of the label and less different.

    Source: Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis,
    arXiv:2105.05233, sec. 4; Song et al. 2021, arXiv:2011.13456, sec. 5.

    Args:
        denoise: The mean of x given y, without the label.
        knows: The log-probability of the label, given data with noise.
        scale: 0 leaves the denoiser as it is.

    Example:
        >>> towards_one = classifier_guided(lambda y, s: y, lambda y, s: -(y - 1).square().sum(1))
        >>> towards_one(torch.zeros(5, 2), torch.ones(5))[0]
        tensor([2., 2.])
    """
    if scale == 0:
        return denoise

    def guided(y: Tensor, sigma: Tensor) -> Tensor:
        with torch.enable_grad():
            at = y.detach().requires_grad_()
            (slope,) = torch.autograd.grad(knows(at, sigma).sum(), at)
        return denoise(y, sigma) + scale * rows(sigma, y).square() * slope

    return guided


def through_denoised(denoise: Denoise, classify: Callable[[Tensor], Tensor]) -> Knows:
    """Return what a classifier of clean data knows of noisy data: what it says of the denoised.

    It is exact where there is no noise, and too sure of itself where there is much.

    Source: Chung et al. 2023, Diffusion Posterior Sampling, arXiv:2209.14687, eq. 11; Bansal et al.
    2023, Universal Guidance, arXiv:2302.07121, sec. 3.1.

    Args:
        denoise: The denoiser.
        classify: Maps clean data [B, *event] to the log-probability of a label, [B].
    """
    return lambda y, sigma: classify(denoise(y, sigma))


class ClassifierGuided(nn.Module):
    """Draws of a model without labels, given the label that a classifier of clean data knows.

    The two are the network ``p = {x, label | x}``, and draws follow the score of ``p(x | label)``,
    but for what :func:`through_denoised` takes the classifier to know of noisy data.

    Source: Dhariwal & Nichol 2021, arXiv:2105.05233, sec. 4, whose classifier is trained on noisy
    images; of the denoised: Bansal et al. 2023, arXiv:2302.07121, sec. 3.1.

    Args:
        model: Of x alone.
        classify: Maps x [B, *event] to log p(label | x), [B, K], so that it can be differentiated.

    Example:
        >>> from ancestral.diffusion import Denoiser, Diffusion
        >>> from ancestral.nn import TimedMLP
        >>> model = Diffusion(Denoiser(TimedMLP(2, hidden=(32,))), (2,))
        >>> guided = ClassifierGuided(model, lambda x: x.log_softmax(dim=1))
        >>> [*guided.walk(5, given={"label": torch.tensor(1)}, steps=3)][-1].shape
        torch.Size([5, 2])
    """

    def __init__(self, model: Denoising, classify: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.classify = model, classify

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network: the label is read from x."""
        return {"p": DAG({"x": (), "label": ("x",)})}

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return n draws, [n, *event]; a ``label``, [n] or one for all, must be given."""
        return last_of(self.walk(n, given=given, generator=generator))

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 50,
        sampler: str = "dpmpp-2m",
        guidance: float = 1.0,
    ) -> Iterator[Tensor]:
        """Yield the states of n draws, as the model's own ``walk`` does.

        Args:
            n: Number of draws, at least 1.
            given: ``label``, [n] or one for all.
            generator: Source of the noise; torch's global one if None.
            steps: Steps of the sampler, at least 1.
            sampler: One of :data:`~ancestral.diffusion.samplers.SAMPLERS`.
            guidance: Factor of the classifier's slope, at least 0.

        Raises:
            ConfigError: If no label is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "a model that a classifier guides", ("label",))
        if not given:
            raise ConfigError("a classifier guides towards a label: give one, --given label=NAME")
        label = given["label"].long().expand(n)[:, None]
        denoise = self.model.denoise()
        knows = through_denoised(denoise, lambda x: self.classify(x).gather(1, label)[:, 0])
        towards = classifier_guided(denoise, knows, scale=guidance)
        how = {"steps": steps, "sampler": sampler, "generator": generator}
        yield from self.model.walk_by(towards, n, **how)
