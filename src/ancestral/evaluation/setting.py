"""How large an evaluation is: the sizes asked for, and those that the data allow."""

from dataclasses import dataclass

from ancestral.data.dataset import Dataset
from ancestral.errors import ConfigError
from ancestral.settings import at_least

LEAST = 20
"""Fewest test and generated examples from which figures of sample quality are made."""

WIDE = 64
"""Examples with more values than this cost so much that some measures take fewer of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Sizes of an evaluation. Sets that are smaller are used whole.

    Args:
        samples: Examples generated, at least 20.
        references: Held-out examples that they are compared with, at least 20.
        radii: Held-out examples whose neighbour distances make the balls of precision, recall,
            density and coverage.
        k: The neighbour whose distance is the radius of a ball.
        draws: Draws of the importance-weighted likelihood for each example.
        seed: Of everything random.
        means: Also measure the means of p(x | z), where a model can give them; labelled so.
        target: Of mixed tables: the column that is told from the others by what samples teach; None
            for the only truth value, where there is just one.

    Raises:
        ConfigError: If a value is outside its range.

    Example:
        >>> Setting(samples=1000).k
        5
    """

    samples: int = 10_000
    references: int = 10_000
    radii: int = 2_000
    k: int = 5
    draws: int = 64
    seed: int = 0
    means: bool = True
    target: str | None = None

    def __post_init__(self) -> None:
        at_least(self, samples=LEAST, references=LEAST, radii=1, k=1, draws=1, seed=0)
        if self.radii <= 2 * self.k + 1:  # A half of them must have balls, too.
            raise ConfigError(
                f"radii must be more than 2 k + 1 = {2 * self.k + 1}, got {self.radii}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a setting comes to for one data set.

    Args:
        samples: Examples generated: no more than the training split holds, so that as many real
            ones can stand in for them in the floors.
        references: Held-out examples.
        radii: Held-out examples with balls.
        kernel: Of each side in the kernel test, whose cost grows with its square.
        classifier: Of each side for the classifier.
        neighbours: Of each side in the memorisation test, against the whole training split.
        scored: Held-out examples of the likelihoods.
        weighted: The first of them, for the importance-weighted likelihood.
        bound_draws: Draws of the bound for each held-out example.
    """

    samples: int
    references: int
    radii: int
    kernel: int
    classifier: int
    neighbours: int
    scored: int
    weighted: int
    bound_draws: int

    @classmethod
    def of(cls, setting: Setting, data: Dataset) -> "Sizes":
        """Return the sizes that a data set allows."""
        wide = data.event_shape.numel() > WIDE
        samples = min(setting.samples, len(data.train))
        references = min(setting.references, len(data.test))
        return cls(
            samples=samples,
            references=references,
            radii=min(setting.radii, references),
            kernel=2_000,
            classifier=2_000 if wide else 10_000,
            neighbours=1_000 if wide else 10_000,
            # A bound that sums out ten labels runs the networks ten times for each example.
            scored=min(2_000 if wide else references, references),
            weighted=min(250 if wide else references, references),
            bound_draws=1 if wide else 8,
        )
