"""What a training is fed with: the training split, and how a batch of it is made for the model."""

from torch import Generator, Tensor

from ancestral.capabilities import Batch
from ancestral.data.dataset import Dataset
from ancestral.networks.units import InDataUnits
from ancestral.recipes.plan import Plan
from ancestral.recipes.validation import conditions
from ancestral.training.loop import Prepare


def examples_of(plan_: Plan, units: InDataUnits) -> tuple[Batch, Prepare | None]:
    """Return the training split, and what makes a batch of it for the model."""
    examples = on_device(plan_.data, plan_.device)
    given = dict(examples.given) if conditions(units) else {}
    transform = units.transform
    if plan_.data.kind == "vectors":  # No noise and little memory: once for all steps.
        return Batch(transform(examples.x), given), None

    def prepare(batch: Batch, generator: Generator) -> Batch:
        return Batch(transform(batch.x, generator), batch.given)

    def trim(batch: Batch, generator: Generator) -> Batch:
        longest = int((batch.x != _pad(plan_.data)).sum(dim=1).max())
        return prepare(Batch(batch.x[:, :longest], batch.given), generator)

    return Batch(examples.x, given), prepare if lengths_of(plan_) is None else trim


def lengths_of(plan_: Plan) -> Tensor | None:
    """Return the lengths of padded windows, whose batches are of like length; else None."""
    if plan_.data.kind != "text" or plan_.loading.text.batching != "padded":
        return None
    return (plan_.data.train.x != _pad(plan_.data)).sum(dim=1)


def _pad(data: Dataset) -> int:
    return data.corpus.tokenizer.special.pad if data.corpus is not None else -1


def on_device(data: Dataset, device: str) -> Batch:
    """Return the training split on a device, in the user's units."""
    given = {name: value.to(device) for name, value in data.train.given.items()}
    return Batch(data.train.x.to(device), given)
