"""The vector-quantised variational autoencoder of images, with an autoregressive prior."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution

from ancestral.autoencoders.code_prior import CodePrior
from ancestral.autoencoders.conditionals import full_precision
from ancestral.autoencoders.image_networks import DiscretisedLogisticDecoder
from ancestral.autoencoders.quantisers import Quantiser
from ancestral.autoencoders.variational import WithMeans
from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.networks.arguments import check_whole
from ancestral.networks.elbo import elbo
from ancestral.networks.nodes import Node
from ancestral.networks.point_mass import PointMass
from ancestral.nn.code_pyramid import CodeDecoder, CodeEncoder, code_side


class _Rounded(nn.Module):
    """q(codes | x): all in the codes that the encoder's vectors are rounded to."""

    def __init__(self, encoder: nn.Module, quantiser: Quantiser) -> None:
        super().__init__()
        self.encoder, self.quantiser = encoder, quantiser

    def forward(self, x: Tensor) -> PointMass:
        """Return the codes of x [B, C, S, S] as a point, event shape [M]."""
        codes = self.quantiser(full_precision(self.encoder(x))).codes
        return PointMass(codes, event_dims=1)


class _OfCodes(nn.Module):
    """p(x | codes): a decoder that reads the vectors of the codes."""

    def __init__(self, decoder: nn.Module, quantiser: Quantiser) -> None:
        super().__init__()
        # In a tuple: its buffers are q's, and stand in a checkpoint once.
        self.decoder, self._of_q = decoder, (quantiser,)

    def forward(self, codes: Tensor) -> Distribution:
        """Return p(x | codes) for codes int64 [*B, M]."""
        return self.decoder(self._of_q[0].vectors(codes))


class VQVAE(WithMeans):
    """``p = {z | label, x | z}`` and ``q = {z | x}``, z being codes: a grid of whole numbers.

    The encoder's vectors are rounded to codes, through which the gradient is passed as it is. The
    prior reads the codes of an image one after another and is trained beside, in the same run: the
    codes are constants to it. As q is a single point, the generic bound is the log-probability of
    pixels and codes together, ``log p(x | z(x)) + log p(z(x) | label)``, exact and computed
    without a draw; it is a lower bound on ``log p(x | label)``, which sums over all codes.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
    arXiv:1711.00937; Mentzer et al. 2023, arXiv:2309.15505.

    Args:
        quantiser: Rounds vectors to codes.
        language: Reads codes, for the prior; see :class:`CodePrior`.
        channels: Channels C of the images, 1 or 3.
        size: Side S in pixels, at least 1; codes stand for 4 x 4 pixels.
        classes: Number of labels that the prior is given; 0 for none.
        levels: Number of grey levels, at least 2.
        width: Channels at half of the side; twice as many at a quarter.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.autoencoders import FSQ
        >>> from ancestral.autoregressive import GPT
        >>> from ancestral.nn.transformer import GPTShape
        >>> shape = GPTShape(window=4, width=16, layers=1, heads=2)
        >>> model = VQVAE(FSQ((4, 4)), GPT(16 + 1 + 4, shape=shape), size=8, levels=17, width=8)
        >>> x = torch.zeros(3, 1, 8, 8)
        >>> model.codes(x).shape, model.elbo(x).shape, model.sample(2).shape
        (torch.Size([3, 4]), torch.Size([3]), torch.Size([2, 1, 8, 8]))
    """

    commitment = 0.25
    """Weight of the squared distance of the encoder's vectors from their codes."""

    def __init__(
        self,
        quantiser: Quantiser,
        language: nn.Module,
        *,
        channels: int = 1,
        size: int = 32,
        classes: int = 0,
        levels: int = 256,
        width: int = 32,
    ) -> None:
        for name, value in {"channels": channels, "size": size, "width": width}.items():
            check_whole(name, value)
        features, codes = quantiser.features, quantiser.codes
        length = code_side(size) ** 2
        prior = CodePrior(language, length=length, codes=codes, classes=classes)
        encoder = CodeEncoder(channels, features, size=size, width=width)
        pixels = DiscretisedLogisticDecoder(
            CodeDecoder(features, 2 * channels, size=size, width=width), levels=levels
        )
        label = ("label",) if classes else ()
        p = [
            Node("z", prior, label, (length,)),
            Node("x", _OfCodes(pixels, quantiser), ("z",), (channels, size, size)),
        ]
        super().__init__(
            p, [Node("z", _Rounded(encoder, quantiser), ("x",), (length,))], classes=classes
        )

    @property
    def quantiser(self) -> Quantiser:
        """Rounds the encoder's vectors to codes."""
        return self._rounding.quantiser

    @property
    def _rounding(self) -> _Rounded:
        found = self.encoder
        assert isinstance(found, _Rounded)
        return found

    @property
    def _pixels(self) -> nn.Module:
        found = self.decoder
        assert isinstance(found, _OfCodes)
        return found.decoder

    def codes(self, x: Tensor) -> Tensor:
        """Return the codes of images x [B, C, S, S], int64 [B, M], row by row."""
        return self.encoder(x).mean

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return the vectors of the codes of x as a point mass, event shape [M * D]."""
        self._check_given(given, len(x))
        return PointMass(self.quantiser.vectors(self.codes(x)).flatten(1), event_dims=1)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | codes), [B, C, S, S], of vectors [B, M * D] or codes [B, M].

        Vectors are rounded to codes first.
        """
        self._check_given(given, len(z))
        if z.is_floating_point():
            z = self.quantiser.nearest(z.unflatten(1, (-1, self.quantiser.features)))
        return self.decoder(z).mean

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return log p(x, codes of x | label), or its sum over labels: a lower bound, nats, [B].

        Nothing is drawn: ``draws`` and ``generator`` change nothing.
        """
        check_whole("draws", draws)

        def bound(label: dict[str, Tensor]) -> Tensor:
            return elbo(self.p, self.q, {"x": x, **label}, generator=generator)

        if self.labels is None or given:
            return bound(self._label(given, len(x)))
        every = [
            bound({"label": torch.full((len(x),), k, device=x.device)}) for k in range(self.classes)
        ]
        return (torch.stack(every, -1) + self.labels.probabilities.log()).logsumexp(-1)

    def players(self) -> Sequence[Player]:
        """Return the one player: it raises the bound, with codes that are constants to the prior.

        A codebook that follows the batch couples its examples.
        """
        coupled = self.quantiser.coupled
        return [Player(name="vae", module=self, loss=self._loss, couples_examples=coupled)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x, label = batch.x, self._label(batch.given, len(batch.x))
        z = full_precision(self._rounding.encoder(x))
        rounded = self.quantiser(z)
        if self.training:
            self.quantiser.learn(z.detach(), rounded.codes, generator)
        reconstruction = self._pixels(rounded.vectors).log_prob(x)
        prior = self.p.nodes["z"].distribution([*label.values()]).log_prob(rounded.codes)
        cost = rounded.cost.sum(-1)
        metrics = {
            "reconstruction": reconstruction.detach().mean(),
            "kl": -prior.detach().mean(),
            "used_codes": torch.tensor(float(len(rounded.codes.unique()))),
        }
        raised = reconstruction + prior - self.commitment * cost
        return Loss(-raised.sum(), weight=len(x), metrics=metrics)

    def _check_given(self, given: Given | None, n: int) -> None:
        """Refuse anything given but a label, which neither encoder nor decoder reads."""
        if given:
            self._label(given, n)
