"""Figures by which weights are chosen, measured on the validation split in the user's units.

A new one is a :class:`Criterion` here; a recipe names it as ``chosen_by``.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch, HasBound, HasDensity, Trains
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import LABEL, Image
from ancestral.data.text import Documents, Spelling, Tokenizer
from ancestral.errors import DivergenceError
from ancestral.evaluation.drawing import placed, strange
from ancestral.evaluation.figures import Figure, Kind, given_words
from ancestral.evaluation.kinds import bench_of
from ancestral.evaluation.measures.active_units import active_units, said_of_latents
from ancestral.evaluation.measures.difference import differences
from ancestral.evaluation.measures.estimate import mean_of, ratio_of
from ancestral.evaluation.measures.precision_recall import precision_recall
from ancestral.evaluation.measures.sliced_wasserstein import Projected
from ancestral.evaluation.segmented import Overlaps, masks_of
from ancestral.evaluation.verdict import said_of_variety
from ancestral.networks.units import InDataUnits

_EXAMPLES, _CHUNK, _SAMPLES, _PROJECTIONS = 4_000, 1_000, 4_000, 64
"""Examples scored, of which so many in one call; samples of a distance; its lines."""

_NEIGHBOURS, _FEWEST = 1_000, 50
"""Examples and samples whose neighbours are looked up, and the fewest that say something."""

_LOSS_IMAGES = 1_000
"""Images of which a loss is measured. It only chooses the step, by the same noise each time, and in
a short training more of them would take more time than the steps do."""

_ENCODED = 1_000
"""Examples whose posteriors tell which latents are in use."""

_IMAGES = 64
"""Images whose masks are found."""

_TOKENS, _TOKENS_AT_ONCE = 65_536, 4_096
"""Tokens of the validation split that are scored, and those in one call of the model."""

Measure: TypeAlias = Callable[[], Mapping[str, Figure]]
"""Figures by name, the one that chooses among them; DivergenceError where it is not finite."""

Score: TypeAlias = Callable[[Examples, Generator], Tensor]
"""Examples [B] and noise -> a number of each, [B]."""


class Judge:
    """Measures the figure; every measurement uses the same noise, so that steps compare.

    Args:
        choice: Which figure.
        model: The model that is being trained, and its transform.
        data: The validation split judges.
        seed: Of the noise.
        device: Where the model is.

    Attributes:
        figure: The last one measured.
        tolerance: Figures that differ by less cannot be told apart.
        said: What is to be said of the last samples, a sentence each.
    """

    def __init__(
        self, choice: "Criterion", model: InDataUnits, data: Dataset, *, seed: int, device: str
    ) -> None:
        self.choice, self.model, self.data = choice, model, data
        self.seed, self.device = seed, device
        self.figure: Figure | None = None
        self.tolerance = 0.0
        self.said: list[str] = []
        self._measure = choice.prepare(self)

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Measure; return the figures' values by name, nan where the model has diverged."""
        try:
            figures = self._measure()
        except DivergenceError:
            return {self.choice.name: math.nan}
        active = active_units(self.model, self.data.validation[:_ENCODED], device=self.device)
        figures = {**figures, **({} if active is None else {"active_units": active})}
        self.figure = figures[self.choice.name]
        self.said = [*said_of_variety(figures), *said_of_latents(active)]
        return {name: figure.value for name, figure in figures.items()}

    def noise(self) -> Generator:
        """Return the source of the noise of one measurement."""
        return Generator(self.device).manual_seed(self.seed)

    def parts(self, most: int = _EXAMPLES, chunk: int = _CHUNK) -> Iterator[Examples]:
        """Return the examples that are scored, on the device, a chunk at a time."""
        examples = self.data.validation[:most]
        for start in range(0, len(examples), chunk):
            part = examples[start : start + chunk]
            yield Examples(part.x.to(self.device), placed(part.given, self.device) or {})

    def mean(self, score: Score, kind: Kind, unit: str = "nats") -> Measure:
        """Return what takes the mean of a score of each example and its standard error."""

        def measure() -> dict[str, Figure]:
            noise = self.noise()
            values = torch.cat([score(part, noise).double().cpu() for part in self.parts()])
            se = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else None
            return {self.choice.name: Figure(_finite(values.mean().item()), se, unit, kind)}

        return measure


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """A figure by which weights are chosen.

    Args:
        name: Its fixed name.
        higher_is_better: Whether it is.
        prepare: What takes it, made once for a judge, whose tolerance it may set.
        capability: What the model must have.
        otherwise: The figure that chooses where it does not.

    Example:
        >>> str(ELBO), ELBO.higher_is_better, LOSS.higher_is_better
        ('elbo', True, False)
    """

    name: str
    higher_is_better: bool
    prepare: Callable[[Judge], Measure]
    capability: type = object
    otherwise: "Criterion | None" = None

    def __str__(self) -> str:
        return self.name

    def judge(self, model: InDataUnits, data: Dataset, *, seed: int, device: str = "cpu") -> Judge:
        """Return what measures the figure of a model while it is trained.

        Raises:
            ValueError: If there is no such figure of these data.
        """
        if self.otherwise is not None and not model.can(self.capability):
            return self.otherwise.judge(model, data, seed=seed, device=device)
        return Judge(self, model, data, seed=seed, device=device)


def _elbo(judge: Judge) -> Measure:
    model = judge.model
    return judge.mean(
        lambda part, noise: model.elbo(part.x, given=model.taken(part.given), generator=noise),
        "bound",
        f"nats{given_words(model.taken(judge.data.validation.given) or ())}",
    )


def _log_prob(judge: Judge) -> Measure:
    model = judge.model
    return judge.mean(
        lambda part, noise: model.log_prob(
            part.x, given=model.required(part.given), generator=noise
        ),
        "exact" if model.exact else "bound",
        f"nats{given_words(model.needs)}",
    )


def _label_log_prob(judge: Judge) -> Measure:
    return judge.mean(
        lambda part, noise: judge.model.posterior(part.x, generator=noise).log_prob(part[LABEL]),
        "exact",
    )


def _loss(judge: Judge, unit: str = "nats") -> Measure:
    model = judge.model
    if not isinstance(model.network, Trains):
        raise ValueError(f"{type(model.network).__name__} has no loss: it is not trained")
    (player,) = model.network.players()
    if judge.data.kind == "mixed":  # Cells have no squared units.
        unit = "nats"
    most, chunk = (_LOSS_IMAGES if judge.data.kind == "images" else _EXAMPLES), _CHUNK
    if judge.data.kind == "text":
        window = judge.data.validation.x.shape[1]
        most, chunk = max(2, _TOKENS // window), max(1, _TOKENS_AT_ONCE // window)

    def measure() -> dict[str, Figure]:
        noise, total, weight = judge.noise(), 0.0, 0.0
        for part in judge.parts(most, chunk):
            batch = Batch(model.transform(part.x, noise), model.taken(part.given) or {})
            loss = player.loss(batch, noise)
            total, weight = total + loss.total.item(), weight + loss.weight
        return {"loss": Figure(_finite(total / weight), None, unit, "loss")}

    return measure


def _sliced_wasserstein(judge: Judge, *, variety: bool = False) -> Measure:
    """Measure samples against real examples; with ``variety`` also their precision and coverage.

    Near the floor of real data against real data the distance says no more, while samples still get
    finer, and the first dip would win by chance: the tolerance is the standard error of the floor.

    Source: the one-standard-error rule, Breiman et al. 1984, Classification and Regression Trees,
    sec. 3.4.3.
    """
    model, data, bench = judge.model, judge.data, bench_of(judge.data)
    space = bench.space
    held_out = data.validation[:_SAMPLES]
    real = Projected(space(held_out.x), projections=_PROJECTIONS)
    floor = real.distance(space(data.train.x[: len(held_out)]))
    judge.tolerance = floor.se
    few = space(held_out.x[:_NEIGHBOURS])
    variety = variety and len(few) >= _FEWEST
    floors = precision_recall(few, space(data.train.x[: len(few)])) if variety else {}

    def measure() -> dict[str, Figure]:
        given = placed(model.required(held_out.given), judge.device)
        drawn = model.sample(len(held_out), given=given, generator=judge.noise()).cpu()
        if bool(strange(drawn, bench.whole).any()):
            raise DivergenceError("samples are not finite")
        points = space(drawn)
        found = real.distance(points)
        figure = Figure(found.value, found.se, space.unit, "estimate", floor=floor.value)
        if not variety:
            return {"sliced_wasserstein": figure}
        more = precision_recall(few, points[: len(few)])
        shares = {
            name: Figure(more[name].value, more[name].se, "share", "estimate", floors[name].value)
            for name in ("precision", "recall", "coverage")
        }
        return {"sliced_wasserstein": figure, **shares}

    return measure


def _iou(judge: Judge) -> Measure:
    """Measure how much the masks that are found overlap the true ones; the log-density beside it.

    Some of the examples must do: each is an image of any size.
    """
    model, examples = judge.model, judge.data.validation[:_IMAGES]
    field = judge.data.field
    classes = len(field.values) if isinstance(field, Image) else 0

    def measure() -> dict[str, Figure]:
        found = masks_of(model, examples, seed=judge.seed)
        iou = Overlaps.of(found, examples.x, classes=classes).figures(())["iou"]
        if iou is None:
            raise DivergenceError("there are too few images to compare")
        return {"iou": iou}

    return measure


def _difference(judge: Judge) -> Measure:
    """Measure how far what is made of images is from what belongs to them."""
    model, examples = judge.model, judge.data.validation[:_LOSS_IMAGES]

    def measure() -> dict[str, Figure]:
        found = []
        for part in judge.parts(len(examples), _IMAGES):
            given = model.required(part.given)
            made = model.sample(len(part.x), given=given, generator=judge.noise())
            found.append(differences(made, part.x, judge.data.levels).cpu())
        each = torch.cat(found)
        _finite(each.mean().item())
        return {"difference": Figure.of(mean_of(each), "grey levels of 1", "exact")}

    return measure


def _bits_per_char(judge: Judge) -> Measure:
    """Measure the code length of windows, of which every improvement counts; the loss beside it.

    The loss, nats a token, is there to be held against the training's: where the one rises while
    the other falls, the model has begun to memorise. What unknown words cost to be spelled is no
    part of it.
    """
    corpus, windows, model = judge.data.text, judge.data.validation.x, judge.model
    kind: Kind = "exact" if model.can(HasDensity) else "bound"
    documents = corpus.validation
    # Of the whole split, each document with its end: what a token is worth in characters.
    tokens = len(documents.tokens) - len(documents)
    unit = math.log(2) * (int(documents.characters.sum()) / tokens)
    windows = windows[: max(2, _TOKENS // windows.shape[1])]
    counts = corpus.tokenizer.special.predicted(windows[:, 1:]).sum(dim=1)
    unknown = (windows[:, 1:] == corpus.tokenizer.special.unk).sum(dim=1).double()
    if bool(unknown.any()):
        unknown *= _mean_spelling(corpus.tokenizer, documents)

    def measure() -> dict[str, Figure]:
        noise, measure = judge.noise(), model.log_prob if kind == "exact" else model.elbo
        parts = windows.split(max(1, _TOKENS_AT_ONCE // windows.shape[1]))
        scores = [measure(x.to(judge.device), generator=noise).double().cpu() for x in parts]
        loss = -torch.cat(scores)
        found = ratio_of(loss + unknown, counts)
        value = _finite(found.value)
        se = found.se / unit if len(counts) > 1 else None  # Of one window there is no error.
        return {
            "bits_per_char": Figure(value / unit, se, "bits", kind),
            "perplexity": Figure(math.exp(min(value, 700.0)), None, "", kind),
            "loss": Figure(ratio_of(loss, counts).value, None, "nats", "loss"),
        }

    return measure


def _mean_spelling(tokenizer: Tokenizer, documents: Documents) -> float:
    """Return what an unknown word costs to be spelled, nats, in documents of enough tokens."""
    spelling, costs, tokens = Spelling(tokenizer), list[Tensor](), 0
    for index in range(len(documents)):
        costs.append(spelling.document(documents, index))
        tokens += len(costs[-1])
        if tokens >= _TOKENS:
            break
    each = torch.cat(costs)
    return float(each[each > 0].mean())


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise DivergenceError(f"the figure is {value}")
    return value


LOSS = Criterion("loss", False, _loss)
SQUARED_ERROR = Criterion("loss", False, partial(_loss, unit="squared units"))
"""Of a regression, in squared units of the model."""

ELBO = Criterion("elbo", True, _elbo, HasBound, LOSS)
"""Of a likelihood that is none there is no bound: what is lowered is all there is."""

LOG_PROB = Criterion("log_prob", True, _log_prob)
DIFFERENCE = Criterion("difference", False, _difference)
"""Of images made from images: the mean absolute difference to those that belong to them."""

IOU = Criterion("iou", True, _iou)
"""Of masks given their images: intersection over union, the mean over classes and images."""

LABEL_LOG_PROB = Criterion("label_log_prob", True, _label_log_prob)
SLICED_WASSERSTEIN = Criterion("sliced_wasserstein", False, _sliced_wasserstein)
SAMPLES = Criterion("sliced_wasserstein", False, partial(_sliced_wasserstein, variety=True))
"""The same of a model that may leave modes out: their loss is measured, too, and said."""

BITS_PER_CHAR = Criterion("bits_per_char", False, _bits_per_char)
