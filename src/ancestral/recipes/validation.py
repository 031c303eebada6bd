"""The figure that chooses the weights: measured on the validation split, in the user's units."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch, HasBound, HasGraph, Trains
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.sources import fresh
from ancestral.errors import DivergenceError
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures.sliced_wasserstein import sliced_wasserstein
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits
from ancestral.training.order import seed_of

Choice = str

_BOUND_EXAMPLES = 4_000
_SAMPLES = 4_000
_PROJECTIONS = 64
_CHUNK = 1_000

HIGHER_IS_BETTER: dict[Choice, bool] = {
    "elbo": True,
    "log_prob": True,
    "loss": False,
    "sliced_wasserstein": False,
    "bits_per_char": False,
    "label_log_prob": True,
}


def conditions(units: InDataUnits) -> bool:
    """Return whether the model has a node ``label`` that can be given."""
    model = units.model
    return isinstance(model, HasGraph) and "label" in model.graph["p"].names


class Judge:
    """Measures the figure; every measurement uses the same noise, so that steps compare.

    Args:
        choice: Which figure.
        units: The model that is being trained, and its transform.
        data: The data.
        seed: Of the noise.
        device: Where the model is.

    Attributes:
        figure: The last one measured.
        tolerance: Figures that differ by less cannot be told apart. For a distance between samples
            it is the standard error of real data against real data: near the floor the distance
            says no more, while samples still get finer, and the first dip would win by chance.
            Source: the one-standard-error rule, Breiman et al. 1984, Classification and
            Regression Trees, sec. 3.4.3.
    """

    def __init__(
        self, choice: Choice, units: InDataUnits, data: Dataset, *, seed: int, device: str = "cpu"
    ) -> None:
        if choice == "elbo" and not units.can(HasBound):
            choice = "loss"  # A likelihood that is none: what is lowered is all there is.
        self.choice: Choice = choice
        self.units, self.device = units, device
        self.seed = seed_of(seed, "validation noise")
        self.figure: Figure | None = None
        self._examples = data.validation[:_BOUND_EXAMPLES]
        self._measure = {
            "elbo": self._elbo,
            "log_prob": self._log_prob,
            "loss": self._loss,
            "label_log_prob": self._label_log_prob,
            "sliced_wasserstein": self._distance,
        }[choice]
        self._space = Space.of(data, standard=fresh(data.source, 1, seed=0) is not None)
        self._real = self._floor = None
        self.tolerance = 0.0
        if choice == "sliced_wasserstein":
            self._real = self._space(data.validation.x[:_SAMPLES])
            others = self._space(data.train.x[: len(self._real)])
            self._floor, se = _distance(others, self._real)
            self.tolerance = se or 0.0

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Measure; return the figure's value by its name."""
        value, se = self._measure()
        if not math.isfinite(value):
            return {self.choice: math.nan}
        self.figure = self._describe(value, se)
        return {self.choice: value}

    def _describe(self, value: float, se: float | None) -> Figure:
        if self.choice == "sliced_wasserstein":
            return Figure(value, se, self._space.unit, "estimate", floor=self._floor)
        if self.choice == "loss":
            return Figure(value, se, "nats", "loss")
        if self.choice == "label_log_prob":
            return Figure(value, se, "nats", "exact")
        bound = self.choice == "elbo" or not self.units.exact
        given = self.choice == "elbo" and conditions(self.units)
        unit = "nats given the label" if given else "nats"
        return Figure(value, se, unit, "bound" if bound else "exact")

    def _elbo(self) -> tuple[float, float | None]:
        generator = self._generator()
        known = conditions(self.units)
        return self._mean(
            lambda part: self.units.elbo(
                part.x, given=part.given if known else None, generator=generator
            )
        )

    def _log_prob(self) -> tuple[float, float | None]:
        generator = self._generator()
        return self._mean(lambda part: self.units.log_prob(part.x, generator=generator))

    def _label_log_prob(self) -> tuple[float, float | None]:
        generator = self._generator()
        return self._mean(
            lambda part: self.units.posterior(part.x, generator=generator).log_prob(
                part.given["label"]
            )
        )

    def _loss(self) -> tuple[float, float | None]:
        generator = self._generator()
        model = self.units.model
        if not isinstance(model, Trains):
            raise TypeError("a loss is of a model that trains")
        (player,) = model.players()
        known = conditions(self.units)
        total = weight = 0.0
        for part in self._parts():
            y = self.units.transform(part.x, generator)
            loss = player.loss(Batch(y, part.given if known else {}), generator)
            total, weight = total + loss.total.item(), weight + loss.weight
        return total / weight, None

    def _mean(self, score: Callable[[Examples], Tensor]) -> tuple[float, float | None]:
        values = torch.cat([score(part).double().cpu() for part in self._parts()])
        se = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else None
        return values.mean().item(), se

    def _parts(self) -> Iterator[Examples]:
        for start in range(0, len(self._examples), _CHUNK):
            part = self._examples[start : start + _CHUNK]
            given = {name: value.to(self.device) for name, value in part.given.items()}
            yield Examples(part.x.to(self.device), given)

    def _distance(self) -> tuple[float, float | None]:
        if self._real is None:
            raise ValueError("there are no real examples to compare with")
        try:
            drawn = self.units.sample(len(self._real), generator=self._generator())
        except DivergenceError:
            return math.nan, None
        rows = self._space(drawn.cpu())
        return _distance(rows, self._real) if bool(rows.isfinite().all()) else (math.nan, None)

    def _generator(self) -> Generator:
        return Generator(self.device).manual_seed(self.seed)


def _distance(x: Tensor, y: Tensor) -> tuple[float, float | None]:
    found = sliced_wasserstein(x, y, projections=_PROJECTIONS)
    return found.value, found.se
