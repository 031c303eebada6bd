"""The training game: players take turns, each lowers its own loss over its own parameters."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Player
from ancestral.errors import ConfigError, DivergenceError
from ancestral.training.options import Options
from ancestral.training.order import global_randomness, seed_of
from ancestral.training.precision import fast_float32, forward_precision, uses_bf16
from ancestral.training.ranks import sums_over_ranks, world
from ancestral.training.schedule import average_decay, rate_factor
from ancestral.training.seat import Seat
from ancestral.training.spread import gathering, whole


class Game:
    """Players, their optimizers and their averages.

    One player with ``-log_prob`` is maximum likelihood, one with ``-elbo`` is a VAE, two are a
    GAN. The modules are moved to the device and put into training mode, and their parameters
    belong to the game until training ends.

    Args:
        players: In the order of their turns; no parameter may belong to two of them.
        options: Settings of the optimizers, the schedule and the precision.
        seed: All noise is a function of this seed, the step, the player and the micro-batch.
        device: Where to train.
        at: Told before each step what share of the training is done, in [0, 1]; for models that
            change as training goes.

    Raises:
        ValueError: If there is no player, or two share a name or a parameter.
        ConfigError: If a loss that couples examples meets micro-batches, the ranks cannot share
            the micro-batches, or the device lacks the precision.

    Example:
        >>> from ancestral.capabilities import Batch, Loss, Player
        >>> line = nn.Linear(2, 1)
        >>> def loss(batch, generator):
        ...     return Loss(line(batch.x).square().sum(), len(batch.x))
        >>> game = Game([Player(name="line", module=line, loss=loss)], Options(), seed=0)
        >>> sorted(game.step([Batch(torch.ones(4, 2))], number=1, progress=0.0))
        ['line/learning_rate', 'line/loss']
    """

    def __init__(
        self,
        players: Sequence[Player],
        options: Options,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        at: Callable[[float], None] | None = None,
    ) -> None:
        self.at = at
        self.options, self.seed, self.device = options, seed, torch.device(device)
        self.rank, self.world = world()
        _check(players, options, self.world)
        self.bf16 = uses_bf16(options, self.device)
        for player in players:
            player.module.to(self.device).train()
            if options.channels_last:
                _channels_last(player.module)
        self.seats = [Seat(player, options) for player in players]
        self.rounds = max(player.updates for player in players)
        self._generator = Generator(self.device)
        self._averaged = False

    @property
    def micro_batches(self) -> int:
        """Micro-batches that one step takes on this rank, for all its updates."""
        return self.rounds * self.per_update

    @property
    def per_update(self) -> int:
        """Micro-batches of one update on this rank: its share of ``accumulate``."""
        return self.options.accumulate // self.world

    def step(self, batches: Sequence[Batch], number: int, progress: float) -> dict[str, float]:
        """Play one iteration: every player makes its updates, in turn.

        Update u of every player sees the micro-batches ``batches[u * A:(u + 1) * A]`` with A =
        ``per_update``.

        Args:
            batches: This rank's micro-batches, ``micro_batches`` of them.
            number: The step, from 1.
            progress: Share of the budget spent before this step, in [0, 1].

        Returns:
            For each player ``name/loss``, ``name/learning_rate``, ``name/grad_norm`` where it is
            clipped, and the loss's own metrics, all of its last update.

        Raises:
            DivergenceError: If a loss or a gradient is not finite, before it moves a weight.
            ValueError: If a loss has no weight, or there are not ``micro_batches`` batches.
        """
        size, options = self.per_update, self.options
        if len(batches) != self.micro_batches:
            raise ValueError(f"a step takes {self.micro_batches} batches, got {len(batches)}")
        factor = rate_factor(number, progress, schedule=options.schedule, warmup=options.warmup)
        metrics: dict[str, float] = {}
        if self.at is not None:
            self.at(progress)
        products = fast_float32(options.large_products)
        with products, global_randomness(self.device) as shared, self._frozen():
            for seat in self.seats:
                for update in range(seat.player.updates):
                    mine = batches[update * size : (update + 1) * size]
                    metrics |= self._turn(seat, mine, (number, update), factor, shared)
        for seat in self.seats:
            seat.share_buffers()
            if options.ema_decay:
                seat.follow(average_decay(number, options.ema_decay))
        return metrics

    def _turn(
        self,
        seat: Seat,
        batches: Sequence[Batch],
        when: tuple[int, int],
        factor: float,
        shared: Generator,
    ) -> dict[str, float]:
        if len(self.seats) > 1:
            seat.freeze(False)
        others = [other.turn for other in self.seats if other is not seat]
        try:
            with whole(others):
                sums = self._accumulate(seat, batches, when, shared)
            weight, name = sums.pop("weight"), seat.player.name
            if not 0.0 < weight < math.inf:
                raise ValueError(f"the loss of {name} must have a weight above 0, got {weight}")
            means = {key: value / weight for key, value in sums.items()}
            if not math.isfinite(means["loss"]):
                raise DivergenceError(f"loss of {name} is {means['loss']}; lower the learning rate")
            means |= seat.update(weight, seat.peak * factor)
        finally:
            seat.clear()
            if len(self.seats) > 1:
                seat.freeze(True)
        return {f"{name}/{key}": value for key, value in means.items()}

    def _accumulate(
        self, seat: Seat, batches: Sequence[Batch], when: tuple[int, int], shared: Generator
    ) -> dict[str, float]:
        """Add up losses, weights and, in the parameters, gradients of all micro-batches."""
        name, sums = seat.player.name, {}
        for i, batch in enumerate(batches):
            here = (name, *when, self.rank * len(batches) + i)
            # Two seeds, for dropout must not repeat the loss's own noise.
            shared.manual_seed(seed_of(self.seed, "dropout", *here))
            self._generator.manual_seed(seed_of(self.seed, "noise", *here))
            with (
                gathering(seat.turn, last=i == len(batches) - 1),
                forward_precision(self.bf16, self.device),
            ):
                loss = seat.turn(batch, self._generator)
            terms = {"weight": float(loss.weight), "loss": loss.total.item()}
            terms |= {key: value.item() * loss.weight for key, value in loss.metrics.items()}
            for key, value in terms.items():
                sums[key] = sums.get(key, 0.0) + value
            loss.total.backward()
        values = sums_over_ranks(list(sums.values()), self.device)
        return dict(zip(sums, values, strict=True))

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        # One player alone has nobody to freeze.
        others = self.seats if len(self.seats) > 1 else []
        for seat in others:
            seat.freeze(True)
        try:
            yield
        finally:
            for seat in others:
                seat.freeze(False)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the modules; without ``ema_decay`` nothing happens.

        Buffers (batch norm's statistics) stay the raw ones.
        """
        if self._averaged:  # Already inside: a second exchange would bring the raw ones back.
            yield
            return
        self._averaged = True
        for seat in self.seats:
            seat.swap()
        try:
            yield
        finally:
            for seat in self.seats:
                seat.swap()
            self._averaged = False

    @contextmanager
    def evaluating(self, number: int) -> Iterator[None]:
        """Averaged weights, evaluation mode and noise of the step's own; all restored after."""
        parts = [part for seat in self.seats for part in seat.player.module.modules()]
        modes = [(part, part.training) for part in parts]
        with ExitStack() as stack:
            stack.enter_context(self.averaged())
            stack.enter_context(whole([seat.turn for seat in self.seats]))
            shared = stack.enter_context(global_randomness(self.device))
            shared.manual_seed(seed_of(self.seed, "validation", number))
            for seat in self.seats:
                seat.player.module.eval()
            try:
                yield
            finally:
                for part, mode in modes:
                    part.training = mode

    def state(self) -> dict[str, Tensor]:
        """Return all that the next step depends on: weights, buffers, moments, averages.

        The tensors are the live ones: write or clone them before the next step.

        Raises:
            RuntimeError: Inside :meth:`averaged`, where the raw weights are put away.
        """
        if self._averaged:
            raise RuntimeError("the state must be taken outside of averaged()")
        return {key: value for seat in self.seats for key, value in seat.state().items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state` returned, in a game of the same players and options.

        Raises:
            ValueError: If names or shapes differ; nothing has changed then.
        """
        own = self.state()
        if own.keys() != tensors.keys():
            odd = sorted(own.keys() ^ tensors.keys())[0]
            raise ValueError(f"the state is of another game: {odd} is in one and not in the other")
        for key, tensor in own.items():
            if tensor.shape != tensors[key].shape:
                shapes = f"{list(tensors[key].shape)} instead of {list(tensor.shape)}"
                raise ValueError(f"the state is of another game: {key} has the shape {shapes}")
        with torch.no_grad():
            for key, tensor in own.items():
                tensor.copy_(tensors[key])


def _channels_last(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _check(players: Sequence[Player], options: Options, ranks: int) -> None:
    if not players:
        raise ValueError("a game needs at least one player, got none")
    owners: dict[nn.Parameter, str] = {}
    names = [player.name for player in players]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"players must have different names, got {twice} twice")
    for player in players:
        for parameter in player.module.parameters():
            if (other := owners.setdefault(parameter, player.name)) != player.name:
                raise ValueError(f"players {other} and {player.name} share a parameter")
        _check_batch(player, options, ranks)
        if player.blocks and len(players) > 1:
            raise ValueError(f"{player.name} must be the only player, for it tells its blocks")


def _check_batch(player: Player, options: Options, ranks: int) -> None:
    """Refuse a batch that is in other parts than the loss or the ranks can take."""
    if player.couples_examples and options.accumulate * ranks > 1:
        raise ConfigError(
            f"the loss of {player.name} couples the examples of a batch, so accumulate x "
            f"ranks must be 1, got {options.accumulate} x {ranks}"
        )
    if options.accumulate % ranks:
        raise ConfigError(
            f"accumulate must be a multiple of the {ranks} processes that share the batch, got "
            f"{options.accumulate}"
        )
