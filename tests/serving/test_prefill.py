import math

import pytest
import torch
from tests.serving.models import BOS, BUILDERS, V, every_model, job, sharp
from torch import Tensor

from ancestral.autoregressive import GPT, GPTShape
from ancestral.errors import DivergenceError
from ancestral.serving.prefill import CHUNK, Prefill


@every_model
def test_pieces_are_fixed_and_lead_to_the_state_of_the_whole(name: str) -> None:
    model = BUILDERS[name]()
    tokens = list(job(90, 1, 0).prompt)
    prefill = Prefill(model, tokens)
    assert [prefill.read() for _ in range(3)] == [CHUNK, 90 - CHUNK, 0]
    assert prefill.done
    state = model.start(1, length=90)
    whole = model.head(model.advance(torch.tensor([tokens]), state)[:, -1])[0]
    off = 0.2 if name == "gpt-int8" else 1e-3  # One step of a quantised input; float32.
    torch.testing.assert_close(prefill.logits(), whole, atol=off, rtol=0)
    assert prefill.state.lengths.tolist() == [90]
    assert prefill.scores is None


class Counting(GPT):
    """Remembers the most rows that its head was given."""

    most = 0

    def head(self, features: Tensor) -> Tensor:
        self.most = max(self.most, features[..., 0].numel())
        return super().head(features)


def test_the_logits_of_a_prompt_are_never_held_all_at_once() -> None:
    model = Counting(V, shape=GPTShape(window=200, width=16, layers=1, heads=2))
    sharp(model)
    prefill = Prefill(model, job(201, 0, 0).prompt, goes_on=False, scores=True, alternatives=V + 9)
    while not prefill.done:
        prefill.read()
    assert prefill.scores is not None
    assert len(prefill.scores.log_probs) == 200
    assert model.most == CHUNK
    for told in prefill.scores.alternatives:
        assert sorted(token for token, _ in told) == list(range(V))
        assert math.fsum(math.exp(p) for _, p in told) == pytest.approx(1, abs=1e-5)
        assert [p for _, p in told] == sorted((p for _, p in told), reverse=True)


def test_a_prompt_that_diverges_is_not_scored() -> None:
    model = sharp(GPT(V, shape=GPTShape(window=8, width=16, layers=1, heads=2)))
    model.get_parameter("tokens.weight")[3] = torch.nan
    prefill = Prefill(model, [BOS, 3, 4], scores=True)
    with pytest.raises(DivergenceError, match="the largest logit must be finite"):
        prefill.read()
