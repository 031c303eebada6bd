import re

from ancestral.evaluation.dot_plot import Dot, dot_plot


def places(picture: str) -> list[float]:
    return [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', picture)]


def test_dots_stand_in_order_of_their_values_inside_the_picture() -> None:
    dots = [Dot("a", 3.0, 0.1, "3", "red"), Dot("b", -2.0, None, "-2", "blue")]
    first, second = places(dot_plot(dots, floor=None, label="x"))
    assert 0 < second < first < 350


def test_the_floor_is_a_line_at_its_value() -> None:
    picture = dot_plot([Dot("a", 1.0, None, "1", "red")], floor=1.0, label="x")
    line = float(re.findall(r'd="M([\d.]+),0V', picture)[0])
    assert line == places(picture)[0]


def test_a_bound_has_an_arrow() -> None:
    plain = dot_plot([Dot("a", 1.0, 0.1, "1", "red")], floor=None, label="x")
    bound = dot_plot([Dot("a", 1.0, 0.1, "1", "red", arrow=1)], floor=None, label="x")
    assert bound.count("<path") == plain.count("<path") + 1


def test_names_are_escaped_and_cut() -> None:
    picture = dot_plot([Dot("<b>" * 20, 1.0, 0.1, "<i>", "red")], floor=None, label="<u>")
    assert "<b>" not in picture
    assert "<i>" not in picture
    assert "&lt;b&gt;" in picture
    assert "…" in picture
