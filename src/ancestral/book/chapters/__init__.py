"""The chapters of the book, one file each, in its order."""

from dataclasses import dataclass

from ancestral.book.chapters import (
    adversarial,
    autoencoders,
    estimation,
    language,
    layers,
    networks,
    neural,
    probability,
    trained,
)
from ancestral.book.entry import Entry


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: its number in the book, its title, and what of it can be made anew."""

    number: int
    english: str
    spanish: str
    entries: tuple[Entry, ...]


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(
        1,
        "Overview, probability and neural networks",
        "Panorama, probabilidad y redes neuronales",
        probability.ENTRIES + neural.ENTRIES + trained.NEURAL,
    ),
    Chapter(
        2,
        "Bayesian networks, estimation and information",
        "Redes bayesianas, estimación e información",
        networks.ENTRIES + estimation.ENTRIES,
    ),
    Chapter(
        3, "Language models and GPT", "Modelos de lenguaje y GPT", language.ENTRIES + layers.ENTRIES
    ),
    Chapter(
        7,
        "Adversarial networks and image architectures",
        "Redes adversarias y arquitecturas de imágenes",
        adversarial.ENTRIES + trained.ADVERSARIAL,
    ),
    Chapter(
        9,
        "Autoencoders and variational autoencoders",
        "Autoencoderes y autoencoderes variacionales",
        autoencoders.ENTRIES + trained.AUTOENCODERS,
    ),
)

__all__ = ["CHAPTERS", "Chapter"]
