"""State whose shape is known only after fitting, and is read back from a state_dict."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn


def resize_on_load(module: nn.Module, names: Iterable[str]) -> None:
    """Let ``load_state_dict`` change the shape of the named buffers, as torch alone refuses to.

    A model that keeps its data is built empty and takes the shapes, and the number types, that were
    saved: a freshly constructed model loads what a fitted one has written. Raises ValueError if a
    name is not a buffer of the module.
    """
    names = tuple(names)
    known = dict(module.named_buffers(recurse=False))
    for name in names:
        if name not in known:
            raise ValueError(
                f"names must be buffers of the module ({', '.join(known)}), got {name!r}"
            )
    module.register_load_state_dict_pre_hook(partial(_resize, names=names))


def _resize(
    module: nn.Module, state: Mapping[str, Any], prefix: str, *_: object, names: tuple[str, ...]
) -> None:
    for name in names:
        saved, old = state.get(prefix + name), getattr(module, name)
        # The number of axes is the module's own; a different one is torch's error to report.
        if isinstance(saved, Tensor) and saved.ndim == old.ndim:
            setattr(module, name, saved.new_empty(saved.shape, device=old.device))
