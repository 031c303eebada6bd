"""How language models are built from their configs; see :mod:`ancestral.recipes.wiring`."""

from ancestral.data.dataset import Dataset
from ancestral.data.transforms import Tokens, Transform
from ancestral.training.options import Options

OPTIONS = Options(
    batch_size=16,
    betas=(0.9, 0.95),
    weight_decay=0.1,
    warmup=50,
    max_grad_norm=1.0,
    validate_every=100,
    patience=10,
)
"""Of the training of language models; the rate comes from the size of the network."""


def tokens(data: Dataset) -> Transform:
    """Return the transform of text: token ids stay as they are."""
    del data  # There is nothing to fit.
    return Tokens()
