from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional

from ancestral.nn import (
    ConvDecoder,
    checkerboards,
    contributions,
    convolution_matrix,
    convolution_size,
    insert_zeros,
    interpolation_matrix,
    transposed_size,
)

pytestmark = pytest.mark.usefixtures("float64")

SETTINGS = [
    (kernel, stride, padding)
    for kernel, stride, padding in product(range(1, 6), range(1, 6), range(6))
    if kernel <= 7 + 2 * padding
]


def test_the_matrix_of_a_convolution_is_the_band_of_the_book() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0])
    wanted = torch.tensor([[1.0, 2, 3, 0, 0], [0, 1, 2, 3, 0], [0, 0, 1, 2, 3]])
    assert convolution_matrix(weight[None, None], [5]).equal(wanted)


def test_the_matrix_is_the_convolution_for_any_stride_and_padding() -> None:
    x = torch.randn(2, 7)
    for kernel, stride, padding in SETTINGS:
        weight = torch.randn(3, 2, kernel)
        how = {"stride": stride, "padding": padding}
        wanted = functional.conv1d(x, weight, **how)
        assert wanted.shape[1] == convolution_size(7, kernel, **how)
        found = convolution_matrix(weight, [7], **how) @ x.flatten()
        torch.testing.assert_close(found, wanted.flatten())


def test_the_transpose_is_the_transposed_convolution_for_any_stride_and_padding() -> None:
    for kernel, stride, padding in SETTINGS:
        for more in range(stride):
            how = {"stride": stride, "padding": padding}
            if stride * 3 + kernel - 2 * padding + more < 1:
                continue
            y, weight = torch.randn(2, 4), torch.randn(2, 3, kernel)
            wanted = functional.conv_transpose1d(y, weight, output_padding=more, **how)
            size = transposed_size(4, kernel, output_padding=more, **how)
            assert wanted.shape[1] == size
            matrix = convolution_matrix(weight, [size], **how)
            torch.testing.assert_close(matrix.mT @ y.flatten(), wanted.flatten())


def test_zeros_between_and_the_flipped_kernel_are_the_transposed_convolution() -> None:
    # E-M20: the kernel must be flipped; as it stands only symmetric ones would do.
    y, weight = torch.randn(1, 5), torch.randn(1, 1, 4)
    wanted = functional.conv_transpose1d(y, weight, stride=2, padding=1)
    spread = insert_zeros(y, 2)
    found = functional.conv1d(spread, weight.flip(-1), padding=2)
    torch.testing.assert_close(found, wanted)
    assert (functional.conv1d(spread, weight, padding=2) - wanted).abs().max() > 0.1


@pytest.mark.parametrize(("kernel", "padding"), [(4, 1), (2, 0)])
def test_both_settings_of_the_book_double_the_size(kernel: int, padding: int) -> None:
    for size in range(1, 20):
        assert transposed_size(size, kernel, stride=2, padding=padding) == 2 * size


def test_two_axes_need_no_separable_kernel() -> None:
    # E-M21: a kernel that is applied to each axis alone has rank 1; a layer's need not.
    weight = torch.randn(3, 2, 3, 3)
    assert torch.linalg.matrix_rank(weight[0, 0]) == 3
    x = torch.randn(2, 6, 5)
    found = convolution_matrix(weight, [6, 5], stride=2, padding=1) @ x.flatten()
    torch.testing.assert_close(found, functional.conv2d(x, weight, None, 2, 1).flatten())
    assert nn.Conv2d(8, 3, 3, bias=False).weight.numel() == 216  # Not 3 * 8 * 3 = 72.
    assert nn.Conv1d(8, 3, 3, bias=False).weight.numel() == 72
    rows, columns = torch.randn(3), torch.randn(3)
    separable = convolution_matrix((rows[:, None] * columns)[None, None], [6, 5])
    each = [convolution_matrix(w[None, None], [n]) for w, n in ((rows, 6), (columns, 5))]
    torch.testing.assert_close(separable, torch.kron(*each))


def test_it_is_equivariant_to_shifts_by_the_stride_away_from_borders() -> None:
    x = torch.zeros(1, 40)
    x[0, 12:24] = torch.randn(12)
    weight = torch.randn(1, 1, 3)
    for stride, by in product((1, 2), range(5)):
        before = functional.conv1d(x, weight, stride=stride, padding=1)
        after = functional.conv1d(x.roll(by, 1), weight, stride=stride, padding=1)
        if by % stride == 0:
            torch.testing.assert_close(after, before.roll(by // stride, 1))
        else:  # E-M22: no shift of the output is the same.
            gaps = [(after - before.roll(k, 1)).abs().max() for k in range(-5, 6)]
            assert min(gaps) > 0.1
    # At the border what is shifted in is not what was there.
    x = torch.randn(1, 40)
    before, after = (functional.conv1d(z, weight, padding=1) for z in (x, x.roll(1, 1)))
    torch.testing.assert_close(after[:, 2:-1], before.roll(1, 1)[:, 2:-1])
    assert (after - before.roll(1, 1)).abs().max() > 0.1


def test_average_pooling_is_a_convolution_and_maximum_pooling_bears_small_shifts() -> None:
    x = torch.randn(1, 9)
    matrix = convolution_matrix(torch.full((1, 1, 2), 0.5), [9], stride=2)
    torch.testing.assert_close(matrix @ x[0], functional.avg_pool1d(x, 2)[0])
    assert len(matrix) == convolution_size(9, 2, stride=2) == 4  # The ninth is not looked at.
    spike = functional.one_hot(torch.tensor([4]), 8).double()
    pooled = functional.max_pool1d(spike, 2)
    assert functional.max_pool1d(spike.roll(1, 1), 2).equal(pooled)
    assert not functional.max_pool1d(spike.roll(2, 1), 2).equal(pooled)


def test_contributions_are_what_ones_add_up_to() -> None:
    for kernel, stride, padding in product(range(1, 8), range(1, 6), range(4)):
        y = functional.conv_transpose1d(torch.ones(1, 60), torch.ones(1, 1, kernel), stride=stride)
        inner = y[0, padding : y.shape[1] - padding]
        first = 10 * stride
        wanted = inner[first : first + stride].long().tolist()
        found = contributions(kernel, stride=stride, padding=padding)
        assert list(found) == wanted
        assert (len(set(found)) == 1) == (kernel % stride == 0)
    counts = [sorted(contributions(kernel, stride=2)) for kernel in (3, 4, 5)]
    assert counts == [[1, 2], [2, 2], [2, 3]]
    y = functional.conv_transpose1d(torch.ones(1, 30), torch.ones(1, 1, 3), stride=2, dilation=2)
    assert y[0, 20:22].long().tolist() == list(contributions(3, stride=2, dilation=2)) == [3, 0]


def test_checkerboards_of_a_model_are_named() -> None:
    found = {
        kind: checkerboards(ConvDecoder(4, 1, size=16, widths=(8, 8), upsampling=kind))
        for kind in ("book", "transposed", "resize")
    }
    assert found["book"] == {"doublings.0": (1, 2, 2, 4), "doublings.2": (1, 2, 2, 4)}
    assert found["transposed"] == found["resize"] == {}


def test_interpolation_and_convolution_leave_a_constant_constant() -> None:
    # CV-09: with any kernel, away from the borders.
    x = torch.ones(1, 3, 8, 8)
    uneven = nn.ConvTranspose2d(3, 1, 3, 2, 1)(x)[..., 4:-4, 4:-4]
    even = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 1, 3, 1, 1))(x)[..., 4:-4, 4:-4]
    assert uneven.var() > 1e-4
    assert even.var() < 1e-24


@pytest.mark.parametrize(
    ("kind", "name"), [("nearest", "nearest"), ("linear", "bilinear"), ("cubic", "bicubic")]
)
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_interpolation_is_torch_s(kind: str, name: str, factor: int) -> None:
    x = torch.randn(5, 4)
    rows, columns = (interpolation_matrix(n, factor, kind) for n in x.shape)  # pyright: ignore[reportArgumentType]
    wanted = functional.interpolate(x[None, None], scale_factor=factor, mode=name)[0, 0]
    torch.testing.assert_close(rows @ x @ columns.mT, wanted)
    torch.testing.assert_close(rows.sum(1), torch.ones(5 * factor))
    if factor == 3:  # The middle one of three is the sample itself.
        torch.testing.assert_close((rows @ x)[1::3], x)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel at most size \\+ 2 padding, got kernel 5, size 2"):
        convolution_size(2, 5, padding=1)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        contributions(3, stride=0)
    with pytest.raises(ValueError, match="leaves -1 outputs"):
        transposed_size(1, 1, padding=1)
    with pytest.raises(ValueError, match="output_padding from 0 to 1, got 0 and 2"):
        transposed_size(4, 3, stride=2, output_padding=2)
    with pytest.raises(ValueError, match="an axis of K for each of size"):
        convolution_matrix(torch.zeros(1, 1, 3), [5, 5])
    with pytest.raises(ValueError, match="kind must be"):
        interpolation_matrix(3, 2, "sinc")  # pyright: ignore[reportArgumentType]
