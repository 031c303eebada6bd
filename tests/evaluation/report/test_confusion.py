import re

import torch

from ancestral.evaluation.report.confusion import heat_map, mistakes

COUNTS = torch.tensor([[90, 10, 0], [30, 60, 10], [0, 0, 0]])
NAMES = ("cat", "<dog>", "owl")


def test_every_count_and_name_is_drawn_and_escaped() -> None:
    picture = heat_map(COUNTS, NAMES, color="red", label="a & b")
    assert re.findall(r">(\d+)</text>", picture) == ["90", "10", "30", "60", "10"]
    assert picture.count("&lt;dog&gt;") == 2
    assert "<dog>" not in picture
    assert "<title>a &amp; b</title>" in picture


def test_cells_are_shaded_by_the_root_of_their_share_of_the_row() -> None:
    picture = heat_map(COUNTS, NAMES, color="red", label="")
    shades = [float(s) for s in re.findall(r'fill="red" fill-opacity="([\d.]+)"', picture)]
    assert shades == [round(0.75 * s**0.5, 3) for s in (0.9, 0.1, 0.3, 0.6, 0.1)]


def test_many_labels_are_drawn_without_counts_and_too_many_not_at_all() -> None:
    twenty = heat_map(torch.eye(20).long(), [str(i) for i in range(20)], color="red", label="")
    assert twenty.count('fill="red"') == 20
    assert heat_map(torch.eye(31).long(), ["a"] * 31, color="red", label="") == ""


def test_the_commonest_mistakes_come_first() -> None:
    assert mistakes(COUNTS, NAMES) == [
        "<dog> taken for cat: 30 of 100",
        "cat taken for <dog>: 10 of 100",
        "<dog> taken for owl: 10 of 100",
    ]
    assert mistakes(torch.eye(3).long(), NAMES) == []
