"""The file is read back by ``gguf`` and computed by the rules of llama.cpp, written here anew."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from scipy.special import erf, log_softmax, softmax
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from ancestral.autoregressive import GPT, RecurrentLM
from ancestral.autoregressive.export import write_gguf
from ancestral.data.text import Tokenizer
from ancestral.errors import CapabilityError, DivergenceError, RunError

ARCHITECTURES = {
    "book": gguf.MODEL_ARCH.GPT2,
    "book-tied": gguf.MODEL_ARCH.GPT2,
    "modern": gguf.MODEL_ARCH.LLAMA,
    "modern-tied": gguf.MODEL_ARCH.LLAMA,
    "qk-norm": gguf.MODEL_ARCH.QWEN3,
    "qk-norm-tied": gguf.MODEL_ARCH.QWEN3,
}
CASES = [(name, groups) for name in ARCHITECTURES for groups in (None, 2)]
Make = Callable[..., GPT]
Array = np.ndarray


class File:
    """What a GGUF file says, and the logits that follow from it, in float64."""

    def __init__(self, path: Path) -> None:
        self.reader = gguf.GGUFReader(path)
        self.tensors = {t.name: t.data.astype(np.float64) for t in self.reader.tensors}
        self.types = {t.name: t.tensor_type for t in self.reader.tensors}
        self.architecture: str = self["general.architecture"]

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - as the file says
        field = self.reader.get_field(key)
        assert field is not None, key
        return field.contents()

    def own(self, key: str) -> Any:  # noqa: ANN401 - as the file says
        return self[f"{self.architecture}.{key}"]

    def logits(self, tokens: Array, gelu: Callable[[Array], Array]) -> Array:
        """Return the logits [T, V] for tokens [T]."""
        x = self.tensors["token_embd.weight"][tokens]
        if self.architecture == "gpt2":
            x = x + self.tensors["position_embd.weight"][: len(tokens)]
        for number in range(self.own("block_count")):
            x = self._block(x, f"blk.{number}.", gelu)
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return self._norm(x, "output_norm") @ head.T

    def _block(self, x: Array, block: str, gelu: Callable[[Array], Array]) -> Array:
        normed = self._norm(x, block + "attn_norm")
        heads = self.own("attention.head_count")
        if self.architecture == "gpt2":
            query, key, value = np.split(self._map(normed, block + "attn_qkv"), 3, axis=-1)
            groups = heads
        else:
            query, key, value = (self._map(normed, block + f"attn_{name}") for name in "qkv")
            groups = self.own("attention.head_count_kv")
        query, key, value = (
            part.reshape(len(x), count, -1).transpose(1, 0, 2)
            for part, count in ((query, heads), (key, groups), (value, groups))
        )
        if self.architecture == "qwen3":
            query, key = (
                self._norm(query, block + "attn_q_norm"),
                self._norm(key, block + "attn_k_norm"),
            )
        if self.architecture != "gpt2":
            query, key = self._turn(query), self._turn(key)
        key, value = (part.repeat(heads // groups, axis=0) for part in (key, value))
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        scores[:, np.triu(np.ones((len(x), len(x)), bool), 1)] = -np.inf
        seen = (softmax(scores, axis=-1) @ value).transpose(1, 0, 2).reshape(len(x), -1)
        x = x + self._map(seen, block + "attn_output")
        normed = self._norm(x, block + "ffn_norm")
        up = self._map(normed, block + "ffn_up")
        if self.architecture == "gpt2":
            return x + self._map(gelu(up), block + "ffn_down")
        gate = self._map(normed, block + "ffn_gate")
        return x + self._map(gate / (1 + np.exp(-gate)) * up, block + "ffn_down")

    def _turn(self, x: Array) -> Array:
        """Rotate [H, T, P]: neighbours are a pair in ``llama``, halves in ``qwen3``."""
        width = self.own("rope.dimension_count")
        assert width == x.shape[-1] == self.own("attention.key_length")
        rates = self.own("rope.freq_base") ** (-np.arange(0, width, 2) / width)
        turn = np.exp(1j * np.arange(x.shape[1])[:, None] * rates)
        if self.architecture == "llama":
            turned = (x[..., ::2] + 1j * x[..., 1::2]) * turn
            return np.stack((turned.real, turned.imag), -1).reshape(x.shape)
        turned = (x[..., : width // 2] + 1j * x[..., width // 2 :]) * turn
        return np.concatenate((turned.real, turned.imag), -1)

    def _norm(self, x: Array, name: str) -> Array:
        weight = self.tensors[name + ".weight"]
        if self.architecture == "gpt2":
            x = x - x.mean(-1, keepdims=True)
            epsilon = self.own("attention.layer_norm_epsilon")
            scaled = x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon)
            return scaled * weight + self.tensors[name + ".bias"]
        epsilon = self.own("attention.layer_norm_rms_epsilon")
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight

    def _map(self, x: Array, name: str) -> Array:
        y = x @ self.tensors[name + ".weight"].T
        return y + self.tensors[name + ".bias"] if self.architecture == "gpt2" else y


def exact_gelu(x: Array) -> Array:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def tanh_gelu(x: Array) -> Array:
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


@pytest.fixture(params=CASES, ids=str)
def written(
    request: pytest.FixtureRequest, gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> tuple[str, GPT, Path]:
    name, groups = request.param
    tokenizer = tokenizers["bpe"]
    model = gpt(name, vocabulary=len(tokenizer), groups=groups)
    return name, model, write_gguf(model, tokenizer, tmp_path / "above" / "model.gguf").path


@torch.no_grad()
def test_logits_follow_from_the_file(written: tuple[str, GPT, Path]) -> None:
    _, model, path = written
    tokens = torch.randint(model.vocabulary - 4, (24,))
    found = File(path).logits(tokens.numpy(), exact_gelu)
    np.testing.assert_allclose(found, model.double()(tokens[None])[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_gelu_of_llama_cpp_is_near(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers["bpe"]
    model = gpt("book", vocabulary=len(tokenizer))
    tokens = torch.randint(model.vocabulary - 4, (24,))
    file = File(write_gguf(model, tokenizer, tmp_path / "model.gguf").path)
    mine = log_softmax(model(tokens[None])[0].numpy(), axis=-1)
    theirs = log_softmax(file.logits(tokens.numpy(), tanh_gelu), axis=-1)
    # The two differ by at most 4.7e-4 for any input; these weights are ten times those of a start.
    assert 1e-5 < np.abs(mine - theirs).max() < 0.02


def test_tensors_are_those_of_the_architecture(written: tuple[str, GPT, Path]) -> None:
    name, model, path = written
    file = File(path)
    architecture = ARCHITECTURES[name]
    assert file.architecture == gguf.MODEL_ARCH_NAMES[architecture]
    known = {gguf.TENSOR_NAMES[tensor] for tensor in gguf.MODEL_TENSORS[architecture]}
    bases = {tensor.rpartition(".")[0] for tensor in file.tensors}
    allowed = known | {base.format(bid=number) for base in known for number in range(2)}
    assert bases <= allowed
    optional = {"rope_freqs", "blk.{bid}.attn_rot_embd", "output"}
    needed = {b for b in known - optional if "_exps" not in b and "ffn_gate_inp" not in b}
    assert {base.format(bid=1) for base in needed} <= bases
    assert ("output" in bases) != name.endswith("tied")
    if architecture is gguf.MODEL_ARCH.GPT2:  # All its layers and norms must have biases.
        bare = {"token_embd", "position_embd", "output"}
        assert {f"{base}.bias" for base in bases - bare} <= set(file.tensors)
    assert file.own("context_length") == model.window
    assert {kind.name for kind in file.types.values()} == {"F32"}


def test_the_vocabulary_is_the_tokenizers(
    written: tuple[str, GPT, Path], tokenizers: dict[str, Tokenizer]
) -> None:
    _, model, path = written
    file, tokenizer = File(path), tokenizers["bpe"]
    keys = "tokenizer.ggml."
    assert (file[keys + "model"], file[keys + "pre"]) == ("gpt2", "gpt-2")
    tokens = file[keys + "tokens"]
    assert tokens == [tokenizer.library.id_to_token(index) for index in range(len(tokenizer))]
    assert file[keys + "token_type"] == [1] * (len(tokenizer) - 4) + [3, 3, 2, 3]
    for name in ("bos", "eos", "unk", "pad"):
        key = {"unk": "unknown", "pad": "padding"}.get(name, name)
        assert file[f"{keys}{key}_token_id"] == getattr(model.special, name)
    assert file[keys + "add_bos_token"] is True
    # Byte-level BPE by hand: join the pair of the lowest rank until none is left.
    ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(file[keys + "merges"])}
    for word in ("Mancha", " hidalgo", " lanza", "ñandú"):
        letters = [tokens[index] for index in _bytes(tokenizer, word)]
        while pairs := [pair for pair in pairwise(letters) if pair in ranks]:
            best = min(pairs, key=ranks.__getitem__)
            place = next(i for i in range(len(letters)) if tuple(letters[i : i + 2]) == best)
            letters[place : place + 2] = ["".join(best)]
        assert [tokens.index(piece) for piece in letters] == tokenizer.encode(word)


def _bytes(tokenizer: Tokenizer, word: str) -> list[int]:
    single = {tokenizer.token_bytes(i): i for i in range(len(tokenizer) - 4)}
    return [single[bytes([byte])] for byte in word.encode()]


@torch.no_grad()
def test_transformers_reads_the_file(written: tuple[str, GPT, Path]) -> None:
    name, model, path = written
    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    if name.startswith("book"):
        # Its reader takes GPT-2's own window and activation, whatever the file says.
        config.n_positions, config.activation_function = model.window, "gelu"
    else:
        config.head_dim = model.shape.features_of_a_head  # Not read for qwen3.
    other = AutoModelForCausalLM.from_config(config).eval()
    # What from_pretrained(gguf_file=...) does, which wants the package accelerate besides.
    tensors = load_gguf_checkpoint(path, return_tensors=True, model_to_load=other)["tensors"]
    told = other.load_state_dict(tensors, strict=False)
    assert told.missing_keys == (["lm_head.weight"] if name.endswith("tied") else [])
    assert not told.unexpected_keys
    tokens = torch.randint(model.vocabulary - 4, (2, 24))
    torch.testing.assert_close(other(tokens).logits, model(tokens), atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("parts", ["book", "modern", "qk-norm"])
def test_half_precision_halves_the_matrices(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path, parts: str
) -> None:
    tokenizer = tokenizers["bpe"]
    model = gpt(parts, vocabulary=len(tokenizer))
    whole = write_gguf(model, tokenizer, tmp_path / "whole.gguf").path
    half = write_gguf(model, tokenizer, tmp_path / "half.gguf", dtype="f16").path
    file = File(half)
    for name, tensor in file.tensors.items():
        matrix = tensor.ndim == 2 and name != "position_embd.weight"
        assert file.types[name].name == ("F16" if matrix else "F32")
    assert file["general.file_type"] == gguf.LlamaFileType.MOSTLY_F16
    assert half.stat().st_size < 0.75 * whole.stat().st_size
    tokens = torch.randint(model.vocabulary - 4, (24,))
    mine = log_softmax(model(tokens[None])[0].numpy(), axis=-1)
    # Weights are off by 2^-11 of themselves, at random.
    assert np.abs(mine - log_softmax(file.logits(tokens.numpy(), exact_gelu), -1)).max() < 0.02


def test_what_cannot_be_written_is_refused(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    for kind in ("word", "character"):
        tokenizer = tokenizers[kind]
        with pytest.raises(CapabilityError, match=f"tokenizer=bpe.*got tokenizer={kind}"):
            write_gguf(gpt("modern", vocabulary=len(tokenizer)), tokenizer, path)
    tokenizer = tokenizers["bpe"]
    with pytest.raises(CapabilityError, match="only a gpt can be exported"):
        write_gguf(RecurrentLM(len(tokenizer), cell="gru", width=8), tokenizer, path)
    model = gpt("modern", vocabulary=len(tokenizer))
    with pytest.raises(ValueError, match="dtype must be one of f32, f16"):
        write_gguf(model, tokenizer, path, dtype="q4")  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        model.tokens.weight[0, 0] = 1e5
    with pytest.raises(DivergenceError, match=r"below 65,520 for dtype f16, token_embd\.weight"):
        write_gguf(model, tokenizer, path, dtype="f16")
    with torch.no_grad():
        model.tokens.weight[0, 0] = torch.inf
    with pytest.raises(DivergenceError, match=r"finite.*tokens\.weight"):
        write_gguf(model, tokenizer, path)
    assert not any(tmp_path.iterdir())


def test_a_file_is_replaced_only_if_asked(
    gpt: Make, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer, path = tokenizers["bpe"], tmp_path / "model.gguf"
    path.write_text("precious")
    model = gpt("modern", vocabulary=len(tokenizer))
    with pytest.raises(RunError, match="exists"):
        write_gguf(model, tokenizer, path)
    assert path.read_text() == "precious"
    write_gguf(model, tokenizer, path, overwrite=True)
    assert path.read_bytes()[:4] == b"GGUF"
    with pytest.raises(RunError, match="is a folder"):
        write_gguf(model, tokenizer, tmp_path, overwrite=True)
    assert [found.name for found in tmp_path.iterdir()] == ["model.gguf"]
