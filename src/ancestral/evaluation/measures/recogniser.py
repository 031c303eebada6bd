"""A classifier of real images: its features and its labels judge generated ones."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

EPOCHS, STEPS, BATCH, RATE = 3, 400, 128, 2e-3
"""Passes over the training images, at least so many updates, images in one, learning rate."""

FEATURES, SIDE = 128, 32
"""Numbers that the last layer sees; larger images are averaged down to this side."""

_AT_ONCE = 2_000


class Recogniser:
    """A small convolutional network that was taught the labels of real images.

    Two convolutions with pooling and a hidden layer of 128 units, whose values are the features;
    Adam, its rate falling to 0. The same seed on the same machine gives the same network.

    Args:
        images: Grey levels from 0 to 1, [N, C, H, W].
        labels: From 0, [N].
        seed: Of the first weights and of the order.

    Example:
        >>> images = torch.rand(64, 1, 8, 8)
        >>> found = Recogniser(images, torch.arange(64) % 2)
        >>> found.features(images).shape, found.labels(images).shape
        (torch.Size([64, 128]), torch.Size([64]))
    """

    def __init__(self, images: Tensor, labels: Tensor, *, seed: int = 0) -> None:
        classes, channels = int(labels.max()) + 1, images.shape[1]
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            self._eye, self._head = _eye(channels, images.shape[2:]), nn.Linear(FEATURES, classes)
            network = nn.Sequential(self._eye, self._head)
            network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            _teach(network, images, labels, Generator().manual_seed(seed))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return the features of images [N, C, H, W] of the same size, [N, 128]."""
        return torch.cat([self._eye(_small(some)) for some in images.split(_AT_ONCE)])

    @torch.no_grad()
    def labels(self, images: Tensor) -> Tensor:
        """Return the likeliest label of each image, [N]."""
        return self._head(self.features(images)).argmax(dim=1)


def _eye(channels: int, size: torch.Size) -> nn.Sequential:
    height, width = (min(side, SIDE) for side in size)
    last = 64 * math.ceil(height / 4) * math.ceil(width / 4)
    pool = nn.MaxPool2d(2, ceil_mode=True)
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), pool),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), pool),
        *(nn.Flatten(), nn.Linear(last, FEATURES), nn.ReLU()),
    )


def _small(images: Tensor) -> Tensor:
    """Return images in single precision, their sides at most 32."""
    height, width = (min(side, SIDE) for side in images.shape[2:])
    return adaptive_avg_pool2d(images.float(), (height, width)).contiguous(
        memory_format=torch.channels_last
    )


def _teach(network: nn.Module, images: Tensor, labels: Tensor, generator: Generator) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    steps = max(STEPS, EPOCHS * len(images) // BATCH)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < BATCH:
            order = torch.cat((order, torch.randperm(len(images), generator=generator)))
        rows, order = order[:BATCH], order[BATCH:]
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        loss = cross_entropy(network(_small(images[rows])), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
