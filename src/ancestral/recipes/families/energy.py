"""Energy models of vectors and images, and Boltzmann machines of states."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.model_units import fit_transform, states, white
from ancestral.data.whitening import fit_whitening
from ancestral.energy import (
    EBM,
    MOST_HIDDEN,
    RBM,
    Energy,
    NoiseContrastive,
    PersistentEBM,
    SmallRBM,
    Unwhitened,
    denoising_score_matching_loss,
    image_network,
    score_matching_loss,
    sliced_score_matching_loss,
    vector_network,
)
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import Size, arguments, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (128, 128, 128),
    "medium": (256, 256, 256),
}
_WIDTHS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32}
_UNITS: dict[Size, int] = {"tiny": MOST_HIDDEN, "small": 128, "medium": 512}


@dataclass(frozen=True, slots=True, kw_only=True)
class EBMConfig:
    """An energy-based model.

    Args:
        size: Width of the layers: tiny, small or medium.
        training: How the energy is fitted: by contrastive divergence, noise-contrastive estimation
            or score matching (denoising, sliced, exact); None: noise-contrastive, of images
            contrastive.
        hidden: Widths of the layers of vectors; None: by ``size``.
        width: Channels at the finest resolution of images, at least 1; None: by ``size``.
        frequencies: Fourier features that the energy of vectors sees, at least 0; None: 64 of up to
            eight columns, else 0: by them wide rows are learned by heart.
        ratio: Of noise-contrastive estimation: draws of noise for each example, at least 1.
        sigma: Of denoising score matching: the noise, above 0, in standard units.
        chains: Of contrastive divergence: chains that are kept, at least 1.
        walk: Of contrastive divergence: Langevin steps of an update, at least 1.
        step_size: Of those steps, above 0, in standard units; None: 0.01, of images 0.2 in white
            ones.
    """

    size: Size = "small"
    training: Literal["contrastive", "noise-contrastive", "denoising", "sliced", "exact"] = chosen()
    hidden: tuple[int, ...] = chosen()
    width: int = chosen()
    frequencies: int = chosen()
    ratio: int = 2
    sigma: float = 0.1
    chains: int = 500
    walk: int = 15
    step_size: float = chosen()

    def __post_init__(self) -> None:
        at_least(self, width=1, frequencies=0, ratio=1, chains=1, walk=1)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")
        for name in ("sigma", "step_size"):
            value = getattr(self, name)
            require(self, name, value is None or value > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the training and the widths."""
        usual = "contrastive" if shape.kind == "images" else "noise-contrastive"
        few = shape.kind != "images" and shape.features <= 8
        return replace(
            self,
            training=self.training or usual,
            step_size=self.step_size or (0.2 if shape.kind == "images" else 0.01),
            hidden=self.hidden or _HIDDEN[self.size],
            width=self.width or _WIDTHS[self.size],
            frequencies=64 * few if self.frequencies is None else self.frequencies,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RBMConfig:
    """A restricted Boltzmann machine of states.

    Args:
        size: Number of hidden bits: tiny, small or medium.
        hidden: Hidden bits, at least 1; up to 16 the likelihood is exact; None: by ``size``.
        chains: Chains that training keeps, at least 1.
        walk: Gibbs steps of an update, at least 1.
        persistent: Chains go on from where they ended; else each update begins at the data.
    """

    size: Size = "small"
    hidden: int = chosen()
    chains: int = 1000
    walk: int = 5
    persistent: bool = True

    def __post_init__(self) -> None:
        at_least(self, hidden=1, chains=1, walk=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the number of hidden bits."""
        del shape
        return replace(self, hidden=self.hidden or _UNITS[self.size])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSampling:
    """How the chains of an energy model are run.

    Args:
        steps: Steps of a chain, or proposals of a population on its way, at least 1.
    """

    steps: int = 40

    def __post_init__(self) -> None:
        at_least(self, steps=1)


def _energy(config: EBMConfig, shape: Shape) -> Energy:
    if shape.kind != "images":
        network = vector_network(
            shape.features, hidden=config.hidden, frequencies=config.frequencies
        )
        return Energy(network, (shape.features,))
    channels, height, width = shape.event_shape
    if height != width:
        raise ValueError(f"images must be square, got {height} x {width}; set size=32")
    network = image_network(channels, height, width=config.width)
    return Energy(nn.Sequential(Unwhitened(shape.event_shape), network), (shape.features,))


_SCORES: dict[str, Callable[[EBMConfig], Callable[..., Tensor]]] = {
    "denoising": lambda config: partial(denoising_score_matching_loss, sigma=config.sigma),
    "sliced": lambda _config: sliced_score_matching_loss,
    "exact": lambda _config: score_matching_loss,
}


def _ebm(config: EBMConfig, shape: Shape) -> nn.Module:
    energy = _energy(config, shape)
    if config.training == "contrastive":
        return PersistentEBM(
            energy, chains=config.chains, steps=config.walk, step_size=config.step_size
        )
    if config.training == "noise-contrastive":
        return EBM(energy, NoiseContrastive(ratio=config.ratio))
    loss = _SCORES[config.training](config)
    return EBM(energy, lambda energy, x, generator: loss(energy.score, x, generator))


def _rbm(config: RBMConfig, shape: Shape) -> nn.Module:
    sizes = [len(names) for names in shape.states]
    model = SmallRBM if config.hidden <= MOST_HIDDEN else RBM
    own = arguments(config, "size", "walk")
    return model(sizes, steps=config.walk, **own)


def _unwhiten(model: EBM | PersistentEBM, data: Dataset) -> None:
    """Tell a network of pixels what the white rows are of."""
    first = next(model.energy.network.children())
    if isinstance(first, Unwhitened):
        found = fit_whitening(data.train, data.levels)
        first.begin(found.mean, found.factor)


def _begin(model: RBM | SmallRBM, data: Dataset) -> None:
    """Begin at independent columns with the frequencies of the training split."""
    model.begin(fit_transform(states, data)(data.train.x))


def _draw(
    model: EBM | PersistentEBM | RBM | SmallRBM,
    n: int,
    sampling: ChainSampling,
    *,
    given: Given | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Draw by chains of so many steps; a small machine needs none."""
    if isinstance(model, SmallRBM):
        return model.sample(n, given=given, generator=generator)
    return model.sample(n, steps=sampling.steps, given=given, generator=generator)


RECIPES = (
    Recipe(
        name="ebm",
        paradigm="energy",
        summary="energy-based model; no density",
        config=EBMConfig,
        build=_ebm,
        transform=white,
        count=_unwhiten,
        # The loss of a contrast between data and chains says nothing.
        chosen_by=replace(figures.LOSS, capability=EBM, otherwise=figures.SLICED_WASSERSTEIN),
        options={
            "vectors": Options(batch_size=500, learning_rate=3e-3, ema_decay=0.995),
            "images": Options(
                batch_size=128, learning_rate=1e-3, ema_decay=0.999, weight_decay=0.0
            ),
        },
        budget={"vectors": Budget(steps=5_000), "images": Budget(steps=3_000)},
        sampling=ChainSampling,
        draw=_draw,
    ),
    Recipe(
        name="rbm",
        paradigm="energy",
        summary="restricted Boltzmann machine; exact density of up to 16 hidden bits",
        config=RBMConfig,
        build=_rbm,
        kinds=("mixed", "tables", "images"),
        transform=states,
        count=_begin,
        chosen_by=replace(
            figures.LOG_PROB, capability=SmallRBM, otherwise=figures.SLICED_WASSERSTEIN
        ),
        options=dict.fromkeys(
            ("mixed", "tables", "images"),
            Options(
                batch_size=128,
                learning_rate=3e-3,
                ema_decay=0.999,
                betas=(0.5, 0.999),
                weight_decay=0.0,
            ),
        ),
        budget=dict.fromkeys(("mixed", "tables", "images"), Budget(steps=5_000)),
        sampling=ChainSampling,
        draw=_draw,
    ),
)
