import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from ancestral.nn.masked_mlp import MaskedMLP

pytestmark = pytest.mark.usefixtures("float64")


def plain(network: MaskedMLP, x: Tensor) -> Tensor:
    """The same by autograd's own layers, [P, D, B]."""
    *hidden, head = network.layers
    for layer in hidden:
        x = layer(x).relu()
    return head(x).T.reshape(network.outputs, network.features, len(x))


@pytest.mark.parametrize("groups", [[0, 1, 2, 3], [2, 0, 3, 1], [0, 0, 1, 1], [0]])
@pytest.mark.parametrize("context", [0, 2])
def test_outputs_depend_on_earlier_groups_and_on_all_that_is_given(
    groups: list[int], context: int
) -> None:
    network = MaskedMLP(groups, outputs=2, hidden=(40, 40), context=context)
    x, given = torch.randn(1, len(groups)), torch.randn(1, context)
    by_x, by_given = jacobian(lambda a, b: network(a, b if context else None)[..., 0], (x, given))
    seen = by_x[:, :, 0].abs().sum(dim=0) > 0
    order = torch.tensor(groups)
    assert torch.equal(seen, order[:, None] > order)
    assert bool((by_given != 0).any(dim=-1).all()) == bool(context)


def test_every_feature_is_seen_by_layers_that_are_narrower_than_the_data() -> None:
    network = MaskedMLP(range(50), outputs=1, hidden=(20,))
    found = jacobian(lambda x: network(x)[0, -1, 0], torch.randn(1, 50))[0]
    # The units that are off at this point hide some; those of the ends are there in any case.
    assert found[0] != 0
    assert found[-1] == 0
    assert (found != 0).double().mean() > 0.4


def test_values_and_gradients_are_those_of_plain_layers() -> None:
    network, x = MaskedMLP([0, 1, 2], outputs=2, hidden=(16, 8)), torch.randn(6, 3)
    x.requires_grad_()
    weight = torch.randn(2, 3, 6)
    inputs = [x, *network.parameters()]
    torch.testing.assert_close(network(x), plain(network, x))
    found = torch.autograd.grad((network(x) * weight).sum(), inputs)
    wanted = torch.autograd.grad((plain(network, x) * weight).sum(), inputs)
    torch.testing.assert_close(found, wanted)


def test_some_features_alone_are_those_of_all() -> None:
    network, x, given = (
        MaskedMLP([1, 0, 2], outputs=4, hidden=(9,), context=1),
        *map(torch.randn, ((5, 3), (5, 1))),
    )
    some = torch.tensor([2, 0])
    torch.testing.assert_close(network(x, given, features=some), network(x, given)[:, some])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": [0, 2]}, "without a gap, got"),
        ({"groups": []}, "without a gap, got"),
        ({"hidden": ()}, "hidden must be widths of at least 1"),
        ({"hidden": (4, 0)}, "hidden must be widths of at least 1"),
        ({"outputs": 0}, "outputs must be at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(changed: dict, message: str) -> None:
    arguments = {"groups": [0, 1], "outputs": 2, "hidden": (4,), **changed}
    with pytest.raises(ValueError, match=message):
        MaskedMLP(arguments.pop("groups"), **arguments)
