import pytest
import torch
from torch import Generator

from ancestral.capabilities import Batch
from ancestral.tabular import TabularAutoregressive

SIZES = (2, 20, 3)


@pytest.mark.parametrize("blocks", [0, 2])
@pytest.mark.parametrize("clip", [1e-3, 1.0, 1e9])
def test_the_gradient_is_the_sum_of_those_of_rows_each_cut_to_the_norm(
    blocks: int, clip: float
) -> None:
    torch.manual_seed(0)
    net = TabularAutoregressive(SIZES, ordered=(False, True, False), width=8, blocks=blocks)
    net = net.double().eval()  # Dropout would give each row's loss another mask.
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = torch.stack([torch.randint(size, (6,)) for size in SIZES], dim=1)
    (player,) = net.players()
    assert player.clipped is not None
    parameters = list(net.parameters())
    found = player.clipped(Batch(x), Generator().manual_seed(0), clip)
    gradients = torch.autograd.grad(found.total, parameters)
    known, place = net._some(x, Generator().manual_seed(0))
    expected = [torch.zeros_like(parameter) for parameter in parameters]
    norms = []
    for row, left_out in zip(x, place >= known, strict=True):
        logits = net.logits(net.features(row.masked_fill(left_out, -1)[None]))
        each = [part.log_softmax(dim=1)[0, cell] for part, cell in zip(logits, row, strict=True)]
        loss = -len(SIZES) * torch.stack(each)[left_out].mean()
        own = torch.autograd.grad(loss, parameters)
        norms.append(torch.stack([part.square().sum() for part in own]).sum().sqrt())
        for total, part in zip(expected, own, strict=True):
            total += part * min(1.0, clip / norms[-1])
    torch.testing.assert_close(list(gradients), expected)
    assert min(norms) > 1.0  # So that a clip of 1 cuts all of them.
    assert all(bool(gradient.any()) for gradient in gradients)


def test_no_rows_have_no_gradient() -> None:
    net = TabularAutoregressive(SIZES, width=8)
    (player,) = net.players()
    assert player.clipped is not None
    loss = player.clipped(Batch(torch.zeros(0, 3, dtype=torch.int64)), None, 1.0)
    gradients = torch.autograd.grad(loss.total, list(net.parameters()), allow_unused=True)
    assert not any(gradient is not None and bool(gradient.any()) for gradient in gradients)
