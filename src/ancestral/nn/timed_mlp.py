"""A fully connected network that is conditioned on a time and a label: velocities, denoisers."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Size, Tensor, nn
from torch.nn import functional

from ancestral.nn.fourier import FourierFeatures
from ancestral.nn.time_embedding import TimeEmbedding
from ancestral.nn.zeroed import zeroed


class TimedMLP(nn.Module):
    """Layers ``silu(W h + C e)`` of which each adds the embedding e of time and label.

    The output layer begins at zero, so that training begins at the mean of regression targets.

    Args:
        features: Number of features, or the event shape; images are flattened.
        hidden: Widths of the hidden layers, at least one.
        classes: Number K of labels; 0: none are taken.
        times: How many times an example has, as of
            :class:`~ancestral.nn.time_embedding.TimeEmbedding`.
        frequencies: Fourier features of the input beside it, at least 0: few coordinates whose
            law has fine structure need them.
        embedding: Width of the embedding of time and label.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> network = TimedMLP(2, hidden=(64, 64), classes=3)
        >>> network(torch.randn(5, 2), torch.rand(5), torch.zeros(5, dtype=torch.int64)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        features: int | Sequence[int],
        *,
        hidden: Sequence[int] = (256, 256, 256),
        classes: int = 0,
        times: int = 1,
        frequencies: int = 0,
        embedding: int = 64,
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1:
            raise ValueError(f"hidden must be one or more widths of at least 1, got {hidden}")
        self.widths = tuple(hidden)
        self.event_shape = Size((features,) if isinstance(features, int) else features)
        count = self.event_shape.numel()
        self.fourier = FourierFeatures(count, frequencies=frequencies) if frequencies else None
        self.embedding = TimeEmbedding(embedding, classes=classes, times=times)
        widths = [count if self.fourier is None else self.fourier.features_out, *hidden]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        # One product gives what each layer adds; the layers' own biases are enough.
        self.shifts = nn.Linear(embedding, sum(hidden), bias=False)
        self.output = zeroed(nn.Linear(hidden[-1], count))

    def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, *event], time [B] and label [B] int64 to [B, *event]; see the embedding."""
        # A time that is expanded to all rows, as solvers give it, is embedded once.
        shared = label is None and time.ndim == 1 and time.stride(0) == 0
        embedding = self.embedding(time[:1] if shared else time, label)
        shifts = self.shifts(functional.silu(embedding)).split(self.widths, dim=1)
        hidden = z.flatten(start_dim=1)
        if self.fourier is not None:
            hidden = self.fourier(hidden)
        for layer, shift in zip(self.layers, shifts, strict=True):
            hidden = functional.silu(layer(hidden) + shift)
        return self.output(hidden).reshape(z.shape)
