"""Autoregressive Transformer flows of images."""

from dataclasses import dataclass, replace
from typing import Self

from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.model_units import dequantise
from ancestral.data.transforms import Transform
from ancestral.evaluation import chosen as figures
from ancestral.flows import Flow, TarFlow, draw_guided
from ancestral.nn.guidance import check_guidance
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, arguments, at_least, chosen, require
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_SIZES: dict[Size, tuple[int, int, int]] = {
    "tiny": (32, 4, 1),
    "small": (128, 8, 1),
    "medium": (256, 8, 2),
}
"""Width, blocks and layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TarFlowConfig:
    """An autoregressive Transformer flow over patches.

    Args:
        size: Width and depth: tiny, small or medium.
        patch: Side of a patch, a divisor of the sides; None: 4 from 16 pixels on where it divides
            them, else 2 or 1.
        width: Features of a token, a multiple of 32; None: by ``size``.
        blocks: Blocks of the flow, in turn from the first and from the last patch; None: by
            ``size``.
        layers: Layers of each block's Transformer; None: by ``size``.
        conditional: Give the class label to the blocks where the data have labels.
        dropped: Share of the labels that training hides, for guidance, in [0, 1).
    """

    size: Size = "small"
    patch: int = chosen()
    width: int = chosen()
    blocks: int = chosen()
    layers: int = chosen()
    conditional: bool = True
    dropped: float = 0.1

    def __post_init__(self) -> None:
        at_least(self, patch=1, width=32, blocks=1, layers=1)
        require(self, "dropped", 0 <= self.dropped < 1, "in [0, 1)")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the patch and the sizes."""
        width, blocks, layers = _SIZES[self.size]
        return replace(
            self,
            patch=self.patch or _patch(shape.event_shape[-2:]),
            width=self.width or width,
            blocks=self.blocks or blocks,
            layers=self.layers or layers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TarFlowSampling:
    """How a TarFlow draws.

    Args:
        guidance: How far its maps are moved towards the label, at least 0: 0 is without, 1 with the
            label, above 1 further away from what is likely without, and no draw from its density.
    """

    guidance: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, guidance=0)

    def check(self, config: TarFlowConfig, shape: Shape) -> None:
        """Refuse guidance of a model that is given no label."""
        check_guidance(self.guidance, labelled=bool(shape.labels) and config.conditional)


def _patch(sides: tuple[int, ...]) -> int:
    sizes = (4, 2) if min(sides) >= 16 else (2,)
    return next((size for size in sizes if not any(side % size for side in sides)), 1)


def _tarflow(config: TarFlowConfig, shape: Shape) -> nn.Module:
    classes = len(shape.labels) if config.conditional else 0
    own = arguments(config, "size", "conditional", "dropped")
    bijection = TarFlow(shape.event_shape, classes=classes, **own)
    return Flow(bijection, shape.event_shape, classes=classes, dropped=config.dropped)


def _units(data: Dataset) -> Transform:
    return dequantise(data.train, data.levels, standard=True)


def _draw(
    model: Flow,
    n: int,
    sampling: TarFlowSampling,
    *,
    given: Given | None = None,
    generator: Generator | None = None,
) -> Tensor:
    if sampling.guidance == 1:
        return model.sample(n, given=given, generator=generator)
    return draw_guided(model, n, scale=sampling.guidance, given=given, generator=generator)


RECIPES = (
    Recipe(
        name="tarflow",
        paradigm="flows",
        summary="autoregressive Transformer flow of image patches: exact density, labels, guidance",
        config=TarFlowConfig,
        build=_tarflow,
        count=count_labels,
        kinds=("images",),
        transform=_units,
        # Given the label: the sum over all labels costs as many passes.
        chosen_by=figures.LOSS,
        options={
            "images": Options(
                batch_size=64,
                learning_rate=2e-3,
                weight_decay=1e-4,
                betas=(0.9, 0.95),
                warmup=100,
                max_grad_norm=1.0,
                ema_decay=0.999,
                validate_every=200,
                large_products=True,
            )
        },
        budget={"images": Budget(steps=5_000)},
        sampling=TarFlowSampling,
        draw=_draw,
    ),
)
