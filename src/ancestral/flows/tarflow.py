"""TarFlow: an autoregressive flow over the patches of an image, its maps made by Transformers."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

from ancestral.capabilities import Given
from ancestral.errors import CapabilityError
from ancestral.flows.bijection import Bijection
from ancestral.flows.flow import Flow
from ancestral.networks.labels import some_label
from ancestral.nn.attention import Sight
from ancestral.nn.key_value_cache import KeyValueCache
from ancestral.nn.patches import grid, patchify, unpatchify
from ancestral.nn.transformer import Block, GPTParts, GPTShape
from ancestral.nn.zeroed import zeroed

_HEAD_WIDTH = 32


class TarFlow(Bijection):
    """Blocks that map each patch by what a Transformer makes of the patches before it.

    Every second block goes through the patches from the last to the first. From data to noise a
    block is one pass; from noise to data it goes patch by patch, and keeps the keys and values of
    those before. The output of every Transformer starts at zero, and so the flow as the identity.

    Source: Zhai et al. 2024, Normalizing Flows are Capable Generative Models, arXiv:2412.06329,
    sec. 3. Here a learned token stands before the first patch, which therefore is mapped too.

    Args:
        event_shape: Channels C, height H and width W of the images.
        classes: Number K of labels, the context one-hot; a row of zeros is "no label".
        patch: Side of a patch; divides H and W.
        width: Features of a token, a multiple of 32.
        blocks: Blocks of the flow, at least 1.
        layers: Layers of each block's Transformer, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> flow = TarFlow((1, 8, 8), classes=3, width=32, blocks=2, layers=1)
        >>> flow(torch.randn(5, 1, 8, 8), torch.eye(3)[[0, 1, 2, 2, 2]]).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        classes: int = 0,
        patch: int = 4,
        width: int = 128,
        blocks: int = 8,
        layers: int = 1,
    ) -> None:
        super().__init__()
        channels, height, wide = event_shape
        rows, columns = grid((height, wide), patch)
        if height % patch or wide % patch:
            raise ValueError(f"patch must divide the sides {height} and {wide}, got {patch}")
        if min(blocks, layers) < 1:
            raise ValueError(f"blocks and layers must be at least 1, got {blocks} and {layers}")
        if width < 1 or width % _HEAD_WIDTH:
            raise ValueError(f"width must be a multiple of {_HEAD_WIDTH}, got {width}")
        self.patch, self.size = patch, (height, wide)
        self.blocks = nn.ModuleList(
            PatchFlow(
                (rows * columns, channels * patch**2),
                classes=classes,
                width=width,
                layers=layers,
                reverse=number % 2 == 1,
            )
            for number in range(blocks)
        )

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, C, H, W] and log |dx/dz| [B] for noise z, patch by patch."""
        return self.guided(z, context)

    def guided(
        self, z: Tensor, context: Tensor | None = None, *, scale: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return x and log |dx/dz| under maps that are moved towards the label.

        Shift and logarithm of the scale of each number become ``u + scale (c - u)``, u without and
        c with the label. What is drawn so, with a scale other than 0 and 1, is no draw from the
        density of the flow.

        Args:
            z: Noise, [B, C, H, W].
            context: Labels, one-hot, [B, K].
            scale: 1 for the flow itself, 0 for that without a label.

        Raises:
            ValueError: If there is no label to be guided by.
        """
        if context is None and scale not in (0, 1):
            raise ValueError(f"guidance needs a model that is given labels, got scale {scale:g}")
        patches, log_det = patchify(z, self.patch), z.new_zeros(len(z))
        for block in self._patch_flows():
            patches, each = block.guided(patches, context, scale=scale)
            log_det = log_det + each
        return unpatchify(patches, self.patch, self.size), log_det

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, C, H, W] and log |dz/dx| [B] for images x, in one pass a block."""
        patches, log_det = patchify(x, self.patch), x.new_zeros(len(x))
        for block in reversed(self._patch_flows()):
            patches, each = block.inverse_and_log_det(patches, context)
            log_det = log_det + each
        return unpatchify(patches, self.patch, self.size), log_det

    def _patch_flows(self) -> list["PatchFlow"]:
        return [block for block in self.blocks if isinstance(block, PatchFlow)]


class PatchFlow(Bijection):
    """One block: patches z to patches ``x_i = z_i exp(s_i) + m_i``, s_i and m_i from the earlier x.

    Source: Zhai et al. 2024, arXiv:2412.06329, eq. 5 and 6; Papamakarios, Pavlakou & Murray 2017,
    arXiv:1705.07057.

    Args:
        event_shape: Number N of patches and of the numbers P of each.
        classes: Number K of labels, the context one-hot.
        width: Features of a token, a multiple of 32.
        layers: Layers of the Transformer.
        reverse: The last patch is the first to be mapped.
    """

    def __init__(
        self,
        event_shape: tuple[int, int],
        *,
        classes: int,
        width: int,
        layers: int,
        reverse: bool = False,
    ) -> None:
        super().__init__()
        self.patches, numbers = event_shape
        self.classes, self.reverse = classes, reverse
        self.first = nn.Linear(numbers, width)
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.positions = nn.Parameter(0.02 * torch.randn(self.patches, width))
        self.labels = nn.Parameter(0.02 * torch.randn(classes + 1, width)) if classes else None
        shape = GPTShape(width=width, heads=width // _HEAD_WIDTH)
        self.layers = nn.ModuleList(Block(shape, GPTParts()) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = zeroed(nn.Linear(width, 2 * numbers))

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return patches x [B, N, P] and log |dx/dz| [B]."""
        return self.guided(z, context)

    def guided(
        self, z: Tensor, context: Tensor | None = None, *, scale: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return patches x [B, N, P] and log |dx/dz| [B]; ``scale`` as of :class:`TarFlow`."""
        both = scale not in (0, 1)
        label = self._label(None if scale == 0 else context, len(z))
        if both:
            label = torch.cat((self._label(None, len(z)), label))
        z = self._ordered(z)

        def mapped(z: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
            if both:
                without, given = theta.chunk(2)
                theta = torch.lerp(without, given, scale)
            shift, log_scale = theta.to(z).chunk(2, dim=-1)
            return z * log_scale.exp() + shift, log_scale

        x, log_scale = z, z
        if torch.is_grad_enabled():  # What is kept in a cache has no way back.
            for _ in range(self.patches):
                doubled = torch.cat((x, x)) if both else x
                x, log_scale = mapped(z, self._theta(self._tokens(doubled[:, :-1], label), Sight()))
        else:
            found = []
            cache = self._cache(len(label), z)
            for i in range(self.patches):
                before = found[-1][0] if found else z[:, :0]
                doubled = torch.cat((before, before)) if both else before
                found.append(mapped(z[:, i : i + 1], self._next(doubled, i, label, cache)))
            x, log_scale = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
        return self._ordered(x), log_scale.sum((1, 2))

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return patches z [B, N, P] and log |dz/dx| [B]."""
        x = self._ordered(x)
        theta = self._theta(self._tokens(x[:, :-1], self._label(context, len(x))), Sight())
        shift, log_scale = theta.to(x).chunk(2, dim=-1)
        return self._ordered((x - shift) * (-log_scale).exp()), -log_scale.sum((1, 2))

    def _ordered(self, patches: Tensor) -> Tensor:
        return patches.flip(1) if self.reverse else patches

    def _label(self, context: Tensor | None, rows: int) -> Tensor:
        """Return what each token gets of the label, [B, 1, D]."""
        if self.labels is None:
            return self.start.new_zeros(rows, 1, len(self.start))
        if context is None:
            return self.labels[-1].expand(rows, 1, -1)
        known = context.to(self.labels)
        full = torch.cat((known, 1 - known.sum(1, keepdim=True)), dim=1)
        return (full @ self.labels)[:, None]

    def _tokens(self, before: Tensor, label: Tensor) -> Tensor:
        """Return the tokens [B, S + 1, D] of the start and of the first patches [B, S, P]."""
        start = self.start.expand(len(before), 1, -1)
        tokens = torch.cat((start, self.first(before).to(start)), dim=1)
        return tokens + self.positions[: tokens.shape[1]] + label

    def _next(self, before: Tensor, place: int, label: Tensor, cache: KeyValueCache) -> Tensor:
        """Return the parameters [B, 1, 2 P] of one patch, given the one before it."""
        token = self.first(before) if place else self.start.expand(len(label), 1, -1)
        slots = cache.reserve(1, None)
        theta = self._theta(token + self.positions[place] + label, Sight(slots=slots))
        cache.commit(slots)
        return theta

    def _theta(self, x: Tensor, sight: Sight) -> Tensor:
        """Return shift and logarithm of the scale, [B, S, 2 P], of tokens [B, S, D]."""
        for number, layer in enumerate(self.layers):
            x = layer(x, sight, number)
        # The logarithms are summed to a density: not in half precision.
        with torch.autocast(x.device.type, enabled=False):
            return self.out(self.norm(x.to(self.out.weight.dtype)))

    def _cache(self, rows: int, like: Tensor) -> KeyValueCache:
        heads = len(self.start) // _HEAD_WIDTH
        shape = (len(self.layers), 2, rows, heads, self.patches, _HEAD_WIDTH)
        return KeyValueCache.empty(shape, like)


@torch.no_grad()
def draw_guided(
    flow: Flow,
    n: int,
    *,
    scale: float,
    given: Given | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return n images of a flow whose bijection is a :class:`TarFlow`, guided to their labels.

    Args:
        flow: The model, with classes.
        n: Number of images.
        scale: As of :meth:`TarFlow.guided`.
        given: A ``label``, [n] or a scalar; drawn from p(label) if None.
        generator: Source of the draws; torch's global one if None.

    Returns:
        [n, C, H, W].

    Raises:
        CapabilityError: If the flow has no classes.
        TypeError: If its bijection is another one.
    """
    bijection = flow.bijection
    if not isinstance(bijection, TarFlow):
        raise TypeError(f"a TarFlow is needed, got {type(bijection).__name__}")
    label = some_label(flow.p.table("label") if flow.classes else None, given, n, generator)
    if label is None:
        raise CapabilityError(f"the model is unconditional: guidance must be 1, got {scale:g}")
    like = bijection.get_parameter("blocks.0.start")
    shape = (n, *flow.p.nodes["x"].event_shape)
    z = torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
    return bijection.guided(z, one_hot(label.long(), flow.classes), scale=scale)[0]
