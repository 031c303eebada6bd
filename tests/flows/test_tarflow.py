import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ancestral.flows.tarflow import TarFlow

SHAPE, CLASSES = (1, 4, 6), 3


def flow_of(classes: int = CLASSES) -> TarFlow:
    """A flow of six patches with weights that are not its first ones."""
    torch.manual_seed(0)
    flow = TarFlow(
        SHAPE,
        classes=classes,
        patch=2,
        width=32,
        blocks=3,
        layers=2,
    ).double()
    with torch.no_grad():
        for name, parameter in flow.named_parameters():
            if "out" in name:
                parameter.copy_(0.1 * torch.randn_like(parameter))
    return flow


def images(n: int) -> Tensor:
    return torch.randn(n, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def labels(*label: int) -> Tensor:
    return one_hot(torch.tensor(label), CLASSES).double()


def test_it_starts_as_the_identity() -> None:
    flow, x = TarFlow(SHAPE, patch=2, width=32).double(), images(3)
    z, log_det = flow.inverse_and_log_det(x)
    assert torch.equal(z, x)
    assert torch.equal(log_det, torch.zeros(3).double())


@pytest.mark.parametrize("context", [None, labels(0, 2, 1, 1)])
@pytest.mark.parametrize("cached", [True, False])
def test_forward_undoes_the_inverse(context: Tensor | None, cached: bool) -> None:
    flow, x = flow_of(), images(4)
    z, log_det = flow.inverse_and_log_det(x, context)
    assert not torch.allclose(x, z, atol=0.1)
    with torch.set_grad_enabled(not cached):
        back, forward_log_det = flow.forward_and_log_det(z, context)
    torch.testing.assert_close(back, x, atol=1e-6, rtol=0)
    torch.testing.assert_close(forward_log_det, -log_det, atol=1e-9, rtol=0)


def test_the_log_determinant_is_that_of_the_jacobian() -> None:
    flow, x = flow_of(), images(2)
    context = labels(2, 0)
    _, log_det = flow.inverse_and_log_det(x, context)
    for i in range(2):

        def one(flat: Tensor, i: int = i) -> Tensor:
            return flow.inverse(flat.reshape(1, *SHAPE), context[i : i + 1]).flatten()

        jacobian = torch.autograd.functional.jacobian(one, x[i].flatten())
        assert isinstance(jacobian, Tensor)
        torch.testing.assert_close(log_det[i], jacobian.slogdet().logabsdet)


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_the_cache_gives_what_whole_passes_give(scale: float) -> None:
    flow, z, context = flow_of(), images(3), labels(0, 1, 2)
    plain = flow.guided(z, context, scale=scale)
    with torch.no_grad():
        cached = flow.guided(z, context, scale=scale)
    torch.testing.assert_close(cached, plain, atol=1e-12, rtol=1e-12)


@torch.no_grad()
def test_guidance_of_one_patch_is_the_line_through_both_maps() -> None:
    torch.manual_seed(0)
    flow = TarFlow((1, 2, 2), classes=CLASSES, patch=2, width=32, blocks=1, layers=1).double()
    for parameter in flow.parameters():
        parameter.copy_(0.2 * torch.randn_like(parameter))
    z, context = torch.randn(2, 1, 2, 2).double(), labels(0, 2)
    # A single patch is z exp(s) + m: both are seen at z = 0 and in the log-determinants.
    at = torch.zeros_like(z)
    (u, s_u), (c, s_c), (found, s) = (flow.guided(at, context, scale=scale) for scale in (0, 1, 3))
    torch.testing.assert_close(found, u + 3 * (c - u))
    torch.testing.assert_close(s, s_u + 3 * (s_c - s_u))
    torch.testing.assert_close(flow.guided(z, context, scale=0)[0], flow.forward(z))
    torch.testing.assert_close(flow.guided(z, context, scale=1)[0], flow.forward(z, context))


def test_labels_change_the_map_and_zeros_are_no_label() -> None:
    flow, x = flow_of(), images(2)
    assert not torch.allclose(flow.inverse(x, labels(0, 0)), flow.inverse(x, labels(1, 1)))
    torch.testing.assert_close(flow.inverse(x, torch.zeros(2, 3).double()), flow.inverse(x))


def test_every_parameter_gets_a_gradient() -> None:
    flow = flow_of()
    z, log_det = flow.inverse_and_log_det(images(4), labels(0, 1, 2, 0) * 0.5)
    (z.square().sum() - log_det.sum()).backward()
    for name, parameter in flow.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="patch must divide the sides 28 and 28, got 5"):
        TarFlow((1, 28, 28), patch=5)
    with pytest.raises(ValueError, match="width must be a multiple of 32, got 40"):
        TarFlow((1, 28, 28), width=40)
    with pytest.raises(ValueError, match="at least 1, got 0 and 1"):
        TarFlow((1, 28, 28), blocks=0)
    with pytest.raises(
        ValueError, match="guidance needs a model that is given labels, got scale 2"
    ):
        flow_of().guided(images(2), scale=2)
