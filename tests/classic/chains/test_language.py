import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.capabilities import Fits, HasDensity, LanguageModel
from ancestral.classic import AddK, KneserNey, NGram, WittenBell
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.classic.chains.smoothing import Smoothing
from ancestral.data.text import pack
from ancestral.data.text.windows import packed_length

V, BOS, EOS, PAD = 7, 3, 4, 6
documents = st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=6)
every_model = pytest.mark.parametrize(
    ("order", "smoothing"), [(1, KneserNey()), (2, AddK(0.3)), (3, WittenBell()), (3, None)]
)


def packed(corpus: list[list[int]]) -> torch.Tensor:
    stream = [token for text in corpus for token in (BOS, *text, EOS)]
    return torch.tensor([[*stream, PAD, PAD]])


@every_model
@settings(deadline=None, max_examples=25)
@given(corpus=documents)
def test_window_is_the_product_of_its_documents(
    order: int, smoothing: Smoothing | None, corpus: list
) -> None:
    model = NGramLanguageModel(V, order=order, smoothing=smoothing).fit(packed(corpus))
    assert isinstance(model, LanguageModel)
    assert isinstance(model, HasDensity)
    assert isinstance(model, Fits)
    alone = model.chain.log_prob([torch.tensor([*text, EOS]) for text in corpus]).sum()
    assert model.log_prob(packed(corpus)).item() == pytest.approx(alone.item(), abs=1e-9)
    logits = model.head(model.features(packed(corpus)[:, :-3]))
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(logits.shape[:-1]))


@every_model
@settings(deadline=None, max_examples=50)
@given(corpus=documents.filter(any), window=st.integers(1, 12))
def test_packed_windows_are_counted_as_whole_documents(
    order: int, smoothing: Smoothing | None, corpus: list[list[int]], window: int
) -> None:
    stream = torch.tensor([token for text in corpus for token in (BOS, *text, EOS)])
    filled = torch.nn.functional.pad(
        stream, (0, packed_length(len(stream), window) - len(stream)), value=PAD
    )
    model = NGramLanguageModel(V, order=order, smoothing=smoothing).fit(pack(filled, window))
    whole = NGram(V, order=order, smoothing=smoothing, ends=False)
    whole.fit([torch.tensor([*text, EOS]) for text in corpus])
    for name, buffer in whole.named_buffers():
        assert torch.equal(model.chain.get_buffer(name), buffer), name


def test_padded_windows_are_documents_of_their_own() -> None:
    # The second begins with BOS, the third, cut from a text, with what the second does not end in.
    rows = torch.tensor(
        [[BOS, 0, 1, 2], [BOS, 2, EOS, PAD], [1, 2, EOS, PAD], [BOS, EOS, PAD, PAD]]
    )
    model = NGramLanguageModel(V, order=3).fit(rows)
    whole = NGram(V, order=3, ends=False)
    whole.fit([torch.tensor(text) for text in ([0, 1, 2], [2, EOS], [1, 2, EOS], [EOS])])
    for name, buffer in whole.named_buffers():
        assert torch.equal(model.chain.get_buffer(name), buffer), name


@every_model
def test_step_by_step_is_all_at_once(order: int, smoothing: Smoothing | None) -> None:
    corpus = [[0, 1, 2, 1, 0], [2, 2, 1]]
    model = NGramLanguageModel(V, order=order, smoothing=smoothing).fit(packed(corpus))
    tokens = torch.tensor([[BOS, 0, 1, 2, 1, 1], [BOS, 2, 2, 1, 0, 0]])
    state = model.start(2, length=6)
    counts = torch.tensor([2, 3])
    first = model.advance(tokens[:, :3], state, counts=counts)
    second = model.advance(torch.tensor([[1, 2, 1], [1, 0, 0]]), state)
    found = [torch.cat((first[b, : counts[b]], second[b])) for b in range(2)]
    whole = model.features(tokens)
    torch.testing.assert_close(found[0], whole[0, :5])
    torch.testing.assert_close(found[1], whole[1])
    state.rewind(torch.tensor([2, 3]))
    again = model.advance(torch.tensor([[1], [1]]), state)
    torch.testing.assert_close(again[:, 0], torch.stack((whole[0, 2], whole[1, 3])))


def test_conditional_is_probabilities() -> None:
    model = NGramLanguageModel(V, order=3).fit(packed([[0, 1, 2, 1, 0], [2, 2, 1]]))
    for context, begin in (([], False), ([], True), ([1], True), ([1], False), ([0, 1], False)):
        contexts = np.array([([-1, V + 1] if begin else [-1, -1]) + context])[:, -2:]
        whole = model.chain.probabilities(context, begin=begin)
        found = model.chain.conditional(contexts.repeat(V, 0), np.arange(V))
        np.testing.assert_allclose(found, whole.numpy(), atol=1e-12)


def test_small_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary must be at least 5"):
        NGramLanguageModel(4)
