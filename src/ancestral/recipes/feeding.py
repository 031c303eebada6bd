"""What a training is fed with: the training split, and how a batch of it is made for the model."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Generator

from ancestral.capabilities import Batch
from ancestral.data.cache import LARGE
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Field, Image, Tokens
from ancestral.data.text import lengths
from ancestral.networks.units import InDataUnits
from ancestral.recipes.plan import Plan
from ancestral.training.feed import Feed, Rows, Streamed
from ancestral.training.loop import Prepare

Fed: TypeAlias = tuple[Feed, Prepare | None]
"""Where examples come from, and what makes a batch of them for the model."""


def feed_of(plan_: Plan, model: InDataUnits) -> Fed:
    """Return the training split, and what makes a batch of it for the model."""
    stream = plan_.data.stream
    if stream is not None:
        given = model.taken(plan_.data.train.given)
        return Streamed(stream, given=given is not None), _by_transform(model)
    return _FEEDS[type(plan_.data.field)](plan_, model)


def on_device(data: Dataset, device: str) -> Batch:
    """Return the training split on a device, in the user's units."""
    given = {name: value.to(device) for name, value in data.train.given.items()}
    return Batch(data.train.x.to(device), given)


def _rows(plan_: Plan, model: InDataUnits) -> tuple[Batch, bool]:
    """Return the examples, and whether they lie in a file: those go batch by batch."""
    large = plan_.data.train.x.nbytes >= LARGE
    examples = on_device(plan_.data, "cpu" if large else plan_.device)
    return Batch(examples.x, model.taken(examples.given) or {}), large


def _by_transform(model: InDataUnits) -> Prepare:
    def prepare(batch: Batch, generator: Generator) -> Batch:
        return Batch(model.transform(batch.x, generator), batch.given)

    return prepare


def _by_batch(plan_: Plan, model: InDataUnits) -> Fed:
    """Transform batch by batch: noise is drawn anew, and grey levels take the least memory."""
    examples, large = _rows(plan_, model)
    return Rows(examples.x, examples.given, mapped=large), _by_transform(model)


def _at_once(plan_: Plan, model: InDataUnits) -> Fed:
    """Transform all rows once, where there is no noise: it takes little memory."""
    examples, large = _rows(plan_, model)
    if large or not model.exact:
        return _by_batch(plan_, model)
    return Rows(model.transform(examples.x), examples.given), None


def _windows(plan_: Plan, model: InDataUnits) -> Fed:
    """Cut padded windows to the longest of their batch, which are of like length."""
    if plan_.loading.text.batching != "padded":
        return _by_batch(plan_, model)
    examples, large = _rows(plan_, model)
    pad = plan_.data.text.tokenizer.special.pad

    def prepare(batch: Batch, generator: Generator) -> Batch:
        x = batch.x[:, : int(lengths(batch.x, pad).max())]
        return Batch(model.transform(x, generator), batch.given)

    return Rows(examples.x, examples.given, lengths(examples.x, pad), mapped=large), prepare


_FEEDS: dict[type[Field], Callable[[Plan, InDataUnits], Fed]] = {
    Vector: _at_once,
    Image: _by_batch,
    Tokens: _windows,
}
