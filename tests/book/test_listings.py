"""The book's listings, kept as peers of the benchmarks, have the parameters that were counted."""

import runpy
from pathlib import Path

import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
COUNTED = {
    "book_cgan": {"Generator": 1_484_976, "Discriminator": 1_476_769},
    "book_gan": {"make_generator": 11_234, "make_discriminator": 10_753},
    "book_vae": {"Encoder": 11_776, "Decoder": 11_234},
    "book_image_vae": {"ImageEncoder": 287_136, "ImageDecoder": 165_569},
    "book_unet": {"UNet": 31_031_875},
}


def test_the_listings_have_the_parameters_that_were_counted() -> None:
    for file, networks in COUNTED.items():
        names = runpy.run_path(str(BENCHMARKS / f"{file}.py"))
        for name, count in networks.items():
            with torch.device("meta"):
                network = names[name]()
            assert sum(parameter.numel() for parameter in network.parameters()) == count, name
