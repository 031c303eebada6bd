"""The Hopfield network: patterns stored as minima of an energy."""

from typing import Self

import torch
from torch import Generator, Tensor, nn

from ancestral.networks.arguments import check_whole


class Hopfield(nn.Module):
    """An associative memory of D units that are +1 or -1.

    ``E(s) = -s . W s / 2`` with W symmetric and without a diagonal. A unit that takes the sign of
    ``W_i . s`` lowers the energy or leaves it, so that updates one after another end in a minimum.

    Source: Hopfield 1982, Neural networks and physical systems with emergent collective
    computational abilities; the projection rule: Personnaz, Guyon & Dreyfus 1985.

    Args:
        units: D, at least 2.

    Raises:
        ValueError: If units < 2.

    Example:
        >>> pattern = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0]])
        >>> memory = Hopfield(5).fit(pattern)
        >>> memory.recall(torch.tensor([[1.0, -1.0, 1.0, 1.0, 1.0]])).equal(pattern)
        True
    """

    weight: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        check_whole("units", units, least=2)
        self.register_buffer("weight", torch.zeros(units, units))

    def fit(self, patterns: Tensor) -> Self:
        """Store patterns [P, D] of +1 and -1; return self. What was stored before is forgotten.

        W is the projection onto their span: patterns that are linearly independent are fixed
        points whatever their overlap, where Hebb's sum of ``s s^T / D`` lets them disturb each
        other. Of patterns at right angles the two are the same.

        Raises:
            ValueError: If patterns are not [P, D] of +1 and -1, or no fewer than the units.
        """
        self._check(patterns)
        if not 1 <= len(patterns) < len(self.weight):
            raise ValueError(
                f"patterns must be from 1 to {len(self.weight) - 1}, got {len(patterns)}"
            )
        p = patterns.double()
        weight = torch.linalg.pinv(p) @ p
        self.weight.copy_(weight - weight.diag().diag())
        return self

    def energy(self, states: Tensor) -> Tensor:
        """Return E of states [B, D] of +1 and -1, [B]."""
        s = states.to(self.weight)
        return -((s @ self.weight) * s).sum(dim=1) / 2

    def update(self, states: Tensor, unit: int) -> Tensor:
        """Return states [B, D] after one unit took the sign of its input; of 0 it stays."""
        inputs = states.to(self.weight) @ self.weight[unit]
        found = states.clone()
        # Rounding must not turn a unit without input, nor one whose weights are all but 0.
        turned = inputs.abs() > 1e-6 * self.weight.abs().sum(dim=1).max()
        found[:, unit] = torch.where(turned, inputs.sign().to(states), states[:, unit])
        return found

    def recall(self, states: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Return the fixed points that states [B, D] run into, units updated in random order.

        Raises:
            ValueError: If states are not [B, D] of +1 and -1.
        """
        self._check(states)
        while True:
            before = states
            order = torch.randperm(len(self.weight), generator=generator, device=states.device)
            for unit in order.tolist():
                states = self.update(states, unit)
            if states.equal(before):
                return states

    def _check(self, states: Tensor) -> None:
        units = len(self.weight)
        if states.ndim != 2 or states.shape[1] != units or not bool((states.abs() == 1).all()):
            raise ValueError(f"states must be [B, {units}] of +1 and -1, got {list(states.shape)}")
