"""What a training is fed with: the training split, and how a batch of it is made for the model."""

from torch import Generator

from ancestral.capabilities import Batch
from ancestral.data.cache import LARGE
from ancestral.data.dataset import Dataset
from ancestral.data.text import lengths
from ancestral.networks.units import InDataUnits
from ancestral.recipes.plan import Plan
from ancestral.recipes.validation import conditions
from ancestral.training.feed import Feed, Rows, Streamed
from ancestral.training.loop import Prepare


def feed_of(plan_: Plan, units: InDataUnits) -> tuple[Feed, Prepare | None]:
    """Return the training split, and what makes a batch of it for the model."""
    large = plan_.data.train.x.nbytes >= LARGE  # They lie in a file, and go batch by batch.
    examples = on_device(plan_.data, "cpu" if large else plan_.device)
    given = dict(examples.given) if conditions(units) else {}
    transform, pad = units.transform, _pad(plan_)
    if plan_.data.kind == "vectors" and not (large or plan_.data.stream):
        # No noise and little memory: once for all steps.
        return Rows(transform(examples.x), given), None

    def prepare(batch: Batch, generator: Generator) -> Batch:
        x = batch.x if pad is None else batch.x[:, : int(lengths(batch.x, pad).max())]
        return Batch(transform(x, generator), batch.given)

    if plan_.data.stream is not None:
        return Streamed(plan_.data.stream, given=bool(given)), prepare
    # Batches of padded windows are of like length.
    of_windows = None if pad is None else lengths(examples.x, pad)
    return Rows(examples.x, given, of_windows, mapped=large), prepare


def on_device(data: Dataset, device: str) -> Batch:
    """Return the training split on a device, in the user's units."""
    given = {name: value.to(device) for name, value in data.train.given.items()}
    return Batch(data.train.x.to(device), given)


def _pad(plan_: Plan) -> int | None:
    """Return what fills padded windows; None for other data."""
    corpus = plan_.data.corpus
    if corpus is None or plan_.loading.text.batching != "padded":
        return None
    return corpus.tokenizer.special.pad
