"""Pictures of Bayesian networks: a DAG, and what is known about its nodes, as one SVG.

The picture takes its colours from where it stands: ``currentColor`` for ink and the CSS variables
``--dag-accent`` (posterior bars, default a blue) and ``--dag-fill`` (inside of the nodes). Opened
on its own it follows the light or dark scheme of the viewer.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from ancestral.networks.dag import DAG
from ancestral.networks.layered import Layout, assign_layers, lay_out

FONT, LINE, MARGIN, SHOWN_STATES = 14.0, 19.0, 6.0, 8
BAR = 64.0
NARROW, WIDE = frozenset("fijlrt.,:;|!'()[]-/ I"), frozenset("mwMW@%&QGOCDHNU—")
SYMBOL = re.compile(r"([A-Za-z\u0370-\u03ff])(?:_?(\d{1,3}|(?<=_)\w{1,3}))?")
STYLE = (
    ".dag:root{color:#1c2330}@media(prefers-color-scheme:dark){.dag:root{color:#e7eaf0}}"
    ".dag{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".dag i,.dag .symbol{font-family:Georgia,'DejaVu Serif',serif;font-style:italic}"
)


@dataclass(frozen=True, slots=True)
class Look:
    """How one node is drawn: its size in pixels, and its posterior if it is shown."""

    width: float
    height: float
    states: tuple[tuple[str, float], ...] = ()

    @property
    def radius(self) -> float:
        """Radius of the corners; a node without bars is a pill, or a circle."""
        return 10.0 if self.states else self.height / 2


def draw_dag(
    parents: Mapping[str, Sequence[str]],
    *,
    observed: Collection[str] = (),
    deterministic: Collection[str] = (),
    given: Collection[str] = (),
    values: Mapping[str, Mapping[str, float]] | None = None,
    title: str | None = None,
    direction: Literal["auto", "down", "right"] = "auto",
) -> str:
    """Draw a directed acyclic graph as a standalone SVG that can also stand inside a page.

    Edges run between the layers of the graph and never through a node; ``auto`` lets chains and
    other flat graphs run to the right. Nodes that are ``observed`` are shaded, ``deterministic``
    ones have a double outline, and those ``given``, inputs, a dashed one. ``values`` are drawn in
    nodes as bars, state -> probability; ``title`` is for screen readers and tool tips. Raises
    ValueError if the graph has a cycle, a name is not a node, or a probability is outside [0, 1].
    """
    dag = DAG(parents)
    values = values or {}
    for name in (*observed, *deterministic, *given, *values):
        if name not in dag:
            raise ValueError(f"no node {name!r}; the nodes are {', '.join(dag.names)}")
    looks = {name: _look(name, values.get(name, {})) for name in dag.names}
    right = direction == "right" or (direction == "auto" and _is_flat(dag, bool(values)))
    layout = lay_out(dag, {n: _turn((k.width, k.height), right) for n, k in looks.items()})
    shapes: list[str] = []
    for edge in dag.edges:
        shapes += _edge(layout, looks, edge, right=right)
    for name in dag.names:
        centre = _turn((layout.across[name], layout.along[name]), right)
        styles = (name in observed, name in deterministic, name in given)
        shapes += _node(name, looks[name], centre, styles)
    width, height = (side + 2 * MARGIN for side in _turn(layout.size, right))
    told = title or f"Bayesian network with {len(dag)} nodes"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dag" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="{-MARGIN:g} {-MARGIN:g} {width:.1f} {height:.1f}" '
        f'font-size="{FONT:g}" fill="none" stroke-linecap="round">'
        f"<title>{escape(told)}</title><desc>{escape(_in_words(dag))}</desc>"
        f"<style>{STYLE}</style>{''.join(shapes)}</svg>"
    )


def _is_flat(dag: DAG, has_values: bool) -> bool:
    """Whether the graph reads better from left to right: chains, and long narrow graphs."""
    layers = list(assign_layers(dag).values())
    depth = len(set(layers))
    widest = max((layers.count(i) for i in set(layers)), default=0)
    return not has_values and (widest == 1 or (widest == 2 and depth >= 6))


def _turn(pair: tuple[float, float], right: bool) -> tuple[float, float]:
    """Change (across, along) into (x, y) or back."""
    return (pair[1], pair[0]) if right else pair


def _in_words(dag: DAG) -> str:
    return "; ".join(
        f"{name} depends on {', '.join(dag.parents(name))}" if dag.parents(name) else name
        for name in dag.names
    )


def text_width(text: str, size: float = FONT) -> float:
    """Estimate the width of a text in a system font, in pixels, rather too wide than too narrow."""
    units = sum(0.36 if c in NARROW else 0.86 if c in WIDE else 0.62 for c in text)
    wide = sum(ord(c) > 0x2E80 for c in text)  # CJK and pictographs fill a whole square.
    return size * (units + 0.4 * wide)


def _look(name: str, posterior: Mapping[str, float]) -> Look:
    for state, probability in posterior.items():
        if not 0 <= probability <= 1 + 1e-6:
            raise ValueError(f"probability of {name}={state} must be in [0, 1], got {probability}")
    if not posterior:
        return Look(max(38.0, text_width(name) + 26), 38.0)
    states = list(posterior.items())
    if len(states) > SHOWN_STATES:
        states.sort(key=lambda pair: -pair[1])
        rest = states[SHOWN_STATES - 1 :]
        states = states[: SHOWN_STATES - 1]
        states.append((f"{len(rest)} others", math.fsum(p for _, p in rest)))
    label = max(text_width(state, 12) for state, _ in states)
    width = max(text_width(name) + 24, label + BAR + 78)
    return Look(width, 30 + LINE * len(states) + 7, tuple(states))


def _node(
    name: str, look: Look, centre: tuple[float, float], styles: tuple[bool, bool, bool]
) -> Iterator[str]:
    """Yield the shapes of one node; ``styles`` are observed, deterministic, given."""
    observed, deterministic, given = styles
    x, y = centre[0] - look.width / 2, centre[1] - look.height / 2
    dashes = ' stroke-dasharray="4 4"' if given else ""
    yield f"<g><title>{escape(name)}</title>"
    yield _box(x, y, look, 0, 'fill="var(--dag-fill,none)" stroke="none"')
    shade = ' fill="currentColor" fill-opacity=".15"' if observed else ""
    yield _box(x, y, look, 0, f'stroke="currentColor" stroke-width="1.5"{shade}{dashes}')
    if deterministic:
        yield _box(x, y, look, 3.5, 'stroke="currentColor" stroke-width="1"')
    middle = y + 18 if look.states else centre[1]
    weight = ' font-weight="600"' if look.states else ""
    yield (
        f'<text x="{centre[0]:.1f}" y="{middle + 5:.1f}" text-anchor="middle" '
        f'fill="currentColor"{weight}>{_label(name)}</text>'
    )
    if look.states:
        yield from _bars(x, y + 30, look)
    yield "</g>"


def _box(x: float, y: float, look: Look, inset: float, style: str) -> str:
    return (
        f'<rect x="{x + inset:.1f}" y="{y + inset:.1f}" width="{look.width - 2 * inset:.1f}" '
        f'height="{look.height - 2 * inset:.1f}" rx="{look.radius - inset:.1f}" {style}/>'
    )


def _label(name: str) -> str:
    """Set single letters as mathematics, with their index below the line."""
    symbol = SYMBOL.fullmatch(name)
    if symbol is None:
        return escape(name)
    index = f'<tspan dy="4" font-size="10">{escape(symbol[2])}</tspan>' if symbol[2] else ""
    return f'<tspan class="symbol" font-size="17">{escape(symbol[1])}</tspan>{index}'


def _bars(x: float, y: float, look: Look) -> Iterator[str]:
    """Yield one line per state: its name, a bar as long as its probability, the per cent."""
    right = x + look.width - 10
    start = right - 50 - BAR
    for i, (state, probability) in enumerate(look.states):
        base = y + LINE * i
        yield (
            f'<text x="{x + 10:.1f}" y="{base + 12:.1f}" font-size="12" fill="currentColor">'
            f"{escape(state)}</text>"
            f'<rect x="{start:.1f}" y="{base + 3:.1f}" width="{BAR:g}" height="10" rx="2" '
            'fill="currentColor" fill-opacity=".12"/>'
            f'<rect x="{start:.1f}" y="{base + 3:.1f}" width="{BAR * min(probability, 1):.1f}" '
            'height="10" rx="2" fill="var(--dag-accent,#3b76d6)"/>'
            f'<text x="{right:.1f}" y="{base + 12:.1f}" font-size="11" text-anchor="end" '
            f'fill="currentColor">{_per_cent(probability)}</text>'
        )


def _per_cent(probability: float) -> str:
    """Three digits, never 0% or 100% for what is only nearly so."""
    if 0 < probability < 0.0005:
        return "&lt;0.1%"
    if 0.9995 <= probability < 1:
        return "&gt;99.9%"
    return f"{100 * probability:.1f}%"


def _edge(
    layout: Layout, looks: Mapping[str, Look], edge: tuple[str, str], *, right: bool
) -> Iterator[str]:
    """Yield the curve of one edge and its arrowhead."""
    parent, child = edge
    middle = layout.bends[edge]
    stops = [layout.across[parent], *middle, layout.across[child]]
    start = _port(layout, looks[parent], parent, stops[1], right=right)
    end = _port(layout, looks[child], child, stops[-2], right=right, before=True)
    here = start
    commands = [f"M{_at(start, right)}"]
    for i, across in enumerate(middle, layout.layer[parent] + 1):
        top, bottom = layout.bands[i]
        curve, _ = _curve(here, (across, top), right, leans=(here is start, False))
        here = (across, bottom)
        commands += curve, f"L{_at(here, right)}"
    curve, (lean, depth) = _curve(here, end, right, leans=(here is start, True))
    commands.append(curve)
    length = math.hypot(lean, depth)
    unit = (lean / length, depth / length)
    back = (end[0] - 8 * unit[0], end[1] - 8 * unit[1])
    side = (-3.8 * unit[1], 3.8 * unit[0])
    tips = (
        end,
        (back[0] + side[0], back[1] + side[1]),
        (back[0] - side[0], back[1] - side[1]),
    )
    yield (
        f'<path class="edge" d="{"".join(commands)}" stroke="currentColor" stroke-width="1.4" '
        'stroke-opacity=".75"/>'
    )
    yield f'<path d="M{"L".join(_at(tip, right) for tip in tips)}Z" fill="currentColor"/>'


def _port(
    layout: Layout, look: Look, name: str, towards: float, *, right: bool, before: bool = False
) -> tuple[float, float]:
    """Return the point of a node's outline where an edge that goes ``towards`` is attached."""
    across, along = _turn((look.width, look.height), right)
    room = 0.34 * across
    offset = max(-room, min(room, 0.3 * (towards - layout.across[name])))
    over = max(0.0, abs(offset) - (across / 2 - look.radius))
    half = along / 2 - look.radius + math.sqrt(max(0.0, look.radius**2 - over**2))
    gap = -half - 1.5 if before else half
    return layout.across[name] + offset, layout.along[name] + gap


def _curve(
    start: tuple[float, float],
    end: tuple[float, float],
    right: bool,
    leans: tuple[bool, bool] = (True, True),
) -> tuple[str, tuple[float, float]]:
    """Return a cubic from start to end, monotone along, and its direction at the end.

    ``leans`` says at which ends it may leave the straight direction: not at a bend.
    """
    deep = end[1] - start[1]
    lean = max(-0.4 * deep, min(0.4 * deep, 0.3 * (end[0] - start[0])))
    one = (start[0] + lean * leans[0], start[1] + 0.45 * deep)
    two = (end[0] - lean * leans[1], end[1] - 0.45 * deep)
    text = f"C{_at(one, right)} {_at(two, right)} {_at(end, right)}"
    return text, (end[0] - two[0], end[1] - two[1])


def _at(point: tuple[float, float], right: bool) -> str:
    x, y = _turn(point, right)
    return f"{x:.1f},{y:.1f}"
