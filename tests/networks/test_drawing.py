import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ancestral.networks.drawing import draw_dag, text_width

SVG = "{http://www.w3.org/2000/svg}"
STUDENT = {
    "Grade": ["Difficulty", "Intelligence"],
    "SAT": ["Intelligence"],
    "Letter": ["Grade"],
}
ASIA = {
    "tub": ["asia"],
    "lung": ["smoke"],
    "bronc": ["smoke"],
    "either": ["lung", "tub"],
    "xray": ["either"],
    "dysp": ["bronc", "either"],
}
DIAMOND = {"x2": ["x1"], "x3": ["x1"], "x4": ["x2", "x3"]}
CHAIN = {f"x_{i + 1}": [f"x_{i}"] for i in range(12)}
FULL = {f"x_{i}": [f"x_{j}" for j in range(i)] for i in range(7)}
# 37 nodes and 46 edges, as the alarm network has.
LARGE = {f"n{i}": sorted({f"n{i // 2}", f"n{i // 3}"}) for i in range(4, 37)}
GRAPHS = [STUDENT, ASIA, DIAMOND, CHAIN, FULL, LARGE, {"x": ["z"]}, {"x": ["label", "z"]}]

Box = tuple[float, float, float, float]


def boxes_of(root: ElementTree.Element) -> list[Box]:
    """The outlines of the nodes: left, top, right, bottom."""
    found = []
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        x, y, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        found.append((x, y, x + w, y + h))
    return found


def points_of(path: str) -> list[tuple[float, float]]:
    """Points along a path of M, C and L commands, close together."""
    points: list[tuple[float, float]] = []
    for command, text in re.findall(r"([MCL])([^MCL]+)", path):
        numbers = [float(value) for value in re.findall(r"-?[\d.]+", text)]
        targets = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command == "M":
            points += targets
            continue
        a, d = points[-1], targets[-1]
        b, c = targets[:2] if command == "C" else (a, d)
        for step in range(1, 41):
            t = step / 40
            u = 1 - t
            weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            x, y = (
                sum(w * p[k] for w, p in zip(weights, (a, b, c, d), strict=True)) for k in (0, 1)
            )
            points.append((x, y))
    return points


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("parents", GRAPHS)
def test_edges_touch_no_node_but_their_own(parents: dict[str, list[str]], direction: str) -> None:
    root = ElementTree.fromstring(draw_dag(parents, direction=direction))  # type: ignore[arg-type]
    boxes = boxes_of(root)
    edges = [p.attrib["d"] for p in root.iter(f"{SVG}path") if p.get("class") == "edge"]
    assert len(edges) == sum(map(len, parents.values()))
    for edge in edges:
        points = points_of(edge)
        touched = [
            box
            for box in boxes
            if any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in points[2:-2])
        ]
        ends = [
            box
            for box in boxes
            for x, y in (points[0], points[-1])
            if box[0] - 3 <= x <= box[2] + 3 and box[1] - 3 <= y <= box[3] + 3
        ]
        assert len(ends) == 2
        assert set(touched) <= set(ends)


@pytest.mark.parametrize("parents", GRAPHS)
def test_nodes_lie_apart_and_inside_the_picture(parents: dict[str, list[str]]) -> None:
    root = ElementTree.fromstring(draw_dag(parents))
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    boxes = sorted(boxes_of(root))
    for box in boxes:
        assert left < box[0] < box[2] < left + width
        assert top < box[1] < box[3] < top + height
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert b[0] >= a[2] or b[1] >= a[3] or a[1] >= b[3]


def test_the_direction_is_down_or_right_and_chains_run_right() -> None:
    for direction, axis in (("down", 1), ("right", 0)):
        boxes = boxes_of(ElementTree.fromstring(draw_dag(CHAIN, direction=direction)))  # type: ignore[arg-type]
        assert all(a[axis + 2] < b[axis] for a, b in pairwise(boxes))
    assert draw_dag(CHAIN) == draw_dag(CHAIN, direction="right")
    assert draw_dag(ASIA) == draw_dag(ASIA, direction="down")


def test_styles_of_nodes() -> None:
    plain = draw_dag({"x": ["z"]})
    assert "fill-opacity" not in plain
    assert "dasharray" not in plain
    assert draw_dag({"x": ["z"]}, observed=["x"]).count("fill-opacity") == 1
    assert draw_dag({"x": ["z"]}, given=["z"]).count("dasharray") == 1
    assert draw_dag({"x": ["z"]}, deterministic=["x"]).count("<rect") == plain.count("<rect") + 1


def test_bars_are_as_long_as_the_probabilities() -> None:
    picture = draw_dag(ASIA, values={"lung": {"yes": 0.25, "no": 0.75}})
    bars = re.findall(r'width="([\d.]+)" height="10" rx="2" fill="var', picture)
    assert [float(bar) for bar in bars] == [16.0, 48.0]
    assert "25.0%" in picture
    assert "75.0%" in picture


def test_percentages_do_not_round_to_certainty() -> None:
    picture = draw_dag({"x": []}, values={"x": {"a": 1e-9, "b": 1 - 1e-9, "c": 0.0}})
    assert "&lt;0.1%" in picture
    assert "&gt;99.9%" in picture
    assert ">0.0%" in picture
    assert "100.0%" not in picture


def test_many_states_are_gathered() -> None:
    states = {f"s{i}": p for i, p in enumerate([0.01] * 10 + [0.9])}
    picture = draw_dag({"x": []}, values={"x": states})
    assert "4 others" in picture
    assert "4.0%" in picture
    assert picture.index("s10") < picture.index("s0")


def test_names_are_escaped_and_the_picture_is_described() -> None:
    root = ElementTree.fromstring(draw_dag({"<b>&": ["z"]}, title="a < b"))
    assert root.findtext(f"{SVG}title") == "a < b"
    assert root.findtext(f"{SVG}desc") == "z; <b>& depends on z"
    assert root.attrib["role"] == "img"


def test_single_letters_are_set_as_symbols() -> None:
    assert '<tspan dy="4" font-size="10">12</tspan>' in draw_dag({"x_12": []})
    assert 'class="symbol"' not in draw_dag({"label": []})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observed": ["y"]}, "no node 'y'; the nodes are z, x"),
        ({"values": {"x": {"a": 1.5}}}, r"x=a must be in \[0, 1\], got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_dag({"x": ["z"]}, **arguments)


def test_cycles_are_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        draw_dag({"a": ["b"], "b": ["a"]})


def test_wide_letters_take_more_room() -> None:
    assert text_width("WWWW") > text_width("aaaa") > text_width("iiii")
    assert text_width("日本") > text_width("ab")
