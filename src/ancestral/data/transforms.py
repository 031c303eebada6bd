"""Maps from the user's units to a model's units, fitted on the training split.

The change of variables is counted: for data x in the user's units and y = transform(x),
``log p(x) = log p_model(y) + log_det``, in nats. A transform that adds noise makes this a lower
bound on the log-probability of the discrete x. Parameters are buffers, so that ``state_dict``
carries them, and ``spec`` with ``model_units.build`` makes the empty transform to load them into.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from ancestral.data.fields import Shape
from ancestral.data.transform import Spec, Transform
from ancestral.errors import DivergenceError

_EDGE = 2.0**-12
"""Noise keeps this far from the edges of a bin, or rounding in float32 would cross them."""


class Affine(Transform):
    """``y = (x - mean) / std``, each coordinate for itself.

    Args:
        mean: Of each coordinate, [*event].
        std: Of each coordinate, above 0, [*event].

    Raises:
        ValueError: If the shapes differ or a standard deviation is not above 0.

    Example:
        >>> transform = Affine(torch.zeros(2), torch.full((2,), 2.0))
        >>> y, log_det = transform.forward_and_log_det(torch.ones(5, 2))
        >>> y.shape, log_det.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        if mean.shape != std.shape:
            raise ValueError(f"mean {list(mean.shape)} and std {list(std.shape)} must agree")
        if not bool((std > 0).all()):
            raise ValueError(f"std must be above 0, got {std.min().item()}")
        self.register_buffer("mean", mean.double())
        self.register_buffer("std", std.double())

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return (x - mean) / std and the sum of -log std."""
        del generator  # Nothing is drawn.
        return ((x - self.mean) / self.std).float(), (-self.std.log().sum()).expand(len(x))

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return y * std + mean, float64 [B, *event]."""
        del generator  # Nothing is drawn.
        return y.double() * self.std + self.mean

    def spec(self) -> Spec:
        """Return the kind and the shape of an event."""
        return {"kind": "affine", "event_shape": list(self.mean.shape)}


class States(Transform):
    """States, or token ids, as they are: the numbers of a discrete model are the user's own.

    Args:
        kind: ``states`` of tables, uint8, or ``tokens`` of text, int32.

    Example:
        >>> States()(torch.zeros(5, 3, dtype=torch.uint8)).dtype
        torch.uint8
    """

    def __init__(self, kind: Literal["states", "tokens"] = "states") -> None:
        super().__init__()
        self.kind: Literal["states", "tokens"] = kind

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the states and zeros."""
        del generator  # Nothing is drawn.
        return x, torch.zeros(len(x), dtype=torch.float64, device=x.device)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the states, [B, D], in the type of the data."""
        del generator  # Nothing is drawn.
        return y.to(torch.uint8 if self.kind == "states" else torch.int32)

    def spec(self) -> Spec:
        """Return the kind."""
        return {"kind": self.kind}


class Levels(Transform):
    """Grey levels 0..levels-1 laid evenly on [low, high], without noise.

    For models that give mass to the levels themselves and for models without a density: the
    values are only renamed, so that the log-determinant is 0 and ``exact`` holds.

    Args:
        levels: Number of levels, from 2 to 256.
        low: Value of level 0.
        high: Value of the last level, above ``low``.

    Example:
        >>> Levels(256)(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(self, levels: int, *, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        if low >= high:
            raise ValueError(f"low must be below high, got {low} and {high}")
        self.levels, self.low, self.high = _checked(levels), low, high

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the levels on [low, high] and zeros."""
        del generator  # Nothing is drawn.
        step = (self.high - self.low) / (self.levels - 1)
        y = x.to(torch.float32, copy=True).mul_(step).add_(self.low)
        return y, torch.zeros(len(x), dtype=torch.float64, device=x.device)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the nearest valid level, uint8 [B, *event]."""
        del generator  # Nothing is drawn.
        scaled = (y.float() - self.low) * ((self.levels - 1) / (self.high - self.low))
        return _to_levels(scaled.round(), self.levels)

    def spec(self) -> Spec:
        """Return the kind, the number of levels and the interval."""
        return {"kind": "levels", "levels": self.levels, "low": self.low, "high": self.high}


class Dequantise(Transform):
    """Uniform noise inside each grey level, then one mean and standard deviation for all pixels.

    ``y = ((x + u) / levels - mean) / std`` with u ~ Uniform(0, 1). By Jensen's inequality
    ``log P(x) >= E_u[log p(y) + log_det]``, with equality where p is flat inside each bin. One
    pair of numbers serves all pixels, because pixels that are constant in training have no
    standard deviation of their own.

    Source: Theis, van den Oord & Bethge 2016, A note on the evaluation of generative models,
    arXiv:1511.01844, sec. 3.1.

    Args:
        levels: Number of levels, from 2 to 256.
        mean: Subtracted from the values in [0, 1).
        std: Divides them, above 0.

    Example:
        >>> transform = Dequantise(17)
        >>> transform(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).shape
        torch.Size([5, 1, 8, 8])
    """

    exact = False
    mean: Tensor
    std: Tensor

    def __init__(self, levels: int, *, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        if not std > 0:
            raise ValueError(f"std must be above 0, got {std}")
        self.levels = _checked(levels)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float64))

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return dequantised values and -log(levels * std) for each pixel."""
        noise = torch.rand(x.shape, generator=generator, device=x.device)
        y = noise.clamp_(_EDGE, 1 - _EDGE).add_(x)
        y.mul_((1 / (self.levels * self.std)).float()).sub_((self.mean / self.std).float())
        log_det = -x[:1].numel() * (self.levels * self.std).log()
        return y, log_det.expand(len(x))

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the level whose bin holds y, the first or last one outside, uint8 [B, *event]."""
        del generator  # Nothing is drawn.
        scaled = (y.double() * self.std + self.mean) * self.levels
        return _to_levels(scaled.floor(), self.levels)

    def spec(self) -> Spec:
        """Return the kind and the number of levels."""
        return {"kind": "dequantise", "levels": self.levels}


class Flatten(Transform):
    """Lay out each example as one row, for models of vectors; the values stay as they are.

    Args:
        event_shape: Shape of one example before it is flattened.

    Example:
        >>> Flatten((1, 8, 8))(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 64])
    """

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, D] and zeros."""
        del generator  # Nothing is drawn.
        return x.flatten(1), torch.zeros(len(x), dtype=torch.float64, device=x.device)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return y in the shape of an example, [B, *event]."""
        del generator  # Nothing is drawn.
        return y.reshape(len(y), *self.event_shape)

    def spec(self) -> Spec:
        """Return the kind and the shape of an event."""
        return {"kind": "flatten", "event_shape": list(self.event_shape)}


class Steps(Transform):
    """Read each row as a sequence of single numbers; the values stay as they are.

    Example:
        >>> Steps()(torch.zeros(5, 8)).shape
        torch.Size([5, 8, 1])
    """

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, T, 1] and zeros."""
        del generator  # Nothing is drawn.
        return x[..., None], torch.zeros(len(x), dtype=torch.float64, device=x.device)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return y [B, T]."""
        del generator  # Nothing is drawn.
        return y[..., 0]

    def spec(self) -> Spec:
        """Return the kind."""
        return {"kind": "steps"}


class Compose(Transform):
    """Transforms one after the other; log-determinants add.

    Args:
        transforms: Applied from first to last.

    Example:
        >>> both = Compose([Dequantise(4), Affine(torch.zeros(3), torch.ones(3))])
        >>> both(torch.zeros(5, 3, dtype=torch.uint8)).shape, both.exact
        (torch.Size([5, 3]), False)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(transforms)
        self.exact = all(part.exact for part in transforms)

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the last transform's output and the sum of all log-determinants."""
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for part in self._transforms():
            x, log_det = part.forward_and_log_det(x, generator)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Undo the transforms from last to first."""
        for part in reversed(self._transforms()):
            y = part.inverse(y, generator)
        return y

    def shape(self, shape: Shape) -> Shape:
        """Return what the last transform makes of the shape."""
        for part in self._transforms():
            shape = part.shape(shape)
        return shape

    def spec(self) -> Spec:
        """Return the kind and the parts' own specs."""
        return {"kind": "compose", "parts": [part.spec() for part in self._transforms()]}

    def _transforms(self) -> list[Transform]:
        return [part for part in self.parts if isinstance(part, Transform)]


def _checked(levels: int) -> int:
    if not 2 <= levels <= 256:
        raise ValueError(f"levels must be between 2 and 256, got {levels}")
    return levels


def _to_levels(values: Tensor, levels: int) -> Tensor:
    if not bool(torch.isfinite(values).all()):
        raise DivergenceError("the model gave pixels that are not finite numbers")
    return values.clamp(0, levels - 1).to(torch.uint8)
