"""A number that says what it is: its unit, its standard error, and how far it can be trusted."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

if TYPE_CHECKING:
    from torch import Tensor

    from ancestral.evaluation.measures.estimate import Estimate

Kind: TypeAlias = Literal["exact", "bound", "estimate", "loss"]
"""What a figure is: exact, a lower bound on quality (an ELBO), a Monte Carlo estimate, a loss."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of an evaluation.

    Args:
        value: The number, finite.
        se: Its standard error in the same unit; None where there is none.
        unit: "nats", "bits/dim", "share", ...
        kind: What the number is.
        floor: Real data against real data of the same sizes, for figures of sample quality:
            the value that a perfect model would have. Of accuracy: what always saying the
            commonest label gives.
        p_value: Of the hypothesis that the model is perfect, where a test gives one.
        deviations: What each held-out example adds to the error, [M], where that is known: ``se``
            is the root of the sum of their squares. They are not written to JSON.

    Raises:
        ValueError: If a number is not finite (JSON could not hold it; a figure that does not
            exist is None, not NaN) or the kind is unknown.

    Example:
        >>> Figure(0.5, 0.1, "nats", "bound").to_json()
        {'value': 0.5, 'se': 0.1, 'unit': 'nats', 'kind': 'bound'}
    """

    value: float
    se: float | None
    unit: str
    kind: Kind
    floor: float | None = None
    p_value: float | None = None
    deviations: "Tensor | None" = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("value", "se", "floor", "p_value"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} of a figure must be finite, got {number}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {get_args(Kind)}, got {self.kind!r}")

    @classmethod
    def of(
        cls, found: "Estimate", unit: str, kind: Kind = "estimate", floor: float | None = None
    ) -> Self:
        """Return an estimate as a figure."""
        return cls(found.value, found.se, unit, kind, floor, found.p_value, found.deviations)

    def error_of_difference(self, other: "Figure") -> float:
        """Return the standard error of this value minus another's.

        Two models are scored on the same examples, and what is hard for one is so for the other:
        where both know what each example adds, the differences are taken one by one. Otherwise the
        two are taken for independent.

        Example:
            >>> Figure(1.0, 0.3, "nats", "exact").error_of_difference(
            ...     Figure(2.0, 0.4, "nats", "exact")
            ... )
            0.5
        """
        mine, theirs = self.deviations, other.deviations
        if mine is not None and theirs is not None and mine.shape == theirs.shape:
            return float((mine - theirs).square().sum().sqrt())
        return math.hypot(self.se or 0.0, other.se or 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints; ``floor`` and ``p_value`` where they exist."""
        shown: dict[str, Any] = {
            "value": self.value,
            "se": self.se,
            "unit": self.unit,
            "kind": self.kind,
        }
        for name in ("floor", "p_value"):
            if (number := getattr(self, name)) is not None:
                shown[name] = number
        return shown

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Return the figure that ``to_json`` wrote."""
        return cls(**shown)


def figures_to_json(figures: Mapping[str, Figure | None]) -> dict[str, dict[str, Any] | None]:
    """Return figures by name as JSON objects; a figure that the model cannot give is null."""
    return {name: figure and figure.to_json() for name, figure in figures.items()}


def given_words(names: Iterable[str]) -> str:
    """Return what a likelihood is conditional on, to be added to its unit.

    Example:
        >>> given_words(()), given_words(["image", "label"])
        ('', ' given the image and the label')
    """
    words = " and ".join(f"the {name}" for name in names)
    return words and f" given {words}"
