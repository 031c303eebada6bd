"""Embeddings of what a denoising or velocity network is conditioned on: times and a label."""

import math

import torch
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """Times, and a class label where there are classes, as one vector that layers can add.

    Each time becomes sines and cosines of frequencies in a geometric row, then a small network
    mixes them; the label adds a row of its table. The table has one more row than classes, the
    last, for "no label": classifier-free guidance trains it by dropping labels.

    Source: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv:2006.11239,
    app. B; Ho & Salimans 2022, Classifier-Free Diffusion Guidance, arXiv:2207.12598.

    Args:
        width: Width W of the embedding, at least 1.
        classes: Number K of labels; 0: none are taken.
        times: How many times T an example has: 1, or 2 where an interval is meant.
        frequencies: Number of frequencies, at least 2. None: 32, or 8 of several times.
        highest: Highest frequency in radians for a unit of time, above 1, the lowest. Times are
            scaled to about [0, 1]. None: 100, or 3 of several times, whose networks are trained
            by derivatives in time, which high frequencies make large.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> embedding = TimeEmbedding(16, classes=3)
        >>> embedding(torch.rand(5), torch.tensor([0, 1, 2, 3, 3])).shape
        torch.Size([5, 16])
    """

    rates: Tensor

    def __init__(
        self,
        width: int,
        *,
        classes: int = 0,
        times: int = 1,
        frequencies: int | None = None,
        highest: float | None = None,
    ) -> None:
        super().__init__()
        frequencies = (32 if times == 1 else 8) if frequencies is None else frequencies
        least = {"width": 1, "classes": 0, "times": 1, "frequencies": 2}
        for name, value in zip(least, (width, classes, times, frequencies), strict=True):
            if value < least[name]:
                raise ValueError(f"{name} must be at least {least[name]}, got {value}")
        highest = (100.0 if times == 1 else 3.0) if highest is None else highest
        if not highest > 1:
            raise ValueError(f"highest must be above 1, got {highest}")
        self.classes, self.times = classes, times
        exponents = torch.linspace(0, math.log(highest), frequencies)
        self.register_buffer("rates", exponents.exp(), persistent=False)
        self.network = nn.Sequential(
            nn.Linear(2 * frequencies * times, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.labels = nn.Embedding(classes + 1, width) if classes else None

    def forward(self, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Embed time [B] (or [B, T] of T times) and label [B] int64; return [B, W].

        The label K, and None for all, mean "no label".

        Raises:
            ValueError: If a label is given and there are no classes.
        """
        phase = (time.reshape(-1, self.times, 1) * self.rates).flatten(start_dim=1)
        embedding = self.network(torch.cat((phase.sin(), phase.cos()), dim=1))
        if self.labels is None:
            if label is not None:
                raise ValueError("this network has no classes, so no label can be given")
            return embedding
        # A row for all where there is no label: the sum broadcasts.
        row = self.labels.weight[self.classes] if label is None else self.labels(label)
        return embedding + row
