"""A training step of flows, batch 1000: ours against zuko's and normflows' at equal sizes.

Three transforms, two hidden layers of 64, 8 bins. The peers are optional: install ``zuko`` and
``normflows`` where Python finds them; one that is missing is left out.
"""

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType

import torch
from torch import Tensor, nn

from ancestral.flows import (
    Affine,
    Autoregressive,
    Composed,
    Flow,
    RationalQuadratic,
    autoregressive_orders,
    coupling_orders,
)
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks.harness import Result, compare

BATCH, TRANSFORMS, HIDDEN, BINS = 1000, 3, 64, 8
KINDS = ("maf", "nsf", "nsf coupling")


def data(features: int) -> Tensor:
    return torch.randn(20_000, features, generator=torch.Generator().manual_seed(0))


def our_step(kind: str, features: int) -> Callable[[], object]:
    """Drive the library's own loop, one report a call."""
    orders = coupling_orders if kind == "nsf coupling" else autoregressive_orders
    elementwise = Affine() if kind == "maf" else RationalQuadratic(bins=BINS)
    parts = [
        Autoregressive(groups, elementwise, hidden=(HIDDEN, HIDDEN))
        for groups in orders(features, TRANSFORMS)
    ]
    options = Options(batch_size=BATCH, precision="float32", large_products=True)
    game = Game(Flow(Composed(parts), (features,)).players(), options, seed=0)
    reports = train(game, Rows(data(features)), budget=Budget(steps=10**6))
    return lambda: next(reports)


def zuko_step(zuko: ModuleType, kind: str, features: int) -> Callable[[], object]:
    sizes = {"transforms": TRANSFORMS, "hidden_features": (HIDDEN, HIDDEN)}
    if kind == "maf":
        flow = zuko.flows.MAF(features, **sizes)
    else:
        passes = 2 if kind == "nsf coupling" else None
        flow = zuko.flows.NSF(features, bins=BINS, passes=passes, **sizes)
    return plain_step(flow, lambda x: -flow().log_prob(x).mean(), features)


def normflows_step(normflows: ModuleType, kind: str, features: int) -> Callable[[], object]:
    """One residual block holds the two hidden layers."""
    layers = {
        "maf": lambda: normflows.flows.MaskedAffineAutoregressive(features, HIDDEN, num_blocks=1),
        "nsf": lambda: normflows.flows.AutoregressiveRationalQuadraticSpline(
            features, 1, HIDDEN, num_bins=BINS
        ),
        "nsf coupling": lambda: normflows.flows.CoupledRationalQuadraticSpline(
            features, 1, HIDDEN, num_bins=BINS
        ),
    }
    base = normflows.distributions.DiagGaussian(features, trainable=False)
    flow = normflows.NormalizingFlow(base, [layers[kind]() for _ in range(TRANSFORMS)])
    return plain_step(flow, flow.forward_kld, features)


def plain_step(
    model: nn.Module, loss: Callable[[Tensor], Tensor], features: int
) -> Callable[[], object]:
    """Return a plain loop's step with one fused AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    x, generator = data(features), torch.Generator().manual_seed(0)

    def step() -> None:
        value = loss(x[torch.randint(len(x), (BATCH,), generator=generator)])
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()

    return step


PEERS = {"zuko": zuko_step, "normflows": normflows_step}


def run() -> Iterator[Result]:
    """Yield the comparisons with the peers that are installed."""
    for name, peer in PEERS.items():
        try:
            library = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        for kind in KINDS:
            for features in (2, 32):
                torch.manual_seed(0)
                yield compare(
                    f"{kind} training step, {features} features, batch {BATCH}",
                    ours=our_step(kind, features),
                    peer=(name, peer(library, kind, features)),
                    bar=1.3,
                    calls=10,
                    rounds=5,
                    note="equal transforms, widths and bins, one thread",
                )
