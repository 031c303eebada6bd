"""What a transform is: a map from the user's units to a model's, with its log-determinant."""

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from torch import Generator, Tensor, nn

from ancestral.data.fields import Shape

Spec: TypeAlias = dict[str, Any]
"""What ``build`` needs; JSON values only."""


class Transform(nn.Module, ABC):
    """A map from the user's units to the model's, with its log-determinant.

    Attributes:
        exact: False where noise is added, so that likelihoods become bounds.
    """

    exact: bool = True

    @abstractmethod
    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the model's units, float32 [B, *event], and log|det|, float64 [B], in nats.

        Args:
            x: Data in the user's units, [B, *event].
            generator: Source of the noise, if any; torch's global one if None.
        """

    @abstractmethod
    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the user's units: float64 vectors, or uint8 images at the nearest valid level.

        Args:
            y: Values in the model's units, [B, *event].
            generator: Of what is drawn where y leaves something open; torch's global one if None.

        Raises:
            DivergenceError: If an image holds values that are not finite.
        """

    @abstractmethod
    def spec(self) -> Spec:
        """Return what ``build`` needs to make this transform anew, without its buffers."""

    def shape(self, shape: Shape) -> Shape:
        """Return what a model sees of data of this shape: as they are, unless columns change."""
        return shape

    def forward(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the model's units alone, float32 [B, *event]."""
        return self.forward_and_log_det(x, generator)[0]
