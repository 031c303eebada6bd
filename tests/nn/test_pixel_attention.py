import torch

from ancestral.nn import PixelAttention


def attention(gate: float) -> PixelAttention:
    torch.manual_seed(0)
    layer = PixelAttention(16).double()
    layer.gate.data.fill_(gate)
    return layer


X = torch.randn(2, 16, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_it_begins_as_the_identity() -> None:
    assert torch.equal(PixelAttention(16).double()(X), X)


def test_it_is_the_sum_over_all_places_without_a_root_and_without_a_norm() -> None:
    layer, x = attention(0.7), X.flatten(2)
    query, key, value, out = (
        part.weight[:, :, 0, 0] for part in (layer.query, layer.key, layer.value, layer.out)
    )
    assert query.shape == (2, 16)
    scores = torch.einsum("ci,bin,cj,bjm->bnm", query, x, key, x)
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    read = torch.einsum("oc,ci,bim,bnm->bon", out, value, x, weights)
    torch.testing.assert_close(layer(X).flatten(2), 0.7 * read + x)


def test_every_place_then_sees_every_other() -> None:
    slopes = torch.autograd.functional.jacobian(attention(0.7), X[:1])
    assert isinstance(slopes, torch.Tensor)
    assert slopes.abs().sum(dim=(0, 1, 4, 5)).all()
