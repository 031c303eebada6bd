"""Score models: the gradient of the log-density of noisy data, and the equations it drives."""

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.diffusion.denoiser import Denoiser
from ancestral.diffusion.denoising import Denoising, denoising_loss
from ancestral.diffusion.samplers import Denoise
from ancestral.networks import labels, ode
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.dag import DAG
from ancestral.networks.gaussian_path import rows
from ancestral.networks.sampling import even_uniform, last_of

Process: TypeAlias = Literal["ve", "vp"]

LOWEST, HIGHEST = 0.005, 50.0
"""Noise at the ends of the variance-exploding process, in units of data of variance 1."""

_BETAS, _FIRST = (0.1, 20.0), 1e-5
"""Rates of the variance-preserving process at its ends, and the time at which it begins. Source:
Song et al. 2021, arXiv:2011.13456, app. C."""

_STEPS, _SOLVED = 100, 4
"""Steps of draws where none are asked for, and those of a density in a natural logarithm."""


def level_at(process: Process, time: Tensor) -> Tensor:
    """Return the noise of a process in units of the data, at times in [0, 1], [*].

    ``ve`` lets the noise grow by one factor in equal times; ``vp`` shrinks the data as noise comes,
    at a rate that grows evenly: what is returned is their ratio. Both have the same laws at equal
    levels, in the coordinates of this module.

    Source: Song et al. 2021, Score-Based Generative Modeling through Stochastic Differential
    Equations, arXiv:2011.13456, eq. 9-11 and app. B-C.

    Example:
        >>> level_at("ve", torch.tensor([0.0, 0.5, 1.0]))
        tensor([5.0000e-03, 5.0000e-01, 5.0000e+01])
    """
    if process == "ve":
        return LOWEST * (HIGHEST / LOWEST) ** time
    first, last = _BETAS
    t = _FIRST + (1 - _FIRST) * time
    return torch.expm1(first * t + 0.5 * (last - first) * t.square()).sqrt()


def score_of(denoise: Denoise, y: Tensor, sigma: Tensor) -> Tensor:
    """Return the score of data with noise, ``(E[x | y] - y) / sigma^2``, [B, *event].

    Source: Tweedie's formula; Efron 2011; Vincent 2011, A Connection between Score Matching and
    Denoising Autoencoders.

    Args:
        denoise: The denoiser.
        y: Data with noise, [B, *event].
        sigma: Of the noise, [B].
    """
    return (denoise(y, sigma) - y) / rows(sigma, y).square()


def flow_log_prob(denoise: Denoise, y: Tensor, lowest: float, highest: float) -> Tensor:
    """Return the log-density of y under the probability-flow ODE, nats, [B].

    It is that of draws by the exact solution from ``highest``, where their variance is
    ``1 + highest^2``, down to ``lowest``. The divergence is exact; the solver takes equal steps of
    order 5 in log sigma, so that no example's density depends on the others.

    Source: Song et al. 2021, arXiv:2011.13456, sec. 4.3 and app. D.2.

    Args:
        denoise: The denoiser.
        y: At the lowest level, [B, *event].
        lowest: Above 0.
        highest: Above it.
    """

    def velocity(y: Tensor, time: Tensor) -> Tensor:
        return y - denoise(y, time.exp())

    ends = math.log(lowest), math.log(highest)
    times = ode.even(math.ceil(_SOLVED * (ends[1] - ends[0])), *ends)
    end, log_det = ode.integrate_with_log_det(
        velocity, y, times, divergence=ode.exact_divergence, method="dopri5"
    )
    variance = 1 + highest**2
    squares = end.square().flatten(start_dim=1)
    log_p = -0.5 * (squares / variance + math.log(2 * math.pi * variance)).sum(1)
    return log_p + log_det


class Scoring(Denoising, ABC):
    """What score models of vectors and of images share; the arguments are theirs."""

    def __init__(
        self,
        denoiser: Denoiser,
        event_shape: Sequence[int],
        *,
        process: Process = "ve",
        dropped: float = 0.1,
    ) -> None:
        super().__init__(denoiser, event_shape, dropped=dropped)
        if process not in ("ve", "vp"):
            raise ValueError(f"process must be ve or vp, got {process!r}")
        self.process: Process = process

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The noise and what the probability-flow ODE makes of it: a score alone is no network."""
        parents = ("z", "label") if self.classes else ("z",)
        return {"p": DAG({"z": (), "x": parents})}

    def levels(self, steps: int) -> tuple[float, ...]:
        """Return the levels of so many equal times of the process, and 0."""
        check_whole("steps", steps)
        times = torch.linspace(1, 0, steps, dtype=torch.float64)
        return (*level_at(self.process, times).tolist(), 0.0)

    def score(self, y: Tensor, sigma: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the score of y, data with noise, [B, *event], for sigma [B]."""
        label = labels.given_label(self.labels, given, len(y))
        return score_of(self.denoise(label), y, sigma)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw noise and solve the probability-flow ODE in 100 steps of Heun's, [n, *event].

        A ``label``, [n] or one for all, may be given.
        """
        how = {"given": given, "generator": generator}
        states = self.walk(n, steps=_STEPS, sampler="heun", **how)
        return last_of(states)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the error of the score."""
        return [Player(name="score", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x, label = self._own(batch.x), self._hidden(batch.given.get("label"), generator)
        sigma = level_at(self.process, even_uniform(len(x), x, generator))
        error = denoising_loss(self.denoise(label), x, sigma, generator=generator)
        return Loss((error / sigma.square()).sum(), weight=len(x))


class ScoreModel(Scoring):
    """A score model of vectors, with the density of its probability-flow ODE.

    A network learns the score of the data at all levels of noise by denoising. The same score
    drives the reverse process, annealed Langevin dynamics and an ODE whose density is exact but for
    the error of the solver: it is that of ``sample``, with noise of the lowest level.

    Source: Song et al. 2021, Score-Based Generative Modeling through Stochastic Differential
    Equations, arXiv:2011.13456; Song & Ermon 2019, arXiv:1907.05600; Vincent 2011.

    Args:
        denoiser: The mean of x given x with noise.
        event_shape: Of x.
        process: ``ve``, of exploding variance, or ``vp``, which preserves it: the levels at which
            the network learns and steps.
        dropped: Share of the labels that training hides.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> model = ScoreModel(Denoiser(TimedMLP(2, hidden=(32,)), prediction="epsilon"), (2,))
        >>> model.sample(5).shape, model.log_prob(torch.zeros(5, 2)).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | label), or log p(x) with the labels summed out, nats, [B].

        It costs 200 to 300 evaluations for each coordinate, and as many times as there are labels
        to sum out.
        """
        x = self._own(x)
        refuse_unknown(given, "a score model", ("label",) if self.classes else ())
        label = labels.given_label(self.labels, given, len(x))
        if self.labels is None or label is not None:
            return self._log_prob(x, label)
        return labels.sum_labels(self.labels, lambda label: self._log_prob(x, label), x)

    def _log_prob(self, x: Tensor, label: Tensor | None) -> Tensor:
        highest, lowest, _ = self.levels(2)
        return flow_log_prob(self.denoise(label), x, lowest, highest)


class ImageScoreModel(Scoring):
    """A score model of images, without a density: its trace would cost an evaluation a pixel.

    Source: Song et al. 2021, arXiv:2011.13456.

    Args:
        denoiser: The mean of x given x with noise.
        event_shape: Of x, such as (C, H, W).
        process: ``ve`` or ``vp``, as of :class:`ScoreModel`.
        dropped: Share of the labels that training hides.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> network = TimedMLP((1, 8, 8), hidden=(32,), classes=10)
        >>> model = ImageScoreModel(Denoiser(network, classes=10), (1, 8, 8))
        >>> model.sample(3, given={"label": torch.tensor(7)}).shape
        torch.Size([3, 1, 8, 8])
    """
