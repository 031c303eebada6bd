"""Chains that training keeps, so that each update goes on where the last one ended."""

import torch
from torch import Generator, Tensor, nn


class ReplayBuffer(nn.Module):
    """The last states of C chains, [C, *event], as a buffer of the model: a checkpoint holds it.

    Source: Tieleman 2008, Training restricted Boltzmann machines using approximations to the
    likelihood gradient; Du & Mordatch 2019, Implicit generation and modeling with energy-based
    models, arXiv:1903.08689, sec. 3.2.

    Args:
        states: The first states, [C, *event], C at least 1.
        restart: Share of the chains that begin anew when they are taken, in [0, 1).

    Raises:
        ValueError: If there is no chain, or restart is not in [0, 1).

    Example:
        >>> buffer = ReplayBuffer(torch.zeros(100, 2))
        >>> rows, states = buffer.take(8, torch.ones(8, 2), None)
        >>> buffer.put(rows, states + 1)
        >>> int((buffer.states > 0).all(dim=1).sum())
        8
    """

    states: Tensor

    def __init__(self, states: Tensor, *, restart: float = 0.0) -> None:
        super().__init__()
        if not len(states):
            raise ValueError("states must hold a chain or more, got none")
        if not 0 <= restart < 1:
            raise ValueError(f"restart must be in [0, 1), got {restart}")
        self.restart = restart
        self.register_buffer("states", states)

    def take(self, n: int, fresh: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Return which chains are moved next, int64 [M], and their states [M, *event].

        At most n of them, all different; ``fresh`` [n, *event] are states to begin anew from.
        """
        device = self.states.device
        rows = torch.randperm(len(self.states), generator=generator, device=device)[:n]
        anew = torch.rand(len(rows), generator=generator, device=device) < self.restart
        anew = anew.reshape(-1, *[1] * (fresh.ndim - 1))
        return rows, torch.where(anew, fresh[: len(rows)].to(self.states), self.states[rows])

    @torch.no_grad()
    def put(self, rows: Tensor, states: Tensor) -> None:
        """Keep the states [M, *event] of the chains ``rows``, int64 [M]."""
        self.states[rows] = states.to(self.states)

    def draw(self, n: int, generator: Generator | None) -> Tensor:
        """Draw the states of n chains, [n, *event]; all different where there are so many."""
        count, device = len(self.states), self.states.device
        rounds = -(-n // count)
        rows = [torch.randperm(count, generator=generator, device=device) for _ in range(rounds)]
        return self.states[torch.cat(rows)[:n]]

    def extra_repr(self) -> str:
        """Tell the number of chains in ``repr``."""
        return f"chains={len(self.states)}, restart={self.restart}"


def contrastive_loss(data: Tensor, model: Tensor) -> Tensor:
    """Return ``mean E(x+) - mean E(x-)`` from energies of data [B] and of the model's draws [M].

    Its gradient is that of the negative log-likelihood, ``E_data[grad E] - E_model[grad E]``, as
    far as the draws are the model's; its value says nothing.

    Source: Hinton 2002, Training products of experts by minimizing contrastive divergence, eq. 3.
    """
    return data.mean() - model.mean()
