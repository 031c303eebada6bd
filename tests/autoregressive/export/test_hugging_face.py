import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from ancestral.autoregressive import GPT, GPTParts, GPTShape, RecurrentLM
from ancestral.autoregressive.decoding import Decoding, collect, generate
from ancestral.autoregressive.export import write_hugging_face
from ancestral.autoregressive.export.hugging_face import FILES
from ancestral.data.text import Tokenizer
from ancestral.errors import CapabilityError, DivergenceError, RunError
from ancestral.nn.low_rank import add_adapters

CLASSES = {
    "book": "OPTForCausalLM",
    "book-tied": "OPTForCausalLM",
    "modern": "LlamaForCausalLM",
    "modern-tied": "LlamaForCausalLM",
    "qk-norm": "Qwen3ForCausalLM",
    "qk-norm-tied": "Qwen3ForCausalLM",
}
Make = Callable[..., GPT]


@pytest.fixture(params=[(name, groups) for name in CLASSES for groups in (None, 2, 1)], ids=str)
def pair(
    request: pytest.FixtureRequest, gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> tuple[GPT, torch.nn.Module]:
    """Return a model and what stock transformers makes of its folder."""
    name, groups = request.param
    tokenizer = tokenizers["bpe"]
    model = gpt(name, vocabulary=len(tokenizer), groups=groups)
    exported = write_hugging_face(model, tokenizer, tmp_path / "exported")
    folder = exported.path
    other, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert type(other).__name__ == exported.name == CLASSES[name]
    assert bool(exported.notes) == (name == "book")
    assert type(other).__module__.startswith("transformers.models.")
    assert not any(told.values()), told
    return model, other.eval()


def rows(vocabulary: int, count: int, length: int) -> Tensor:
    words = torch.randint(vocabulary - 4, (count, length))
    words[:, 0] = vocabulary - 4
    return words


@torch.no_grad()
def test_logits_are_equal(pair: tuple[GPT, torch.nn.Module]) -> None:
    model, other = pair
    tokens = rows(model.vocabulary, 3, 24)
    mine = model(tokens)
    assert mine.std() > 1
    torch.testing.assert_close(other(tokens).logits, mine, atol=1e-4, rtol=0)


@torch.no_grad()
def test_logits_are_equal_behind_padding_on_the_left(pair: tuple[GPT, torch.nn.Module]) -> None:
    model, other = pair
    tokens = rows(model.vocabulary, 4, 20)
    for row, pads in enumerate([0, 3, 11, 19]):
        padded = torch.cat((torch.full((pads,), model.special.pad), tokens[row, : 20 - pads]))
        mask = torch.arange(20) >= pads
        found = other(padded[None], attention_mask=mask[None].long()).logits[:, pads:]
        mine = model(tokens[row : row + 1, : 20 - pads])
        torch.testing.assert_close(found, mine, atol=1e-4, rtol=0)


def test_greedy_texts_are_equal(pair: tuple[GPT, torch.nn.Module]) -> None:
    model, other = pair
    pad = model.special.pad
    prompts = [row.tolist() for row in rows(model.vocabulary, 3, 9)]
    prompts = [prompts[0], prompts[1][:4], prompts[2][:1]]
    drawn = collect(
        generate(
            model,
            prompts,
            Decoding(temperature=0, repetition_penalty=1),
            max_tokens=12,
            generators=[torch.Generator()] * 3,
        )
    )
    padded = torch.tensor([[pad] * (9 - len(prompt)) + prompt for prompt in prompts])
    found = other.generate(
        input_ids=padded, attention_mask=(padded != pad).long(), max_new_tokens=12, do_sample=False
    )
    for text, row in zip(drawn, found[:, 9:].tolist(), strict=True):
        assert row[: len(text.tokens)] == list(text.tokens)


def test_special_tokens_are_told(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers["word"]
    model = gpt("book", vocabulary=len(tokenizer))
    folder = write_hugging_face(model, tokenizer, tmp_path / "above" / "exported").path
    assert sorted(path.name for path in folder.iterdir()) == list(FILES)
    for file in ("config.json", "generation_config.json"):
        found = json.loads((folder / file).read_text("utf-8"))
        for name in ("bos", "eos", "pad"):
            assert found[f"{name}_token_id"] == getattr(model.special, name)
    assert AutoTokenizer.from_pretrained(folder).model_max_length == model.window


@pytest.mark.parametrize(
    ("parts", "got"),
    [
        (GPTParts(norm="rms"), "norm=rms feed_forward=gelu"),
        (GPTParts(positions="rotary"), "positions=rotary norm=layer"),
        (GPTParts(qk_norm=True), "qk_norm=true"),
        (GPTParts(score="additive"), "score=additive"),
        (GPTParts(positions="rotary", norm="rms"), "feed_forward=gelu qk_norm=false"),
    ],
    ids=str,
)
def test_parts_without_a_class_are_refused(
    tokenizers: dict[str, Tokenizer], tmp_path: Path, parts: GPTParts, got: str
) -> None:
    tokenizer = tokenizers["word"]
    model = GPT(len(tokenizer), shape=GPTShape(width=8, layers=1, heads=2), parts=parts)
    with pytest.raises(CapabilityError, match="rotary norm=rms feed_forward=swiglu") as error:
        write_hugging_face(model, tokenizer, tmp_path / "exported")
    assert got in str(error.value).partition("; got ")[2]
    assert not any(tmp_path.iterdir())


@torch.no_grad()
def test_the_epsilon_of_all_norms_is_kept(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers["word"]
    model = gpt("qk-norm", vocabulary=len(tokenizer))
    for block in model.blocks:
        # Queries and keys so small that what is added below the root of their norm counts.
        block.get_parameter("attention.qkv.weight")[: 6 * 8] *= 3e-4
    folder = write_hugging_face(model, tokenizer, tmp_path / "exported").path
    tokens = rows(len(tokenizer), 2, 24)
    other = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(other(tokens).logits, model(tokens), atol=1e-4, rtol=0)
    for block in model.blocks:
        block.attention.query_norm.eps = block.attention.key_norm.eps = 1e-7
    assert (other(tokens).logits - model(tokens)).abs().max() > 0.01


@torch.no_grad()
def test_adapters_are_merged(gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path) -> None:
    tokenizer = tokenizers["word"]
    model = gpt("modern", vocabulary=len(tokenizer))
    tokens = rows(len(tokenizer), 2, 24)
    before = model(tokens)
    add_adapters(model, rank=2)
    for name, parameter in model.named_parameters():
        if name.endswith("added.up"):
            parameter.normal_()
    assert (model(tokens) - before).abs().max() > 0.1
    folder = write_hugging_face(model, tokenizer, tmp_path / "exported").path
    found = AutoModelForCausalLM.from_pretrained(folder)(tokens).logits
    torch.testing.assert_close(found, model(tokens), atol=1e-4, rtol=0)


def test_weights_that_nobody_knows_are_refused(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers["word"]
    model = gpt("modern", vocabulary=len(tokenizer))
    model.blocks[1].add_module("gate", torch.nn.Linear(3, 2))
    with pytest.raises(CapabilityError, match="no weights but those of its parts, got 8 more"):
        write_hugging_face(model, tokenizer, tmp_path / "exported")


def test_other_models_are_refused(tokenizers: dict[str, Tokenizer], tmp_path: Path) -> None:
    tokenizer = tokenizers["word"]
    recurrent = RecurrentLM(len(tokenizer), cell="gru", width=8)
    with pytest.raises(
        CapabilityError, match="only a gpt can be exported: no other program has a class"
    ):
        write_hugging_face(recurrent, tokenizer, tmp_path / "exported")
    wide = GPT(len(tokenizer), shape=GPTShape(width=8, layers=1, heads=2, head_width=8))
    with pytest.raises(CapabilityError, match="must fill its width 8, got 2 of 8"):
        write_hugging_face(wide, tokenizer, tmp_path / "exported")
    with pytest.raises(ValueError, match="must have the model's 50 tokens"):
        write_hugging_face(GPT(50), tokenizer, tmp_path / "exported")


def test_weights_that_are_not_finite_are_refused(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers["word"]
    model = gpt("modern", vocabulary=len(tokenizer))
    with torch.no_grad():
        model.get_parameter("blocks.1.attention.out.weight")[0, 0] = torch.nan
    with pytest.raises(DivergenceError, match=r"finite.*blocks\.1\.attention\.out\.weight"):
        write_hugging_face(model, tokenizer, tmp_path / "exported")
    assert not any(tmp_path.iterdir())


def test_a_folder_is_replaced_only_if_it_is_an_export(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer, folder = tokenizers["word"], tmp_path / "exported"
    write_hugging_face(gpt("modern", vocabulary=len(tokenizer)), tokenizer, folder)
    other = gpt("book", vocabulary=len(tokenizer))
    with pytest.raises(RunError, match="exists"):
        write_hugging_face(other, tokenizer, folder)
    write_hugging_face(other, tokenizer, folder, overwrite=True)
    assert json.loads((folder / "config.json").read_text("utf-8"))["model_type"] == "opt"
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
    (folder / "mine.txt").write_text("precious")
    with pytest.raises(RunError, match=r"holds other files \(mine.txt\)"):
        write_hugging_face(other, tokenizer, folder, overwrite=True)
    with pytest.raises(RunError, match="cannot write"):
        write_hugging_face(other, tokenizer, folder / "mine.txt" / "exported")
