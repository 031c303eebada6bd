"""The diffusion model: a chain of noise, and the chain that a denoiser runs back."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.diffusion.bounds import bound_by_label
from ancestral.diffusion.denoiser import Denoised, Denoiser, Spread
from ancestral.diffusion.denoising import Denoising, denoising_loss
from ancestral.diffusion.levels import karras_levels
from ancestral.networks import labels
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.chain import Chain
from ancestral.networks.chain_elbo import chain_elbo
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import StandardNormal
from ancestral.networks.noising import (
    DenoisingStep,
    VariancePreservingStep,
    cosine_schedule,
    term_chances,
)
from ancestral.networks.sampling import even_uniform

Weighting: TypeAlias = Literal["epsilon", "x", "v", "min-snr", "bound"]

Emphasis: TypeAlias = Literal["log-normal", "schedule"]

WEIGHTINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "epsilon": lambda sigma: sigma.square().reciprocal(),
    "x": torch.ones_like,
    "v": lambda sigma: 1 + sigma.square().reciprocal(),
    "min-snr": lambda sigma: sigma.square().reciprocal().clamp(max=5),
}
"""Weight of the squared error of x at each noise level, by the quantity of which it is the error.

Source: Salimans & Ho 2022, arXiv:2202.00512, sec. 4; Hang et al. 2023, arXiv:2303.09556 (the
signal-to-noise ratio, but not more than 5). ``bound`` is the evidence lower bound itself."""

_LOWEST, _HIGHEST, _FAR = 0.005, 80.0, 7.0
"""Levels between which samplers step, in units of data of variance 1: from so many times the size
of an example, ``sqrt(D)``, but no more than is enough for images. Source: Song & Ermon 2020,
arXiv:2006.09011, technique 1 (the distance between examples); Karras et al. 2022,
arXiv:2206.00364, table 1."""

_LOG_NORMAL, _TAIL, _EVEN = (-1.2, 1.2), 1e-6, 0.2
"""Mean and deviation of the logarithm of the levels of training, the share of each end that is not
drawn, and that of the levels that are even instead. Source: Karras et al. 2022, table 1."""

_WIDE, TERMS, _FEW = 64, 16, 4
"""Values of an example above which a bound draws few terms; how many, and how few."""

AT_ONCE = 4_000_000
"""Numbers in one call of the denoiser when a bound is taken."""


class Diffusion(Denoising):
    """A denoising diffusion model: two chains that run against each other, and their exact bound.

    ``q = {z_1, ..., z_T | x}`` adds noise until nothing is left of x, ``p = {z_T, ..., z_1, x}``
    begins at Normal(0, I) and takes it away: each step is the posterior of q, averaged over what
    the denoiser says of x. All levels share one network, which is told the noise alone.

    Source: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv:2006.11239;
    Kingma et al. 2021, Variational Diffusion Models, arXiv:2107.00630 (levels and bound).

    Args:
        denoiser: The mean of x given x with noise.
        event_shape: Of x.
        schedule: Shares of the variance that q keeps, a module such as
            :func:`~ancestral.networks.noising.cosine_schedule`, the default of 1,000 steps.
        weighting: Of the squared errors at different levels in the loss; ``bound`` lowers -elbo.
        grey_levels: x are that many grey levels, evenly on [-1, 1], and bounds are on their
            probability; 0: x are real numbers.
        emphasis: Levels at which the loss is taken: ``log-normal`` around a third of the data's
            deviation, where most is learned, a fifth of them as the bound's terms; or the
            ``schedule``, each step as often.
        dropped: Share of the labels that training hides.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> model = Diffusion(Denoiser(TimedMLP(2, hidden=(32,))), (2,))
        >>> model.elbo(torch.zeros(5, 2)).shape
        torch.Size([5])
        >>> *_, x = model.walk(5, steps=20, sampler="heun")
        >>> x.shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        denoiser: Denoiser,
        event_shape: Sequence[int],
        *,
        schedule: nn.Module | None = None,
        weighting: Weighting = "v",
        grey_levels: int = 0,
        emphasis: Emphasis = "log-normal",
        dropped: float = 0.1,
    ) -> None:
        super().__init__(denoiser, event_shape, dropped=dropped)
        check_loss(weighting, emphasis)
        if grey_levels and grey_levels < 2:
            raise ValueError(f"grey_levels must be 0 or at least 2, got {grey_levels}")
        self.weighting, self.grey_levels = weighting, grey_levels
        self.emphasis: Emphasis = emphasis
        self.spread, self.prior = Spread(), StandardNormal(self.event_shape)
        self.noise = VariancePreservingStep(schedule or cosine_schedule(1000), self.event_shape)
        self.steps = len(self.noise.kept) - 1
        self._names = ("x", *(f"z{t}" for t in range(1, self.steps + 1)))

    @property
    def q(self) -> Chain:
        """The chain from x to noise."""
        return Chain(
            None, self.noise, steps=self.steps, event_shape=self.event_shape, names=self._names
        )

    @property
    def p(self) -> Chain:
        """The chain from noise to x, whose steps are given the label where there are classes."""
        denoised = Denoised(self.denoiser, self.spread)
        return Chain(
            self.prior,
            DenoisingStep(self.noise, denoised, levels=self.grey_levels),
            steps=self.steps,
            event_shape=self.event_shape,
            reverse=True,
            names=self._names,
            inputs=("label",) if self.classes else (),
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The chain ``p`` from noise to data, and ``q`` from data to noise."""
        return {"p": self.p.graph, "q": self.q.graph}

    def levels(self, steps: int) -> tuple[float, ...]:
        """Return the levels of so many steps of a sampler, those of the chain: dense where low."""
        return sampler_levels(self.noise, self.event_shape, steps)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw noise, then walk the chain back step by step to x, [n, *event].

        A ``label``, [n] or one for all, and the first states of the walk, ``zT``, ..., may be
        given. :meth:`walk` needs far fewer steps.
        """
        check_whole("n", n)
        held = dict(given or {})
        label = labels.some_label(self.labels, given, n, generator) if self.classes else None
        if label is not None:
            held["label"] = label
        with torch.no_grad():
            *_, x = self.p.walk(n, given=held, generator=generator)
        return x

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | label), or log p(x), in nats.

        Of the T terms some are drawn: :func:`~ancestral.networks.chain_elbo` of ``p`` and ``q``
        sums them all. Without a label it is that of the label that seems best, see
        :func:`~ancestral.diffusion.bounds.bound_by_label`.

        Args:
            x: [B, *event].
            given: ``label``, [B] or one for all.
            draws: Number of draws that are averaged, at least 1.
            generator: Source of the draws; torch's global one if None.
        """
        check_whole("draws", draws)
        refuse_unknown(given, "a diffusion model", ("label",) if self.classes else ())
        x, label = self._own(x), labels.given_label(self.labels, given, len(x))

        def bound(label: Tensor | None, draws: int) -> Tensor:
            rounds = [self._bound(x, label, generator) for _ in range(draws)]
            return torch.stack(rounds).mean(0)

        return bound_by_label(bound, self.labels, label, x, draws=draws)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the error of what is denoised."""
        return [Player(name="diffusion", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x, label = self._own(batch.x), self._hidden(batch.given.get("label"), generator)
        if self.weighting == "bound":
            each = -self._terms(x, label, 1, generator) / x[0].numel()
            return Loss(each.sum(), weight=len(x))
        sigma = training_levels(self.noise, x, generator, emphasis=self.emphasis)
        error = denoising_loss(self.denoise(label), x, sigma, generator=generator)
        # The spread learns from the same errors, which it does not move.
        variance = self.spread(sigma).square()
        fit = 0.5 * (error.detach() / variance + variance.log())
        loss = WEIGHTINGS[self.weighting](sigma) * error
        return Loss((loss + fit).sum(), weight=len(x), metrics={"error": loss.detach().mean()})

    def _bound(self, x: Tensor, label: Tensor | None, generator: Generator | None) -> Tensor:
        values = x[:1].numel()
        terms = min(self.steps, _FEW if values > _WIDE else TERMS)
        size = max(1, AT_ONCE // (terms * values))
        marks = [None] * len(x) if label is None else label.split(size)
        parts = zip(x.split(size), marks, strict=False)
        return torch.cat([self._terms(part, mark, terms, generator) for part, mark in parts])

    def _terms(
        self, x: Tensor, label: Tensor | None, terms: int, generator: Generator | None
    ) -> Tensor:
        if self.classes and label is None:
            label = torch.full((len(x),), self.classes, device=x.device)
        return chain_elbo(
            self.p,
            self.q,
            x,
            given=None if label is None else {"label": label},
            times=terms,
            chances=term_chances(self.noise.kept.detach()),
            generator=generator,
        )


def training_levels(
    noise: VariancePreservingStep,
    x: Tensor,
    generator: Generator | None,
    *,
    emphasis: Emphasis,
) -> Tensor:
    """Return levels at which the loss of a batch x [B, *event] is taken, [B]."""
    uniform, steps = even_uniform(len(x), x, generator), len(noise.kept) - 1
    if emphasis == "schedule":
        return noise.ratio((uniform * steps).long() + 1).to(x)
    mean, deviation = _LOG_NORMAL
    low, high = noise.ratio(torch.tensor([1, steps], device=x.device)).log().to(x)
    normal = mean + deviation * torch.special.ndtri(uniform.clamp(_TAIL, 1 - _TAIL))
    even = torch.lerp(low, high, _uniform(x, generator))
    return torch.where(_uniform(x, generator) < _EVEN, even, normal).exp()


def sampler_levels(
    noise: VariancePreservingStep, event_shape: Sequence[int], steps: int
) -> tuple[float, ...]:
    """Return the levels of so many steps of a sampler within a chain, falling to 0, [steps + 1]."""
    ends = torch.tensor([1, len(noise.kept) - 1])
    first, last = noise.ratio(ends.to(noise.kept.device)).tolist()
    far = min(_HIGHEST, _FAR * math.sqrt(math.prod(event_shape)))
    low, high = max(_LOWEST, first), min(far, last)
    return karras_levels(steps, lowest=min(low, high / 2), highest=high)


def check_loss(weighting: str, emphasis: str) -> None:
    """Refuse, by a ValueError, what is no weighting or emphasis of the loss."""
    if weighting not in (*WEIGHTINGS, "bound"):
        raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}, bound")
    if emphasis not in ("log-normal", "schedule"):
        raise ValueError(f"emphasis must be log-normal or schedule, got {emphasis!r}")


def _uniform(x: Tensor, generator: Generator | None) -> Tensor:
    return torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device)
