"""The variational autoencoder of mixed tables: one categorical head a column."""

from collections.abc import Sequence

from torch import Tensor, nn

from ancestral.autoencoders.conditionals import CategoricalDecoder
from ancestral.autoencoders.likelihoods import Categoricals
from ancestral.autoencoders.vae import reader, row_nodes
from ancestral.autoencoders.variational import WithBound
from ancestral.capabilities import Given
from ancestral.networks.cells import OneHot


class TableVAE(WithBound):
    """A variational autoencoder of rows of cells: ``p = {z, x | z}`` and ``q = {z | x}``.

    The columns are independent given z, each a categorical of its cells, so that the bound is one
    on the probability of the row, in nats. A cell that is not known, -1, is summed out exactly: the
    encoder does not see it, and the bound is on the probability of the others. Conditional on a
    label, which is no column, where there are classes.

    Source: Kingma & Welling 2014, arXiv:1312.6114; a head for each column: Xu et al. 2019, Modeling
    Tabular Data using Conditional GAN, arXiv:1907.00503, sec. 4.5 (TVAE).

    Args:
        sizes: Number of cells of each of the D columns.
        latent: Dimension L of z, at least 1.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        classes: Number K of labels, which are no column; 0 for an unconditional model.
        prior: The conditional p(z), called with nothing; Normal(0, I) if None.

    Raises:
        ValueError: If a width is not positive.

    Example:
        >>> import torch
        >>> model = TableVAE([2, 3], latent=4, hidden=(32,))
        >>> model.sample(3).shape, model.elbo(torch.tensor([[0, 2], [1, -1]])).shape
        (torch.Size([3, 2]), torch.Size([2]))
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        latent: int = 16,
        hidden: Sequence[int] = (256, 256),
        classes: int = 0,
        prior: nn.Module | None = None,
    ) -> None:
        cells = sum(sizes)
        encoder = reader(cells, 2 * latent, hidden, classes=classes, before=OneHot(sizes))
        logits = reader(latent, cells, tuple(hidden)[::-1], classes=classes)
        decoder = CategoricalDecoder(logits, sizes)
        counts = {"features": len(sizes), "latent": latent, "classes": classes}
        super().__init__(*row_nodes(encoder, decoder, prior=prior, **counts), classes=classes)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the most probable cell of each column under p(x | z), int64 [B, D], z [B, L]."""
        decoded = self._decoded(z, given)
        assert isinstance(decoded, Categoricals)
        return decoded.mode
