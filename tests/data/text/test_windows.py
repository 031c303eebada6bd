from itertools import chain
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestral.capabilities import SpecialTokens
from ancestral.data.text import lengths, pack, target_share
from ancestral.data.text.windows import packed_length, write_padded

SPECIAL = SpecialTokens.of(20)
DOCUMENTS = st.lists(st.lists(st.integers(0, 15), max_size=9), min_size=1, max_size=8)


def stream(documents: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    whole = [[SPECIAL.bos, *document, SPECIAL.eos] for document in documents]
    sizes = torch.tensor([0, *map(len, whole)])
    return torch.tensor(list(chain.from_iterable(whole)), dtype=torch.int32), sizes.cumsum(0)[:-1]


@given(documents=DOCUMENTS, window=st.integers(1, 12))
def test_each_token_is_predicted_once_and_nothing_is_cut(
    documents: list[list[int]], window: int
) -> None:
    tokens, _ = stream(documents)
    filled = torch.full((packed_length(len(tokens), window),), SPECIAL.pad, dtype=torch.int32)
    filled[: len(tokens)] = tokens
    windows = pack(filled, window)
    assert windows.shape == (len(windows), window + 1)
    assert len(filled) - len(tokens) < window + 1
    # Targets, one window's after the other's, are the stream but its first token, then PAD only.
    targets = windows[:, 1:].flatten()
    assert targets[: len(tokens) - 1].tolist() == tokens[1:].tolist()
    assert (targets[len(tokens) - 1 :] == SPECIAL.pad).all()
    assert windows[1:, 0].tolist() == windows[:-1, -1].tolist()
    assert windows.data_ptr() == filled.data_ptr()
    # What is predicted is every token and every end, once; a beginning is given.
    wanted = sum(len(document) + 1 for document in documents)
    assert int(SPECIAL.predicted(windows[:, 1:]).sum()) == wanted
    assert target_share(windows, SPECIAL) == wanted / windows[:, 1:].numel()
    assert lengths(windows, SPECIAL.pad).tolist() == [
        int((row != SPECIAL.pad).sum()) for row in windows
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=DOCUMENTS, window=st.integers(1, 12))
def test_padded_windows_are_documents_cut_or_filled(
    tmp_path: Path, documents: list[list[int]], window: int
) -> None:
    tokens, starts = stream(documents)
    windows = write_padded(tmp_path / "w", tokens, starts, window, SPECIAL.pad)
    for row, document in zip(windows.tolist(), documents, strict=True):
        whole = [SPECIAL.bos, *document, SPECIAL.eos, *[SPECIAL.pad] * (window + 1)]
        assert row == whole[: window + 1]


def test_padding_keeps_the_end_of_short_documents_only(tmp_path: Path) -> None:
    # E-C09: of documents of more than T - 1 tokens the end is cut away, and nothing teaches it.
    tokens, starts = stream([[1] * size for size in range(10)])
    windows = write_padded(tmp_path / "w", tokens, starts, 5, SPECIAL.pad)
    assert int((windows == SPECIAL.eos).sum()) == 5


def test_a_stream_of_another_length_is_refused() -> None:
    for size in (3, 6, 8):
        with pytest.raises(ValueError, match=rf"N \* 3 \+ 1 tokens, got {size}"):
            pack(torch.arange(size), 3)
    assert len(lengths(torch.empty(0, 4), 3)) == 0
