import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ancestral.nn.patches import patchify, unpatchify

SIDES = st.integers(1, 9)


@given(st.integers(1, 3), SIDES, SIDES, st.integers(1, 5))
def test_unpatchify_undoes_patchify(channels: int, height: int, width: int, patch: int) -> None:
    x = torch.randn(2, channels, height, width)
    assert torch.equal(unpatchify(patchify(x, patch), patch, (height, width)), x)


def test_a_patch_is_a_square_of_the_image_and_rows_come_first() -> None:
    x = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)
    patches = patchify(x, 2)
    assert patches.shape == (1, 6, 8)
    assert torch.equal(patches[0, 4], x[0, :, 2:4, 2:4].flatten())


def test_what_fills_up_a_side_is_zero() -> None:
    assert patchify(torch.ones(1, 1, 3, 3), 2)[0, 3].tolist() == [1, 0, 0, 0]


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="patch must be at least 1, got 0"):
        patchify(torch.zeros(1, 1, 4, 4), 0)
    with pytest.raises(ValueError, match="of 4 x 4 have 4 patches of side 2, got 5"):
        unpatchify(torch.zeros(1, 5, 4), 2, (4, 4))
