"""Weights that were kept: given to a model, checked and counted."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ancestral.capabilities import Fits
from ancestral.errors import DamagedFileError
from ancestral.nn.low_rank import adapters


def load_state(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str, path: Path) -> None:
    """Give a module the tensors whose names begin with its prefix.

    Raises:
        DamagedFileError: If they are not its own.
    """
    mine = {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    try:
        module.load_state_dict(mine)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise DamagedFileError(f"{path} does not fit its run.toml: {reason}") from None


def check_numbers(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights that are nan: all that is drawn and measured by them would be.

    Raises:
        DamagedFileError: If one is.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise DamagedFileError(f"{path}: weights must be numbers, {name} holds nan; fit again")


def check_finite(tensors: Mapping[str, Tensor], model: nn.Module, path: Path) -> None:
    """Refuse weights of a network that are infinite: what is computed by them would be nan.

    Raises:
        DamagedFileError: If one is.
    """
    for name, _ in model.named_parameters():
        tensor = tensors.get(f"model.{name}")
        if tensor is not None and not bool(tensor.isfinite().all()):
            raise DamagedFileError(
                f"{path}: weights must be finite, model.{name} holds inf; fit again"
            )


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers are learned from the data: weights, and what ``fit`` has stored."""
    beside = [part for adapter in adapters(model).values() for part in adapter.added.parameters()]
    learned = sum(value.numel() for value in model.parameters())
    learned -= sum(value.numel() for value in beside)  # They end as part of the others.
    stored = sum(value.numel() for value in model.buffers() if value.is_floating_point())
    return learned + (stored if isinstance(model, Fits) else 0)
