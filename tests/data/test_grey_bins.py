import math

import pytest
import torch
from torch import Generator

from ancestral.data import load
from ancestral.data.dataset import Examples
from ancestral.data.fields import Image, Shape, X
from ancestral.data.grey_bins import GreyBins, fit_grey_bins
from ancestral.data.model_units import build, states


def images(n: int, levels: int, seed: int = 0) -> torch.Tensor:
    generator = Generator().manual_seed(seed)
    x = torch.randint(levels, (n, 1, 2, 2), generator=generator)
    return (x * x // levels).to(torch.uint8)  # Dark ones are more frequent.


FIELD = Image(channels=1, height=2, width=2, levels=17)


def test_the_law_inside_the_bins_is_counted_and_sums_to_one() -> None:
    x = images(300, 17)
    transform = fit_grey_bins(Examples(x), FIELD, most=4)
    bins = torch.arange(17) * 4 // 17
    for place in range(4):
        assert float(transform.mass[bins == place].sum()) == pytest.approx(1, abs=1e-12)
    counts = x.flatten().long().bincount(minlength=17) + 1
    wanted = counts[0] / counts[bins == 0].sum()
    assert float(transform.mass[0]) == pytest.approx(float(wanted))
    y, log_det = transform.forward_and_log_det(x[:1])
    assert y.tolist() == [bins[x[0].flatten().long()].tolist()]
    assert float(log_det) == pytest.approx(
        sum(math.log(float(transform.mass[level])) for level in x[0].flatten().tolist())
    )


@pytest.mark.parametrize("most", [2, 4, 17, 40])
def test_levels_come_back_into_their_bins_by_their_law(most: int) -> None:
    transform = fit_grey_bins(Examples(images(300, 17)), FIELD, most=most)
    new = images(2000, 17, seed=1)
    y = transform(new)
    back = transform.inverse(y, Generator().manual_seed(0))
    assert back.dtype == torch.uint8
    assert torch.equal(transform(back), y)
    if most >= 17:
        assert torch.equal(back, new)
        return
    first = back[(y == 0).reshape(back.shape)].long()
    share, wanted = float((first == 0).double().mean()), float(transform.mass[0])
    assert share == pytest.approx(wanted, abs=5 * math.sqrt(0.25 / len(first)))


def test_what_a_model_sees_are_states_with_names() -> None:
    transform = fit_grey_bins(Examples(images(300, 17)), FIELD, most=8)
    shape = transform.shape(Shape({X: FIELD}))
    assert [len(names) for names in shape.states] == [8] * 4
    assert shape.states[0][0] == "0 to 2"
    assert shape.states[0][-1] == "15 to 16"
    again = build(transform.spec())
    again.load_state_dict(transform.state_dict())
    x = images(5, 17)
    assert torch.equal(again(x), transform(x))


def test_states_of_every_kind() -> None:
    digits = states(load("digits"))
    assert isinstance(digits, GreyBins)
    assert digits.bins == 8


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="bins must be from 2 to 4, got 5"):
        GreyBins((1, 2, 2), torch.full((4,), 0.25), bins=5)
