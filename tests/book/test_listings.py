"""The book's listings, kept as peers of the benchmarks, have the parameters that were counted."""

import torch
from benchmarks import book_cgan, book_gan, book_image_vae, book_unet, book_vae
from torch import nn


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_listings_have_the_parameters_that_were_counted() -> None:
    with torch.device("meta"):
        assert size(book_cgan.Generator()) == 1_484_976
        assert size(book_cgan.Discriminator()) == 1_476_769
        assert size(book_gan.make_generator()) == 11_234
        assert size(book_gan.make_discriminator()) == 10_753
        assert size(book_vae.Encoder()) == 11_776
        assert size(book_vae.Decoder()) == 11_234
        assert size(book_image_vae.ImageEncoder()) == 287_136
        assert size(book_image_vae.ImageDecoder()) == 165_569
        assert size(book_unet.UNet(3, 3)) == 31_031_875
