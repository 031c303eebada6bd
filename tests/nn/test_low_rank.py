import copy

import pytest
import torch
from torch import Tensor, nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape, RecurrentLM
from ancestral.capabilities import Batch
from ancestral.nn.low_rank import (
    LowRankCell,
    LowRankLinear,
    LowRankMatrix,
    adapters,
    add_adapters,
    merge_adapters,
    merged_state,
    trainable,
)
from ancestral.training import Game, Options

TOKENS = torch.arange(24).reshape(2, 12)


def _gpt(parts: GPTParts | None = None) -> nn.Module:
    shape = GPTShape(window=12, width=16, layers=2, heads=4)
    return GPT(30, shape=shape, parts=parts).eval()


MODELS = {
    "gpt": _gpt,
    "tied swiglu": lambda: _gpt(GPTParts(feed_forward="swiglu", tied=True, positions="rotary")),
    "elman": lambda: RecurrentLM(30, cell="elman", width=16, layers=2).eval(),
    "gru": lambda: RecurrentLM(30, cell="gru", width=16, layers=2).eval(),
    "lstm": lambda: RecurrentLM(30, cell="lstm", width=16, layers=2).eval(),
}


def _trained(model: nn.Module) -> None:
    """Give every adapter numbers of the size that training gives them."""
    for parameter in trainable(model).values():
        nn.init.normal_(parameter, std=0.1)


def _logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model(TOKENS)


@pytest.mark.bits
@pytest.mark.parametrize("name", [*MODELS, "additive"])  # Whose score has a layer of one output.
def test_before_training_the_model_is_the_base_to_the_bit(name: str) -> None:
    base = MODELS[name]() if name in MODELS else _gpt(GPTParts(score="additive"))
    model = copy.deepcopy(base)
    add_adapters(model, rank=1)
    assert torch.equal(_logits(model), _logits(base))


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("name", MODELS)
def test_merged_logits_are_those_of_the_adapters(
    name: str, dtype: torch.dtype, bound: float
) -> None:
    model = MODELS[name]().to(dtype)
    plain = copy.deepcopy(model)
    add_adapters(model, rank=3, alpha=6)
    _trained(model)
    adapted = _logits(model)
    assert (adapted - _logits(plain)).abs().max() > 0.01
    plain.load_state_dict(merged_state(model))
    names = set(adapters(model))
    merge_adapters(model)
    assert names
    assert not adapters(model)
    for merged in (plain, model):
        # Logits are near 1, and so are the numbers of which they are sums.
        torch.testing.assert_close(_logits(merged), adapted, atol=bound, rtol=bound)


@pytest.mark.parametrize("name", MODELS)
def test_states_read_what_a_pass_reads(name: str) -> None:
    model = MODELS[name]().double()
    add_adapters(model, rank=3)
    _trained(model)
    state = model.start(2, length=12)
    steps = torch.cat([model.head(model.advance(part, state)) for part in TOKENS.split(5, 1)], 1)
    torch.testing.assert_close(steps.detach(), _logits(model))


def test_a_layer_is_the_formula() -> None:
    torch.manual_seed(0)
    base = nn.Linear(6, 5).double()
    layer = LowRankLinear(base, rank=2, alpha=8)
    nn.init.normal_(layer.added.up)
    x, (a, b) = torch.randn(3, 6).double(), (layer.added.down, layer.added.up)
    expected = x @ (base.weight + 4 * b @ a).T + base.bias
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(nn.functional.linear(x, layer.weight, layer.bias), expected)
    assert a.abs().max() <= 1 / 6**0.5  # Kaiming's bound with a = sqrt 5.


def test_only_adapters_learn_and_only_they_have_moments() -> None:
    model = _gpt()
    whole = sum(parameter.numel() for parameter in model.parameters())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    add_adapters(model, rank=2, within=model.get_submodule("blocks"))
    sides = [(16, 48), (16, 16), (16, 64), (64, 16)]  # qkv, out, and the two of the feed-forward.
    count = 2 * sum(2 * (inputs + outputs) for inputs, outputs in sides)
    assert sum(parameter.numel() for parameter in trainable(model).values()) == count
    assert all("added" in name for name in trainable(model))
    game = Game(model.players(), Options(batch_size=2), seed=0)
    moments = [v for k, v in game.state().items() if "/optimizer/" in k and "exp_avg" in k]
    assert sum(moment.numel() for moment in moments) == 2 * count < 2 * whole
    for number in (1, 2):
        game.step([Batch(TOKENS)], number=number, progress=0.0)
    state = model.state_dict()
    for name, value in before.items():
        kept = name.replace("weight", "base.weight") if "norm" not in name else name
        assert torch.equal(state.get(kept, state.get(name)), value), name
    assert all((adapter.added.up != 0).any() for adapter in adapters(model).values())


def test_what_cannot_be_adapted_is_refused_and_left_alone() -> None:
    model = _gpt()
    with pytest.raises(ValueError, match=r"rank must lie between 1 and 16.* got 17"):
        add_adapters(model, rank=17)
    with pytest.raises(ValueError, match=r"rank must lie between 1 and 16.* got 0"):
        add_adapters(model, rank=0)
    with pytest.raises(ValueError, match="alpha must be finite and above 0, got 0"):
        add_adapters(model, rank=1, alpha=0)
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(ValueError, match="no linear or recurrent layer"):
        add_adapters(nn.Embedding(3, 4), rank=1)
    with pytest.raises(ValueError, match="one layer in one direction"):
        LowRankCell(nn.GRU(4, 4, num_layers=2), rank=1)
    add_adapters(model, rank=1)
    with pytest.raises(ValueError, match="adapters already"):
        add_adapters(model, rank=1)
    assert repr(LowRankMatrix(torch.zeros(3, 4), rank=2)) == "LowRankMatrix(rank=2, alpha=2)"
