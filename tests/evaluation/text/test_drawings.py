import re
from xml.etree import ElementTree

import pytest
import torch

from ancestral.evaluation.text.drawings import (
    TEMPERATURES,
    attention_picture,
    next_token_picture,
)


def bars(picture: str) -> list[float]:
    return [float(width) for width in re.findall(r'width="([\d.]+)" height="11"', picture)]


def test_attention_maps_are_drawn_cell_by_cell() -> None:
    maps = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0)).tril() + 0.1
    maps = maps.tril() / maps.tril().sum(2, keepdim=True)
    picture = attention_picture(maps, list("uno<>"), color="red", label="two & two")
    ElementTree.fromstring(picture)
    cells = re.findall(
        r'x="([\d.]+)" y="([\d.]+)" width="38.00" height="38.00" fill="red" '
        r'fill-opacity="([\d.]+)"',
        picture,
    )
    assert len(cells) == 3 * 15  # Lower triangular: nothing else is drawn.
    wanted = [f"{weight:.3f}" for head in maps for i in range(5) for weight in head[i, : i + 1]]
    assert [opacity for _, _, opacity in cells] == wanted
    # Two heads in the upper row, one in the lower: each has its own place.
    corners = [cells[15 * head][:2] for head in range(3)]
    assert corners[0][1] == corners[1][1] != corners[2][1]
    assert corners[0][0] == corners[2][0] != corners[1][0]
    assert picture.count(">head ") == 3
    assert "&lt;" in picture
    assert "two &amp; two" in picture
    with pytest.raises(ValueError, match="tokens must be as many as columns, 5, got 2"):
        attention_picture(maps, ["a", "b"], color="red", label="")


def test_bars_are_shares_at_each_temperature() -> None:
    logits = torch.tensor([3.0, 1.0, 0.0, -2.0])
    picture = next_token_picture(logits, ["a", " b", "\n", "<d>"], color="red", label="next")
    ElementTree.fromstring(picture)
    found = torch.tensor(bars(picture)).reshape(len(TEMPERATURES), 4)
    for widths, temperature in zip(found, TEMPERATURES, strict=True):
        shares = torch.softmax(logits / temperature, dim=0)
        # A bar of 110 for a share of 1, half a pixel at least, written to a tenth.
        torch.testing.assert_close(widths, (110 * shares).clamp(min=0.5), atol=0.051, rtol=0)
    assert [f"T = {t:g}" in picture for t in TEMPERATURES] == [True] * 6
    assert all(name in picture for name in (">·b<", ">⏎<", ">&lt;d&gt;<"))
    with pytest.raises(ValueError, match="names must be as many as logits, 4, got 1"):
        next_token_picture(logits, ["a"], color="red", label="")


def test_ten_labels_are_distinct() -> None:
    # E-C07: as printed, all ten labels of the book's figure are one.
    names = [f"a{index}" for index in range(10)]
    picture = next_token_picture(torch.zeros(10), names, color="red", label="", temperatures=[1.0])
    assert set(re.findall(r">(a\d)<", picture)) == set(names)
    assert bars(picture) == [11.0] * 10
