"""A run of diffusion without labels whose draws another run, a classifier, guides to a label."""

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Classifies
from ancestral.data.columns import Vector
from ancestral.data.fields import LABEL, Category, Field, X
from ancestral.data.transforms import Transform
from ancestral.diffusion.denoising import Denoising
from ancestral.diffusion.guidance import ClassifierGuided
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.recipe import Config
from ancestral.recipes.runs import Run

CLASSIFIER = "classifier"
"""The setting of sampling that names the run of a classifier."""

_POINTS = 1_000


def open_to_draw(
    run: Run, settings: Mapping[str, object], *, device: str
) -> tuple[InDataUnits, Config | None]:
    """Return the model of a run, guided by a classifier if the settings name one, and the others.

    Raises:
        ConfigError: If there is no such setting; as :func:`guided_by`.
        RunError: If there are no weights.
    """
    others = {name: value for name, value in settings.items() if name != CLASSIFIER}
    model = run.model(device=device, sampling=others)
    how = run.recipe.sampled_with(run.record.sampling, others)
    if CLASSIFIER in settings:
        model = guided_by(run, model, str(settings[CLASSIFIER]), how)
    return model, how


def guided_by(run: Run, model: InDataUnits, classifier: str, sampling: Config) -> InDataUnits:
    """Return the model of a run as a classifier guides it; its draws need a label.

    Args:
        run: Of a diffusion or score model without labels.
        model: Its model.
        classifier: The folder of a run that tells labels from x.
        sampling: Settings of how draws are made.

    Raises:
        RunError: If that is no run, or has no weights.
        ConfigError: If it is no classifier, or of other labels or examples.
        CapabilityError: If the first run's model is none that a classifier can guide.
    """
    network = model.network
    if not isinstance(network, Denoising) or network.classes:
        also = " with labels: leave it out" if isinstance(network, Denoising) else ""
        raise CapabilityError(
            f"classifier is of diffusion and score models that are given no label, {run.folder} "
            f"holds {run.record.model}{also}"
        )
    judge, device = Run.open(classifier), next(network.parameters()).device
    knows = judge.model(device=str(device))
    if not knows.can(Classifies):
        raise ConfigError(
            f"classifier must be a run that tells labels from examples, {classifier} holds "
            f"{judge.record.model}"
        )
    own, other = run.record.data.fields, judge.record.data.fields
    mine, theirs = own.get(LABEL), other.get(LABEL)
    if mine != theirs:
        raise ConfigError(
            f"classifier must know the labels of {run.folder}: {_words(mine)}; {classifier} knows "
            f"{_words(theirs)}"
        )
    if _kind(own[X]) != _kind(other[X]):
        raise ConfigError(
            f"classifier must be of examples as those of {run.folder}: {own[X].words}; "
            f"{classifier} is of {other[X].words}"
        )
    log_probs = _log_probs(knows, model.transform, network.event_shape, device)
    guided = ClassifierGuided(network, log_probs)
    return run.recipe.in_units(guided, model.transform, sampling)


def _words(label: Field | None) -> str:
    return ", ".join(label.states[:10]) if isinstance(label, Category) else "none"


def _kind(field: Field) -> object:
    names = [column.name for column in field.columns] if isinstance(field, Vector) else []
    return field.kind, tuple(field.event_shape), names


def _log_probs(
    knows: InDataUnits, units: Transform, event_shape: tuple[int, ...], device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Return log p(label | x), [B, K], of x in other units, differentiable.

    Both units are affine in the user's, each number for itself. The line between them is that of
    least squares through some points, for the way to the user's units rounds.
    """
    judge = knows.network
    assert isinstance(judge, Classifies)
    generator = Generator(device).manual_seed(0)
    noise = torch.randn((_POINTS, *event_shape), generator=generator, device=device)
    points = units.inverse(noise, generator)
    x, there = units(points, generator).flatten(1).double(), knows.transform(points, generator)
    y = there.flatten(1).double()
    # x has noise where numbers are spread over steps, y has none.
    spread = y - y.mean(0)
    slope = (spread * x).sum(0) / spread.square().sum(0)
    slope = torch.where(slope.isfinite() & (slope > 0), slope, 1.0)
    offset = x.mean(0) - slope * y.mean(0)

    def log_probs(x: Tensor) -> Tensor:
        y = (x.flatten(1) - offset.to(x)) / slope.to(x)
        return judge.posterior(y.reshape(-1, *there.shape[1:])).logits

    return log_probs
