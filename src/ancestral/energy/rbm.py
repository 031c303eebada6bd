"""Restricted Boltzmann machines over columns of states."""

import math
from abc import ABC
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Bernoulli, Categorical
from torch.nn import functional

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.energy.replay import ReplayBuffer, contrastive_loss
from ancestral.estimation import annealed_importance, log_mean_weight
from ancestral.information import Quantity
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.dag import DAG
from ancestral.networks.sampling import draw

MOST_HIDDEN = 16
"""Most hidden units whose 2^H states are enumerated."""

_AT_ONCE = 2048
"""Hidden states in one product."""

_STEPS = 100
"""Gibbs steps of a chain that is drawn from."""


class BoltzmannMachine(nn.Module, ABC):
    """What restricted Boltzmann machines share: energies, Gibbs steps, and their training.

    ``E(v, h) = -sum_d b_d[v_d] - c . h - sum_d W_d[v_d] . h``: visible columns v_d of K_d states,
    hidden bits h, no link inside either layer. Given one layer, the units of the other are
    independent. The hidden bits sum out, and leave
    ``F(v) = -sum_d b_d[v_d] - sum_j softplus(c_j + sum_d W_d[v_d]_j)``.

    Source: Smolensky 1986; Hinton 2002, Training products of experts by minimizing contrastive
    divergence; columns of more than two states: Salakhutdinov, Mnih & Hinton 2007, Restricted
    Boltzmann machines for collaborative filtering, sec. 2.

    Args:
        sizes: Number of states K_d of each of the D columns, each at least 1.
        hidden: Hidden bits H, at least 1.
        chains: Chains that training keeps, at least 1.
        steps: Gibbs steps of an update (the k of CD-k), at least 1.
        persistent: Chains go on from where they ended; else each update begins at the data.

    Raises:
        ValueError: If an argument is outside its range.
    """

    absent: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        hidden: int = 64,
        chains: int = 1000,
        steps: int = 1,
        persistent: bool = True,
    ) -> None:
        super().__init__()
        if not sizes or min(sizes) < 1:
            raise ValueError(f"sizes must be numbers of at least 1, got {list(sizes)}")
        for name, value in {"hidden": hidden, "chains": chains, "steps": steps}.items():
            check_whole(name, value)
        self.sizes, self.hidden = tuple(sizes), hidden
        self.steps, self.persistent = steps, persistent
        columns, most = len(sizes), max(sizes)
        counts = torch.tensor(self.sizes)
        self.register_buffer("absent", torch.arange(most) >= counts[:, None], persistent=False)
        # Small beside the visible biases, large enough for the hidden bits to differ.
        self.weight = nn.Parameter(torch.randn(columns * most, hidden) / columns**0.5)
        self.visible_bias = nn.Parameter(torch.zeros(columns, most))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        first = (torch.rand(chains, columns) * counts).long()
        self.chains = ReplayBuffer(first)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """Empty: its links have no direction."""
        return {}

    def players(self) -> Sequence[Player]:
        """Return the one player; the chains are common to the whole batch."""
        return (Player(name="rbm", module=self, loss=self._loss, couples_examples=True),)

    @torch.no_grad()
    def begin(self, x: Tensor) -> None:
        """Begin at independent columns with the frequencies of states x [N, D], chains and all.

        Otherwise the first that every hidden bit learns is what the columns are alone.

        Source: Hinton 2012, A practical guide to training restricted Boltzmann machines, sec. 8.1.
        """
        frequencies = self._frequencies(x)
        self.visible_bias.copy_(frequencies.clamp_min(1e-9).log())
        generator = Generator(x.device).manual_seed(0)
        count = len(self.chains.states)
        self.chains.states.copy_(draw(Categorical(probs=frequencies), (count,), generator))

    def free_energy(self, x: Tensor) -> Tensor:
        """Return F(x) = -log p(x) - log Z, nats, [B], for states x, whole numbers [B, D]."""
        return -self._path(x, 1.0, torch.zeros_like(self.visible_bias))

    def hidden_given(self, x: Tensor) -> Bernoulli:
        """Return p(h | x), batch shape [B, H]."""
        return Bernoulli(logits=self._inputs(x), validate_args=False)

    def visible_given(self, h: Tensor) -> Categorical:
        """Return p(x | h), batch shape [B, D], for bits h [B, H]."""
        return Categorical(logits=self._logits(h), validate_args=False)

    @torch.no_grad()
    def gibbs(self, x: Tensor, *, steps: int = 1, generator: Generator | None = None) -> Tensor:
        """Return states x [B, D] after so many steps of block Gibbs: h given x, x given h."""
        zero = torch.zeros_like(self.visible_bias)
        for _ in range(steps):
            x = self._step(x, 1.0, zero, generator)
        return x

    def estimate_log_normaliser(
        self, *, draws: int = 500, levels: int = 1000, generator: Generator | None = None
    ) -> Quantity:
        """Return log Z by annealed importance sampling, nats: an estimate, low in the mean.

        The way begins at independent columns, with the frequencies of the chains.

        Source: Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks,
        sec. 4.1.

        Args:
            draws: Independent chains, at least 2.
            levels: Steps of the way, at least 1.
            generator: Source of randomness; torch's global one if None.
        """
        base = self._frequencies(self.chains.states).log()
        start = draw(Categorical(logits=base), (draws,), generator)
        _, weights = annealed_importance(
            lambda x, share: self._path(x, share, base),
            start,
            lambda x, share, generator: self._step(x, share, base, generator),
            shares=[level / levels for level in range(levels + 1)],
            generator=generator,
        )
        found = log_mean_weight(weights)
        # The columns of the base sum to 1, and its hidden bits are all free.
        return Quantity(found.value + self.hidden * math.log(2), found.se, found.kind)

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x = batch.x.long()
        rows, states = self.chains.take(len(x), x, generator)
        states = self.gibbs(
            states if self.persistent else x[: len(rows)], steps=self.steps, generator=generator
        )
        if self.training:
            self.chains.put(rows, states)
        loss = contrastive_loss(self.free_energy(x), self.free_energy(states))
        return Loss(loss * len(x), len(x))

    def _inputs(self, x: Tensor) -> Tensor:
        """Return c + W(x), [B, H]."""
        most = self.absent.shape[1]
        places = x.long() + most * torch.arange(x.shape[1], device=x.device)
        return self.hidden_bias + functional.embedding_bag(places, self.weight, mode="sum")

    def _logits(self, h: Tensor) -> Tensor:
        """Return the logits of the states of each column, [B, D, K]; -inf where there is none."""
        shares = (h.to(self.weight) @ self.weight.T).unflatten(1, self.absent.shape)
        return (self.visible_bias + shares).masked_fill(self.absent, -torch.inf)

    def _path(self, x: Tensor, share: float, base: Tensor) -> Tensor:
        """Return log p_b(x) + constant between independent columns (0) and the machine (1), [B].

        The states have the logits ``base``, [D, K], in the former.
        """
        bias = share * self.visible_bias + ((1 - share) * base).masked_fill(self.absent, 0)
        own = bias.expand(len(x), -1, -1).gather(2, x.long()[..., None]).sum(dim=(1, 2))
        return own + functional.softplus(share * self._inputs(x)).sum(dim=1)

    def _step(self, x: Tensor, share: float, base: Tensor, generator: Generator | None) -> Tensor:
        """Return x after a step of block Gibbs on the way."""
        h = draw(Bernoulli(logits=share * self._inputs(x), validate_args=False), (), generator)
        logits = share * self._logits(h)
        if share < 1:
            logits = (logits + (1 - share) * base).masked_fill(self.absent, -torch.inf)
        return draw(Categorical(logits=logits, validate_args=False), (), generator)

    def _frequencies(self, x: Tensor) -> Tensor:
        """Return how often each state comes in each column of x, one of each added, [D, K]."""
        counts = functional.one_hot(x.long(), self.absent.shape[1]).sum(dim=0).to(self.weight)
        counts = (counts + 1).masked_fill(self.absent, 0)
        return counts / counts.sum(dim=1, keepdim=True)


class RBM(BoltzmannMachine):
    """A restricted Boltzmann machine of any number of hidden bits: no ``log_prob``.

    Its normaliser sums over 2^H states; :meth:`estimate_log_normaliser` estimates it. A draw is a
    chain of block Gibbs that goes on from where training left it. Arguments as of
    :class:`BoltzmannMachine`; of few hidden bits take :class:`SmallRBM`.

    Example:
        >>> model = RBM([2, 2, 3], hidden=32)
        >>> model.sample(5).shape, dict(model.graph), hasattr(model, "log_prob")
        (torch.Size([5, 3]), {}, False)
    """

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        steps: int = _STEPS,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the states of n chains after more steps of block Gibbs, int64 [n, D].

        Raises:
            ValueError: If n or steps is below 1.
            CapabilityError: If anything is given.
        """
        check_whole("n", n)
        check_whole("steps", steps)
        refuse_unknown(given, "rbm")
        return self.gibbs(self.chains.draw(n, generator), steps=steps, generator=generator)


class SmallRBM(BoltzmannMachine):
    """A restricted Boltzmann machine of at most 16 hidden bits: its likelihood is exact.

    Z is the sum over all 2^H states of the hidden bits, under each of which the columns are
    independent; a draw is one of those, then the columns: independent draws, without a chain.
    Arguments as of :class:`BoltzmannMachine`.

    Raises:
        ValueError: Also if hidden is above 16.

    Example:
        >>> model = SmallRBM([2, 2, 3], hidden=4)
        >>> model.log_prob(torch.zeros(5, 3, dtype=torch.long)).shape, dict(model.graph)
        (torch.Size([5]), {})
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        hidden: int = 8,
        chains: int = 1000,
        steps: int = 1,
        persistent: bool = True,
    ) -> None:
        if hidden > MOST_HIDDEN:
            raise ValueError(f"hidden must be at most {MOST_HIDDEN}, got {hidden}")
        super().__init__(sizes, hidden=hidden, chains=chains, steps=steps, persistent=persistent)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x), nats, [B], for states x, whole numbers [B, D].

        Raises:
            CapabilityError: If anything is given.
        """
        refuse_unknown(given, "rbm")
        return -self.free_energy(x) - self.log_normaliser()

    def log_normaliser(self) -> Tensor:
        """Return log Z, nats, []: the sum over all states of the hidden bits."""
        return self._log_mass().logsumexp(dim=0)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return n independent draws, int64 [n, D].

        Raises:
            ValueError: If n is below 1.
            CapabilityError: If anything is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "rbm")
        number = draw(Categorical(logits=self._log_mass()), (n,), generator)
        return draw(self.visible_given(self._bits(number)), (), generator)

    def _log_mass(self) -> Tensor:
        """Return log p(h) + log Z of all hidden states, [2^H]."""
        numbers = torch.arange(2**self.hidden, device=self.weight.device)
        parts = []
        for h in map(self._bits, numbers.split(_AT_ONCE)):
            parts.append(h @ self.hidden_bias + self._logits(h).logsumexp(dim=2).sum(dim=1))
        return torch.cat(parts)

    def _bits(self, numbers: Tensor) -> Tensor:
        places = torch.arange(self.hidden, device=numbers.device)
        return (numbers[:, None] >> places & 1).to(self.weight)
