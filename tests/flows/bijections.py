"""Every bijection, with parameters away from those at which it begins, for all laws."""

from collections.abc import Callable

import torch

from ancestral.flows import (
    Affine,
    Autoregressive,
    Bijection,
    ChannelCoupling,
    ChannelMixing,
    Composed,
    ElementwiseAffine,
    Inverted,
    Planar,
    RationalQuadratic,
    Residual,
    autoregressive_orders,
    coupling_orders,
    glow,
)

HIDDEN = (16, 16)


def _layers(orders: list[list[int]], elementwise: Affine | RationalQuadratic) -> Composed:
    return Composed([Autoregressive(groups, elementwise, hidden=HIDDEN) for groups in orders])


PLANE: dict[str, Callable[[], Bijection]] = {
    "elementwise": lambda: ElementwiseAffine(2),
    "maf": lambda: _layers(autoregressive_orders(2, 3), Affine()),
    "realnvp": lambda: _layers(coupling_orders(2, 4), Affine()),
    "nsf": lambda: _layers(autoregressive_orders(2, 2), RationalQuadratic(bins=4)),
    "nsf-coupling": lambda: _layers(coupling_orders(2, 2), RationalQuadratic(bins=4)),
    "iaf": lambda: Inverted(_layers(autoregressive_orders(2, 2), Affine())),
    "planar": lambda: Composed([Inverted(Planar(2)) for _ in range(4)]),
    "residual": lambda: Composed([Residual(2, hidden=(8, 8)) for _ in range(2)]),
}
"""Of two features."""

MORE: dict[str, tuple[tuple[int, ...], Callable[[], Bijection]]] = {
    "maf-5": ((5,), lambda: _layers(autoregressive_orders(5, 2), Affine())),
    "nsf-coupling-5": ((5,), lambda: _layers(coupling_orders(5, 4), RationalQuadratic(bins=4))),
    "nsf-1": ((1,), lambda: _layers(autoregressive_orders(1, 2), RationalQuadratic(bins=4))),
    "planar-4": ((4,), lambda: Planar(4)),
    "residual-3": ((3,), lambda: Residual(3, hidden=(8,))),
    "elementwise-image": ((3, 2, 2), lambda: ElementwiseAffine(3)),
    "mixing": ((3, 2, 2), lambda: ChannelMixing(3)),
    "channel-coupling": ((3, 2, 2), lambda: ChannelCoupling(3, RationalQuadratic(bins=3), width=4)),
    "glow": ((1, 4, 4), lambda: glow(1, scales=2, steps=2, width=4)),
}
"""Of other shapes."""

EVERY = {name: ((2,), build) for name, build in PLANE.items()} | MORE


def made(name: str, *, moved: float = 0.3) -> tuple[tuple[int, ...], Bijection]:
    """Return the event shape and the bijection, float64, its parameters moved at random."""
    torch.manual_seed(0)
    shape, build = EVERY[name]
    bijection = build().double()
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(moved * torch.randn_like(parameter))
    return shape, bijection
