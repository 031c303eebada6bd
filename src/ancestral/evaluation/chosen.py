"""Figures by which weights are chosen, measured on the validation split in the user's units.

A new one is a :class:`Criterion` here; a recipe names it as ``chosen_by``.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch, HasBound, Trains
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import LABEL
from ancestral.errors import DivergenceError
from ancestral.evaluation.figures import Figure, given_words
from ancestral.evaluation.kinds import evaluation_of
from ancestral.evaluation.measures.estimate import ratio_of
from ancestral.evaluation.measures.sliced_wasserstein import Projected
from ancestral.networks.units import InDataUnits

_EXAMPLES, _CHUNK, _SAMPLES, _PROJECTIONS = 4_000, 1_000, 4_000, 64
"""Examples scored, of which so many in one call; samples of a distance; its lines."""

_TOKENS, _TOKENS_AT_ONCE = 65_536, 4_096
"""Tokens of the validation split that are scored, and those in one call of the model."""

Measure: TypeAlias = Callable[[], Mapping[str, Figure]]
"""Figures by name, the one that chooses among them; DivergenceError where it is not finite."""


class Judge:
    """Measures the figure; every measurement uses the same noise, so that steps compare.

    Args:
        choice: Which figure.
        measure: Takes it.
        tolerance: Figures that differ by less cannot be told apart.

    Attributes:
        figure: The last one measured.
    """

    def __init__(self, choice: "Criterion", measure: Measure, tolerance: float) -> None:
        self.choice, self.tolerance = choice, tolerance
        self.figure: Figure | None = None
        self._measure = measure

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Measure; return the figures' values by name, nan where the model has diverged."""
        try:
            figures = self._measure()
        except DivergenceError:
            return {self.choice.name: math.nan}
        self.figure = figures[self.choice.name]
        return {name: figure.value for name, figure in figures.items()}


@dataclass(frozen=True, slots=True)
class Trial:
    """A model that is being trained, before the validation split.

    Args:
        units: The model and its transform.
        data: The data.
        seed: Of the noise.
        device: Where the model is.
    """

    units: InDataUnits
    data: Dataset
    seed: int
    device: str

    def generator(self) -> Generator:
        """Return the source of the noise, the same for every measurement."""
        return Generator(self.device).manual_seed(self.seed)

    def parts(self) -> Iterator[Examples]:
        """Return the examples that are scored, on the device, a chunk at a time."""
        examples = self.data.validation[:_EXAMPLES]
        for start in range(0, len(examples), _CHUNK):
            part = examples[start : start + _CHUNK]
            given = {name: value.to(self.device) for name, value in part.given.items()}
            yield Examples(part.x.to(self.device), given)

    def mean(self, score: Callable[[Examples], Tensor]) -> tuple[float, float | None]:
        """Return the mean score and its standard error.

        Raises:
            DivergenceError: If it is not finite.
        """
        values = torch.cat([score(part).double().cpu() for part in self.parts()])
        se = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else None
        return _finite(values.mean().item()), se


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """A figure by which weights are chosen.

    Args:
        name: Its fixed name.
        higher_is_better: Whether it is.
        prepare: A model before the validation split -> what measures it, and the tolerance.
        capability: What the model must have.
        otherwise: The figure that chooses where it does not.

    Example:
        >>> str(ELBO), ELBO.higher_is_better, LOSS.higher_is_better
        ('elbo', True, False)
    """

    name: str
    higher_is_better: bool
    prepare: Callable[[Trial], tuple[Measure, float]]
    capability: type = object
    otherwise: "Criterion | None" = None

    def __str__(self) -> str:
        return self.name

    def judge(self, units: InDataUnits, data: Dataset, *, seed: int, device: str = "cpu") -> Judge:
        """Return what measures the figure of a model while it is trained.

        Args:
            units: The model and its transform.
            data: The data.
            seed: Of the noise.
            device: Where the model is.

        Raises:
            ValueError: If there is no such figure of these data.
        """
        if self.otherwise is not None and not units.can(self.capability):
            return self.otherwise.judge(units, data, seed=seed, device=device)
        measure, tolerance = self.prepare(Trial(units, data, seed, device))
        return Judge(self, measure, tolerance)


def _elbo(trial: Trial) -> tuple[Measure, float]:
    units = trial.units
    unit = f"nats{given_words(units.taken(trial.data.validation.given) or ())}"

    def measure() -> dict[str, Figure]:
        noise = trial.generator()
        value, se = trial.mean(
            lambda part: units.elbo(part.x, given=units.taken(part.given), generator=noise)
        )
        return {"elbo": Figure(value, se, unit, "bound")}

    return measure, 0.0


def _log_prob(trial: Trial) -> tuple[Measure, float]:
    units = trial.units

    def measure() -> dict[str, Figure]:
        noise = trial.generator()
        value, se = trial.mean(
            lambda part: units.log_prob(part.x, given=units.required(part.given), generator=noise)
        )
        unit = f"nats{given_words(units.needs)}"
        return {"log_prob": Figure(value, se, unit, "exact" if units.exact else "bound")}

    return measure, 0.0


def _label_log_prob(trial: Trial) -> tuple[Measure, float]:
    def measure() -> dict[str, Figure]:
        noise = trial.generator()
        value, se = trial.mean(
            lambda part: trial.units.posterior(part.x, generator=noise).log_prob(part[LABEL])
        )
        return {"label_log_prob": Figure(value, se, "nats", "exact")}

    return measure, 0.0


def _loss(trial: Trial) -> tuple[Measure, float]:
    units = trial.units
    if not isinstance(units.model, Trains):
        raise ValueError(f"{type(units.model).__name__} has no loss: it is not trained")
    (player,) = units.model.players()

    def measure() -> dict[str, Figure]:
        noise, total, weight = trial.generator(), 0.0, 0.0
        for part in trial.parts():
            y = units.transform(part.x, noise)
            loss = player.loss(Batch(y, units.taken(part.given) or {}), noise)
            total, weight = total + loss.total.item(), weight + loss.weight
        return {"loss": Figure(_finite(total / weight), None, "nats", "loss")}

    return measure, 0.0


def _sliced_wasserstein(trial: Trial) -> tuple[Measure, float]:
    """Measure samples against real examples.

    Near the floor of real data against real data the distance says no more, while samples still get
    finer, and the first dip would win by chance: the tolerance is the standard error of the floor.

    Source: the one-standard-error rule, Breiman et al. 1984, Classification and Regression Trees,
    sec. 3.4.3.
    """
    data, space = trial.data, evaluation_of(trial.data).space(trial.data)
    held_out = data.validation[:_SAMPLES]
    real = Projected(space(held_out.x), projections=_PROJECTIONS)
    floor = real.distance(space(data.train.x[: len(held_out)]))
    required = trial.units.required(held_out.given)
    given = required and {name: value.to(trial.device) for name, value in required.items()}

    def measure() -> dict[str, Figure]:
        drawn = trial.units.sample(len(held_out), given=given, generator=trial.generator())
        rows = space(drawn.cpu())
        if not bool(rows.isfinite().all()):
            raise DivergenceError("samples are not finite")
        found = real.distance(rows)
        figure = Figure(found.value, found.se, space.unit, "estimate", floor=floor.value)
        return {"sliced_wasserstein": figure}

    return measure, floor.se


def _bits_per_char(trial: Trial) -> tuple[Measure, float]:
    """Measure the code length of windows; the loss beside it, nats a token.

    The loss is there to be held against the training's: where the one rises while the other falls,
    the model has begun to memorise. Every improvement of the code length counts.
    """
    corpus, windows = trial.data.text, trial.data.validation.x
    documents = corpus.validation
    # Of the whole split, each document with its end: what a token is worth in characters.
    tokens = len(documents.tokens) - len(documents)
    unit = math.log(2) * (int(documents.characters.sum()) / tokens)
    windows = windows[: max(2, _TOKENS // windows.shape[1])]
    counts = corpus.tokenizer.special.predicted(windows[:, 1:]).sum(dim=1)

    def measure() -> dict[str, Figure]:
        parts = windows.split(max(1, _TOKENS_AT_ONCE // windows.shape[1]))
        scores = [trial.units.log_prob(x.to(trial.device)).double().cpu() for x in parts]
        found = ratio_of(-torch.cat(scores), counts)
        value = _finite(found.value)
        se = found.se / unit if len(counts) > 1 else None  # Of one window there is none.
        return {
            "bits_per_char": Figure(value / unit, se, "bits", "exact"),
            "perplexity": Figure(math.exp(min(value, 700.0)), None, "", "exact"),
            "loss": Figure(value, None, "nats", "loss"),
        }

    return measure, 0.0


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise DivergenceError(f"the figure is {value}")
    return value


LOSS = Criterion("loss", False, _loss)
ELBO = Criterion("elbo", True, _elbo, HasBound, LOSS)
"""Of a likelihood that is none there is no bound: what is lowered is all there is."""

LOG_PROB = Criterion("log_prob", True, _log_prob)
LABEL_LOG_PROB = Criterion("label_log_prob", True, _label_log_prob)
SLICED_WASSERSTEIN = Criterion("sliced_wasserstein", False, _sliced_wasserstein)
BITS_PER_CHAR = Criterion("bits_per_char", False, _bits_per_char)
