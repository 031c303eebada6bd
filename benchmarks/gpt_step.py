"""A training step of the book's GPT: ours against ``transformers`` of the same size.

Time per step, and the peak memory of a process that makes three, as the kernel counted it.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ancestral.autoregressive import GPT, GPTShape
from ancestral.training import Budget, Game, Options, Rows, train
from ancestral.training.precision import gains_by_bf16
from benchmarks.harness import Result, compare

VOCABULARY, WINDOW = 60_198, 256
Precision = Literal["float32", "auto"]


def _tokens(batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(VOCABULARY - 4, (batch, WINDOW + 1), generator=generator)


def our_step(batch: int, precision: Precision) -> Callable[[], object]:
    """Drive the library's loop on the book's sizes, attention dropout off."""
    torch.manual_seed(0)
    model = GPT(VOCABULARY, shape=GPTShape(window=WINDOW), attention_dropout=0.0)
    options = Options(batch_size=batch, max_grad_norm=1.0, precision=precision, large_products=True)
    game = Game(model.players(), options, seed=0)
    reports = train(game, Rows(_tokens(batch)), budget=Budget(steps=10**6))
    return lambda: next(reports)


def peer_model(window: int) -> nn.Module:
    """Make GPT-2 of the book's sizes by ``transformers``: untied, no dropout in attention."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=window,
        n_embd=384,
        n_layer=6,
        n_head=6,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=VOCABULARY - 4,
        eos_token_id=None,
        pad_token_id=VOCABULARY - 1,
    )
    torch.manual_seed(0)
    return GPT2LMHeadModel(config)


def peer_step(batch: int) -> Callable[[], object]:
    """Train it with torch's AdamW."""
    model = peer_model(WINDOW).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    tokens = _tokens(batch)
    inputs, targets = tokens[:, :-1], tokens[:, 1:].contiguous()

    def step() -> None:
        logits = model(input_ids=inputs, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return step


def peak_bytes(side: str, batch: int, precision: Precision) -> int:
    """Return the peak resident memory of three steps in a fresh process, less its start."""
    command = [sys.executable, "-m", "benchmarks.gpt_step", side, str(batch), precision]
    root = Path(__file__).resolve().parents[1]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def run() -> Iterator[Result]:
    """Yield the comparisons; ``auto`` is float32 where the CPU gains nothing by bf16."""
    bf16 = gains_by_bf16(torch.device("cpu"))
    cases: tuple[tuple[Precision, int, float, float], ...] = (
        ("float32", 8, 1.7, 0.65),
        ("auto", 8, 2.0, 0.65),
        ("auto", 32, 2.8, 0.30),
    )
    for precision, batch, bar, share in cases:
        here = precision if precision == "float32" else f"auto ({'bf16' if bf16 else 'float32'})"
        yield compare(
            f"GPT training step, V = {VOCABULARY}, batch {batch}, {here}",
            ours=our_step(batch, precision),
            peer=("transformers in float32", peer_step(batch)),
            bar=bar,
            rounds=5,
            note="attention dropout off on both sides",
        )
        ours, peer = (peak_bytes(side, batch, precision) for side in ("ours", "peer"))
        yield Result(
            name=f"GPT peak memory, batch {batch}, {here}",
            peer="transformers in float32",
            ours_seconds=float("nan"),
            peer_seconds=float("nan"),
            ratio=peer / ours,
            rounds=[],
            bar=1 / share,
            note=f"{ours / 1e9:.2f} GB against {peer / 1e9:.2f} GB: {ours / peer:.0%}",
        )


def _measure(side: str, batch: int, precision: Precision) -> int:
    from transformers import GPT2LMHeadModel  # noqa: F401 (both sides start alike)

    before = _peak()
    step = our_step(batch, precision) if side == "ours" else peer_step(batch)
    for _ in range(3):
        step()
    return _peak() - before


def _peak() -> int:
    """Return the most resident bytes so far; ``getrusage`` would tell the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    from ancestral.training.process import tune_process

    torch.set_num_threads(min(2, torch.get_num_threads()))
    tune_process()
    print(_measure(sys.argv[1], int(sys.argv[2]), sys.argv[3]))  # pyright: ignore[reportArgumentType]
