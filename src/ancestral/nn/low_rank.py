"""Low-rank adapters: a trained layer stays as it is, two thin matrices learn beside it.

``W x`` becomes ``W x + (alpha / r) B A x`` with A of r rows and B of r columns: r times (inputs +
outputs) numbers to train in place of inputs times outputs, and as many fewer moments to keep.
"""

import copy
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional


class LowRankMatrix(nn.Module):
    """What is added to a matrix: ``(alpha / r) B A``, at first 0.

    Source: Hu et al. 2021, LoRA, arXiv:2106.09685, sec. 4.1; A is drawn as the authors' code does,
    uniformly with the bound of Kaiming's rule for ``a = sqrt 5``.

    Args:
        weight: The matrix W [J, D]; it is not kept.
        rank: Rows r of A, between 1 and the smaller side of W.
        alpha: Strength; ``rank`` if None, so that the product counts once.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> LowRankMatrix(torch.eye(6, 4), rank=2)().shape
        torch.Size([6, 4])
    """

    def __init__(self, weight: Tensor, *, rank: int, alpha: float | None = None) -> None:
        super().__init__()
        _check(weight, rank, alpha)
        self.rank, self.alpha = rank, float(rank if alpha is None else alpha)
        self.down = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self) -> Tensor:
        """Return the product, [J, D]."""
        return (self.alpha / self.rank) * (self.up @ self.down)

    def times(self, x: Tensor) -> Tensor:
        """Return the product times x [*, D], [*, J], by way of r features."""
        return functional.linear(functional.linear(x, self.down), self.up) * (
            self.alpha / self.rank
        )

    def extra_repr(self) -> str:
        """Tell rank and strength in ``repr``."""
        return f"rank={self.rank}, alpha={self.alpha:g}"


class LowRankLinear(nn.Module):
    """A linear layer that is kept, and a low-rank product that learns beside it.

    Before training it is the layer itself, to the bit.

    Args:
        base: The layer; its parameters no longer want gradients.
        rank: As of :class:`LowRankMatrix`.
        alpha: As of :class:`LowRankMatrix`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> layer = LowRankLinear(nn.Linear(8, 4), rank=2)
        >>> layer(torch.zeros(3, 8)).shape, [len(p) for p in layer.parameters() if p.requires_grad]
        (torch.Size([3, 4]), [2, 4])
    """

    def __init__(self, base: nn.Linear, *, rank: int, alpha: float | None = None) -> None:
        super().__init__()
        self.added = LowRankMatrix(base.weight, rank=rank, alpha=alpha)
        self.base = base.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [*, D] to [*, J]."""
        return self.base(x) + self.added.times(x)

    @property
    def weight(self) -> Tensor:
        """W + (alpha / r) B A [J, D], for what reads the matrix of a layer, as a head does."""
        return self.base.weight + self.added()

    @property
    def bias(self) -> Tensor | None:
        """The bias of the layer [J], or None."""
        return self.base.bias

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return a plain layer of the same outputs."""
        found = copy.deepcopy(self.base)
        found.weight.copy_(self.weight)
        return found


class LowRankCell(nn.Module):
    """A recurrent layer that is kept, and low-rank products beside both of its matrices.

    The matrices of input and state hold those of all gates, one above the other; each gets one
    product. torch's kernels take whole matrices, so they are summed at each pass.

    Args:
        base: One layer in one direction; its parameters no longer want gradients.
        rank: As of :class:`LowRankMatrix`.
        alpha: As of :class:`LowRankMatrix`.

    Raises:
        ValueError: If an argument is out of its range, or ``base`` has more layers or directions.

    Example:
        >>> cell = LowRankCell(nn.LSTM(4, 4, batch_first=True), rank=2)
        >>> cell(torch.zeros(3, 5, 4))[0].shape
        torch.Size([3, 5, 4])
    """

    def __init__(self, base: nn.RNNBase, *, rank: int, alpha: float | None = None) -> None:
        super().__init__()
        _check_layer(base, rank, alpha)
        self.added = nn.ModuleDict(
            {
                name: LowRankMatrix(base.get_parameter(name), rank=rank, alpha=alpha)
                for name in ("weight_ih_l0", "weight_hh_l0")
            }
        )
        self.base = base.requires_grad_(False)

    def forward(self, x: Tensor, carried: Any = None) -> Any:  # noqa: ANN401 - as torch's cells
        """Return what the layer returns for x [B, T, D] and what is carried into it."""
        weights = {name: self.get_parameter(name) for name in self.added}
        return functional_call(self.base, weights, (x, carried))

    def get_parameter(self, target: str) -> Any:  # noqa: ANN401 - a parameter, or a sum with one
        """Return a matrix with its product added, or a bias, by the name it has in ``base``."""
        kept = self.base.get_parameter(target)
        return kept + self.added[target]() if target in self.added else kept

    @torch.no_grad()
    def merged(self) -> nn.RNNBase:
        """Return a plain layer of the same outputs."""
        found = copy.deepcopy(self.base)
        for name in self.added:
            found.get_parameter(name).copy_(self.get_parameter(name))
        return found


Adapter: TypeAlias = LowRankLinear | LowRankCell


def add_adapters(
    model: nn.Module, *, rank: int, alpha: float | None = None, within: nn.Module | None = None
) -> None:
    """Freeze a model and put adapters beside its linear and recurrent layers, in place.

    Args:
        model: All its parameters stay as they are from now on.
        rank: Rows r of A, between 1 and the smaller side of each layer.
        alpha: Strength; ``rank`` if None.
        within: Only layers inside this part of the model get adapters; all if None.

    Raises:
        ValueError: If an argument is out of its range, or there is no such layer; nothing has
            changed then.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
        >>> add_adapters(model, rank=2)
        >>> sum(p.numel() for p in trainable(model).values())  # 2 (8 + 16) + 2 (16 + 8)
        96
    """
    places = [
        (parent, name, child)
        for parent in (within or model).modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear | nn.RNNBase)
    ]
    if not places:
        raise ValueError("the model has no linear or recurrent layer to put adapters beside")
    if adapters(model):
        raise ValueError("the model has adapters already: merge them first")
    for _, _, layer in places:
        _check_layer(layer, rank, alpha)
    model.requires_grad_(False)
    for parent, name, layer in places:
        if isinstance(layer, nn.Linear):
            setattr(parent, name, LowRankLinear(layer, rank=rank, alpha=alpha))
        else:
            setattr(parent, name, LowRankCell(layer, rank=rank, alpha=alpha))


def adapters(model: nn.Module) -> dict[str, Adapter]:
    """Return the adapters of a model by the names of the layers they stand at."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, LowRankLinear | LowRankCell)
    }


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that want gradients, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def merge_adapters(model: nn.Module) -> None:
    """Add every adapter to its layer, in place: the model is as it was built, frozen.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 4))
        >>> add_adapters(model, rank=2)
        >>> merge_adapters(model)
        >>> model[0]
        Linear(in_features=8, out_features=4, bias=True)
    """
    for name, adapter in adapters(model).items():
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, adapter.merged())


def merged_state(model: nn.Module) -> Mapping[str, Tensor]:
    """Return the state that the model would have with its adapters merged; it is not changed.

    Without adapters it is ``model.state_dict()``.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 4))
        >>> add_adapters(model, rank=2)
        >>> list(merged_state(model))
        ['0.weight', '0.bias']
    """
    state = model.state_dict()
    for name, adapter in adapters(model).items():
        for key in [key for key in state if key.startswith(f"{name}.")]:
            del state[key]
        state |= {f"{name}.{key}": value for key, value in adapter.merged().state_dict().items()}
    return state


def _check_layer(layer: nn.Linear | nn.RNNBase, rank: int, alpha: float | None) -> None:
    if isinstance(layer, nn.RNNBase) and (layer.num_layers != 1 or layer.bidirectional):
        raise ValueError(f"recurrent layers must be one layer in one direction, got {layer}")
    for matrix in layer.parameters():
        if matrix.ndim == 2:
            _check(matrix, rank, alpha)


def _check(matrix: Tensor, rank: int, alpha: float | None) -> None:
    if not 1 <= rank <= min(matrix.shape):
        raise ValueError(
            f"rank must lie between 1 and {min(matrix.shape)}, the smaller side of a layer, "
            f"got {rank}"
        )
    if alpha is not None and not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be finite and above 0, got {alpha}")
