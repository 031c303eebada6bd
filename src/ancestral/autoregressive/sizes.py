"""One dial for the networks that predict tokens: what a size stands for."""

from typing import Literal, TypeAlias

from ancestral.nn.transformer import GPTParts

TextSize: TypeAlias = Literal["tiny", "small", "medium", "large"]

HEADS: dict[TextSize, int] = {"tiny": 2, "small": 4, "medium": 6, "large": 12}
LAYERS: dict[TextSize, int] = {"tiny": 2, "small": 4, "medium": 6, "large": 12}
HEAD_WIDTH: dict[TextSize, int] = {"tiny": 32, "small": 32, "medium": 64, "large": 64}

PARTS = {
    "book": GPTParts(),
    "modern": GPTParts(
        positions="rotary", norm="rms", feed_forward="swiglu", qk_norm=True, tied=True
    ),
}

RECURRENT_WIDTHS: dict[TextSize, int] = {"tiny": 64, "small": 256, "medium": 384, "large": 768}


def rate_of_width(width: int) -> float:
    """Return a peak learning rate for AdamW: 1e-3 at 384 features, falling with their root."""
    return min(5e-3, 1e-3 * (384 / width) ** 0.5)
