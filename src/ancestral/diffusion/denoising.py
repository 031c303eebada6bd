"""What diffusion and score models share: a denoiser, its loss, and draws by any sampler."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.diffusion.denoiser import Denoiser
from ancestral.diffusion.editing import Impose, imposed
from ancestral.diffusion.samplers import Denoise
from ancestral.diffusion.samplers import walk as walk_levels
from ancestral.networks import labels
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.gaussian_path import rows
from ancestral.networks.nodes import Table
from ancestral.nn.guidance import check_guidance


def denoising_loss(
    denoise: Denoise, x: Tensor, sigma: Tensor, *, generator: Generator | None = None
) -> Tensor:
    """Return the squared error of x denoised, per example, [B], in squared units of the data.

    It is the loss of a denoising autoencoder with noise of that level. Times ``1 / sigma^2`` it is
    that of the predicted noise, and denoising score matching: ``|sigma score + epsilon|^2``.

    Source: Vincent 2011, A Connection between Score Matching and Denoising Autoencoders; Ho, Jain &
    Abbeel 2020, arXiv:2006.11239, eq. 14.

    Args:
        denoise: Maps x with noise and the level to the mean of x.
        x: Data, [B, *event].
        sigma: Standard deviation of the noise, [B].
        generator: Source of the noise; torch's global one if None.

    Example:
        >>> x = torch.zeros(5, 2)
        >>> denoising_loss(lambda y, sigma: y * 0, x, torch.ones(5)).sum()
        tensor(0.)
    """
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    error = denoise(x + rows(sigma, x) * noise, sigma) - x
    return error.square().flatten(start_dim=1).mean(dim=1)


class Denoising(nn.Module, ABC):
    """A model of data through a denoiser of all noise levels, conditional on a label or not.

    Args:
        denoiser: The mean of x given x with noise.
        event_shape: Of x.
        dropped: Share of the labels that training hides, in [0, 1): guidance needs both.

    Raises:
        ValueError: If dropped is out of its range.
    """

    def __init__(
        self, denoiser: Denoiser, event_shape: Sequence[int], *, dropped: float = 0.1
    ) -> None:
        super().__init__()
        if not 0 <= dropped < 1:
            raise ValueError(f"dropped must be in [0, 1), got {dropped}")
        self.denoiser, self.dropped = denoiser, dropped
        self.event_shape, self.classes = tuple(event_shape), denoiser.classes
        self.labels: Table | None = labels.uniform_labels(self.classes)

    @abstractmethod
    def levels(self, steps: int) -> tuple[float, ...]:
        """Return the noise levels of so many steps of a sampler, falling to 0, [steps + 1]."""

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]; no attribute of a model without classes."""
        if self.labels is None:
            raise AttributeError("without classes there is no law of labels")
        return self.labels.probabilities

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, from counts [K]; ValueError without classes."""
        labels.fit_labels(self.labels, counts)

    def denoise(self, label: Tensor | None = None, *, guidance: float = 1.0) -> Denoise:
        """Return the denoiser given labels [B], or None, as what samplers take."""
        return partial(self.denoiser, label=label, scale=guidance)

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
        impose: Impose | None = None,
    ) -> Iterator[Tensor]:
        """Yield the states [n, *event] of n draws, the noise first, the draws last.

        A state is ``z = alpha y``, with noise and data together of variance 1.

        Args:
            n: Number of draws, at least 1.
            given: ``label``, [n] or one for all.
            generator: Source of the noise and the labels; torch's global one if None.
            steps: Steps of the sampler, at least 1.
            sampler: One of :data:`~ancestral.diffusion.samplers.SAMPLERS`.
            guidance: Scale of classifier-free guidance: 0 is without, 1 with the label, above 1
                further away from what is likely without.
            impose: What is known of the draws; see :mod:`ancestral.diffusion.editing`.

        Raises:
            ConfigError: If there is a guidance scale and no label to guide by.
            ValueError: If an argument is out of its range.
        """
        check_whole("n", n)
        refuse_unknown(given, "this model", ("label",) if self.classes else ())
        check_guidance(guidance, labelled=bool(self.classes))
        label = labels.some_label(self.labels, given, n, generator)
        denoise = self.denoise(label, guidance=guidance)
        denoise = denoise if impose is None else imposed(denoise, impose)
        yield from self.walk_by(denoise, n, steps=steps, sampler=sampler, generator=generator)

    def walk_by(
        self, denoise: Denoise, n: int, *, steps: int, sampler: str, generator: Generator | None
    ) -> Iterator[Tensor]:
        """Yield the states of n draws by a denoiser made of this model's own; as :meth:`walk`."""
        levels, like = self.levels(steps), next(self.denoiser.parameters())
        shape = (n, *self.event_shape)
        states = walk_levels(sampler, denoise, levels, shape, like=like, generator=generator)
        for level, state in zip(levels, states, strict=True):
            yield state / math.sqrt(1 + level**2)

    def _own(self, x: Tensor) -> Tensor:
        """Return x in the precision of the network."""
        return x.to(next(self.denoiser.parameters()).dtype)

    def _hidden(self, label: Tensor | None, generator: Generator | None) -> Tensor | None:
        """Return the labels of a batch, some of them hidden; None of a model without."""
        if label is None or not self.classes:
            return None
        return labels.drop_labels(
            label, classes=self.classes, rate=self.dropped, generator=generator
        )
