"""Pictures of a language model for its report: what it expects next, and what it looks at."""

import torch
from torch import Tensor

from ancestral.capabilities import Attends, LanguageModel
from ancestral.data.dataset import Dataset
from ancestral.data.text import Tokenizer
from ancestral.evaluation.drawing import device_of
from ancestral.evaluation.text.drawings import TEMPERATURES, attention_picture, next_token_picture
from ancestral.networks.units import InDataUnits

EXPECTED, BARS = 12, 10
"""Tokens that are read, and the most probable ones shown after them."""

LOOKED, BLOCK = 16, 2
"""Tokens of an attention map, and the block that is shown, the third; the last of fewer."""

_COLOR = "var(--own)"


@torch.no_grad()
def pictures_of(model: InDataUnits, data: Dataset) -> tuple[tuple[str, str], ...]:
    """Return captions and SVG texts of a model that reads the begin of a validation document.

    Training has not seen it; the test split is for figures alone.

    Args:
        model: The model; one that is no language model has none.
        data: Text.

    Returns:
        What it expects next at several temperatures (as figure 42 of the book) and, of one
        that attends, the attention maps of a block (as figure 51).
    """
    network, device = model.network, device_of(model)
    tokenizer, documents = data.text.tokenizer, data.text.validation
    if not isinstance(network, LanguageModel) or not len(documents):  # The run's own text is gone.
        return ()
    # The longest of the first few: a title says little.
    index = max(range(min(5, len(documents))), key=lambda i: int(documents.sizes[i]))
    document = documents.ids(index).to(device)
    return (_expected(network, document, tokenizer), *_looked_at(network, document, tokenizer))


def _expected(model: LanguageModel, document: Tensor, tokenizer: Tokenizer) -> tuple[str, str]:
    read = document[: min(EXPECTED, len(document) - 1, model.window or EXPECTED)]
    logits = model.head(model.features(read[None])[0, -1]).double().cpu()
    shown = logits.topk(min(BARS, len(logits)))
    share = (logits.log_softmax(0)[shown.indices].exp().sum()).item()
    names = [tokenizer.token(index) for index in shown.indices.tolist()]
    said = tokenizer.decode(read.tolist())
    actual = tokenizer.token(int(document[len(read)]))
    caption = (
        f"After «{said}», a text that was not trained on and goes on with «{actual}»: the "
        f"{len(names)} most probable tokens, {share:.0%} of the whole at temperature 1, and their "
        "shares among themselves at other temperatures T."
    )
    temperatures = ", ".join(f"{each:g}" for each in TEMPERATURES)
    label = f"most probable next tokens at temperatures {temperatures}"
    return caption, next_token_picture(shown.values, names, color=_COLOR, label=label)


def _looked_at(
    model: LanguageModel, document: Tensor, tokenizer: Tokenizer
) -> tuple[tuple[str, str], ...]:
    if not isinstance(model, Attends):
        return ()
    read = document[: min(LOOKED, len(document), model.window or LOOKED)]
    maps = model.attention_maps(read[None])
    block = min(BLOCK, len(maps) - 1)
    caption = (
        f"Attention of block {block + 1} of {len(maps)}: how much the token of a row takes from "
        "the token of a column; rows sum to 1, and nothing is taken from what comes later."
    )
    tokens = [tokenizer.token(index) for index in read.tolist()]
    picture = attention_picture(
        maps[block][0].cpu(), tokens, color=_COLOR, label=f"attention maps of block {block + 1}"
    )
    return ((caption, picture),)
