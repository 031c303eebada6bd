"""The variational autoencoder of mixed tables: one categorical head a column."""

from collections.abc import Sequence

from torch import Tensor, nn

from ancestral.autoencoders.conditionals import CategoricalDecoder
from ancestral.autoencoders.vae import Autoencoder, refuse_given
from ancestral.capabilities import Given
from ancestral.networks.cells import OneHot
from ancestral.nn.mlp import MLP


class TableVAE(Autoencoder):
    """A variational autoencoder of rows of cells: ``p = {z, x | z}`` and ``q = {z | x}``.

    The columns are independent given z, each a categorical of its cells, so that the bound is one
    on the probability of the row, in nats. A cell that is not known, -1, is summed out exactly: the
    encoder does not see it, and the bound is on the probability of the others.

    Source: Kingma & Welling 2014, arXiv:1312.6114; a head for each column: Xu et al. 2019, Modeling
    Tabular Data using Conditional GAN, arXiv:1907.00503, sec. 4.5 (TVAE).

    Args:
        sizes: Number of cells of each of the D columns.
        latent: Dimension L of z, at least 1.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        components: Gaussians of a learned mixture prior; 0 for the prior Normal(0, I).

    Raises:
        ValueError: If a width is not positive, or components is negative.

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
        components: int = 0,
    ) -> None:
        cells = sum(sizes)
        encoder = nn.Sequential(OneHot(sizes), MLP(cells, 2 * latent, hidden=hidden))
        decoder = CategoricalDecoder(MLP(latent, cells, hidden=tuple(hidden)[::-1]), sizes)
        super().__init__(
            encoder, decoder, features=len(sizes), latent=latent, components=components
        )

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the most probable cell of each column under p(x | z), int64 [B, D], z [B, L]."""
        refuse_given(given)
        return self.decoder(z).mode
