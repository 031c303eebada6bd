"""Every rule of decoding by itself, one row of 60,198 logits: ours against the full sort of old.

Prints milliseconds a token of each rule, on logits as peaked as a trained model's and on flat ones.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ancestral.autoregressive.decoding import penalties, rules
from ancestral.autoregressive.decoding.seen import Seen
from ancestral.autoregressive.decoding.settings import forbid
from benchmarks.harness import Result, compare

VOCABULARY, HELD, CALLS = 60_198, 256, 8
Rule = Callable[[Tensor], Tensor]


def run() -> Iterator[Result]:
    """Yield a comparison for each rule and shape of logits; what is kept is the same."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, VOCABULARY, generator=generator)
    ranks = torch.randperm(VOCABULARY, generator=generator)[None] + 1
    # A power law, as of words: the first hundred tokens hold nearly all; or all hold as much.
    shapes = {"peaked": noise - 2.4 * ranks.log(), "flat": 0.5 * noise}
    held = torch.randint(VOCABULARY, (HELD,), generator=generator).tolist()
    seen = Seen.of([held], prompts=[HELD // 8])
    for shape, logits in shapes.items():
        for name, (rule, plain) in _rules(seen, held).items():
            torch.testing.assert_close(rule(logits), plain(logits))
            yield compare(
                f"{name}, {shape} logits",
                ours=lambda rule=rule, logits=logits: rule(logits),
                peer=("plain torch", lambda plain=plain, logits=logits: plain(logits)),
                bar=0.5,
                calls=CALLS,
                note=f"of {VOCABULARY:,} tokens; asked is below 0.2 ms a token",
            )


def _rules(seen: Seen, held: list[int]) -> dict[str, tuple[Rule, Rule]]:
    """Return each rule and its plain form in torch."""
    token = torch.from_numpy(seen.token)
    count, generated = torch.from_numpy(seen.count), torch.from_numpy(seen.generated)

    def scaled(factor: Tensor) -> Rule:
        def plain(x: Tensor) -> Tensor:
            found, old = x.clone(), x[0, token].double()
            found[0, token] = torch.where(old > 0, old / factor, old * factor).to(x.dtype)
            return found

        return plain

    def lowered(amount: Tensor) -> Rule:
        return lambda x: x.index_add(1, token, -amount.to(x.dtype)[None])

    return {
        "forbidden": (
            lambda x: forbid(x, held[:4]),
            lambda x: x.index_fill(1, torch.tensor(held[:4]), -math.inf),
        ),
        "repetition_penalty, counted": (
            lambda x: penalties.counted_repetition_penalty(x, seen, 1.01),
            scaled(1.01 ** count.double()),
        ),
        "repetition_penalty, once": (
            lambda x: penalties.repetition_penalty(x, seen, 1.1),
            scaled(torch.full_like(count, 1, dtype=torch.float64) * 1.1),
        ),
        "frequency_penalty": (
            lambda x: penalties.frequency_penalty(x, seen, 0.1),
            lowered(0.1 * generated),
        ),
        "presence_penalty": (
            lambda x: penalties.presence_penalty(x, seen, 0.1),
            lowered(0.1 * (generated > 0)),
        ),
        "no_repeat_ngram": (
            lambda x: penalties.ngram_penalty(x, [set(held[:4])]),
            lambda x: x.index_fill(1, torch.tensor(held[:4]), -math.inf),
        ),
        "temperature": (
            lambda x: rules.temperature(x, 0.8),
            lambda x: (x - x.max()) / 0.8,
        ),
        "top_k": (lambda x: rules.top_k(x, 50), _top_k),
        "top_p": (lambda x: rules.top_p(x, 0.9), lambda x: _shortest(x, -x)),
        "typical": (lambda x: rules.typical(x, 0.9), lambda x: _shortest(x, _strange(x))),
        "min_p": (
            lambda x: rules.min_p(x, 0.05),
            lambda x: x.masked_fill(x < x.max() + math.log(0.05), -math.inf),
        ),
    }


def _top_k(x: Tensor) -> Tensor:
    return x.masked_fill(x < x.topk(50).values[:, -1:], -math.inf)


def _strange(x: Tensor) -> Tensor:
    log_p = x.log_softmax(-1)
    return (log_p + (log_p.exp() * log_p).sum().neg()).abs()


def _shortest(x: Tensor, key: Tensor) -> Tensor:
    """Keep the shortest prefix of a full sort that holds 0.9, as transformers does."""
    order = key.sort(dim=-1, stable=True).indices
    before = x.softmax(-1).gather(1, order).double().cumsum(-1)
    dropped = torch.zeros_like(x, dtype=torch.bool)
    dropped.scatter_(1, order[:, 1:], before[:, :-1] >= 0.9)
    return x.masked_fill(dropped, -math.inf)
