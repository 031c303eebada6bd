import itertools
import math
from pathlib import Path

import pytest
import torch

from ancestral.data.text import Spelling, Tokenizer, TokenizerKind, tokenise_documents


@pytest.mark.parametrize("kind", ["word", "character"])
def test_the_probabilities_of_all_spellings_sum_to_one(kind: TokenizerKind) -> None:
    spelling = Spelling(Tokenizer.train(["sol mar ñandú"], kind=kind))
    p = torch.from_numpy(spelling._log_p).exp()
    torch.testing.assert_close(p.sum(1), torch.ones(257, dtype=torch.float64))
    # From the edge: words of one byte, of two, and those that are longer.
    one = float(p[256, :256] @ p[:256, 256])
    two = float(p[256, :256] @ p[:256, :256] @ p[:256, 256])
    longer = float((p[256, :256] @ p[:256, :256] @ p[:256, :256]).sum())
    assert float(p[256, 256]) + one + two + longer == pytest.approx(1, abs=1e-12)


def test_each_unknown_word_is_charged_by_its_bytes() -> None:
    tokenizer = Tokenizer.train(["sol mar luna sal"], kind="word")
    spelling = Spelling(tokenizer)
    known, new, strange = spelling.nats("sol sal mal 漢字").tolist(), *spelling.nats("mal 漢字")
    assert known == [new, strange]
    # Like a word of the vocabulary, and like none.
    assert 0 < new < 4 * math.log(257) < strange < 7 * math.log(257) * 1.2
    assert spelling.nats("sol mar").shape == (0,)


def test_pieces_of_bytes_know_every_word() -> None:
    spelling = Spelling(Tokenizer.train(["sol mar luna"], kind="bpe", pieces=270))
    assert spelling.nats("xyz 漢").shape == (0,)


@pytest.mark.parametrize("kind", ["word", "character"])
def test_what_spelling_adds_stands_at_the_unknown_tokens(
    tmp_path: Path, kind: TokenizerKind
) -> None:
    tokenizer = Tokenizer.train(["sol mar luna"], kind=kind)
    path = tmp_path / "a.txt"
    path.write_text("sol xyz mar\nsol\nqué", encoding="utf-8")
    documents, spelling = tokenise_documents(path, tokenizer), Spelling(tokenizer)
    for index in range(3):
        ids, added = documents.ids(index)[1:], spelling.document(documents, index)
        assert added.shape == ids.shape
        assert ((added > 0) == (ids == tokenizer.special.unk)).all()
        assert added.sum().item() == pytest.approx(spelling.nats(documents[index]).sum().item())
    assert spelling.document(documents, 1).sum() == 0


def test_a_text_has_less_than_all_probability_under_words_and_spelling() -> None:
    """A uniform model of tokens, with spelling, over all texts of one token is below one."""
    tokenizer = Tokenizer.train(["a b"], kind="character")
    spelling = Spelling(tokenizer)
    uniform = 1 / tokenizer.vocabulary
    texts = [bytes(pair) for pair in itertools.product(range(128), repeat=1)]
    total = 0.0
    for raw in texts:
        text = raw.decode()
        total += uniform * math.exp(-float(spelling.nats(text).sum()))
    assert 3 * uniform < total < 1
