"""Generative models of every paradigm, fitted to your data, compared honestly.

Names are imported when they are first asked for: ``import ancestral`` costs no torch.

Example:
    >>> import ancestral
    >>> ancestral.student_network().graph.names
    ('x1', 'x2', 'x3', 'x4')
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestral.adversarial import GAN
    from ancestral.autoencoders import VAE, ImageVAE
    from ancestral.book import reproduce
    from ancestral.classic import (
        HMM,
        KDE,
        Classifier,
        Empirical,
        GaussianMixture,
        LinearRegression,
        LogisticRegression,
        MarkovChain,
        NaiveBayes,
        NGram,
    )
    from ancestral.data import Dataset, Loading, TextLoading, Tokenizer, load
    from ancestral.errors import AncestralError
    from ancestral.evaluation import Figure, Setting, evaluate
    from ancestral.networks import (
        DAG,
        BayesianNetwork,
        Deterministic,
        Inference,
        LinearGaussian,
        Node,
        StandardNormal,
        Table,
        elbo,
        estimate_log_prob,
        gaussian_query,
        gibbs,
        likelihood_weighting,
        query,
        read_bif,
        read_network,
        student_network,
        write_network,
    )
    from ancestral.networks.units import InDataUnits
    from ancestral.recipes import (
        Recipe,
        Run,
        compare,
        edit_images,
        encode_run,
        evaluate_run,
        export_run,
        fit,
        impute,
        interpolate_run,
        open_network,
        plan,
        register,
        resume,
        sample,
        sample_run,
        segment_images,
        start,
        translate_images,
    )
    from ancestral.training import Budget, Options

__version__ = "0.1.0"

__all__ = [
    "DAG",
    "GAN",
    "HMM",
    "KDE",
    "VAE",
    "AncestralError",
    "BayesianNetwork",
    "Budget",
    "Classifier",
    "Dataset",
    "Deterministic",
    "Empirical",
    "Figure",
    "GaussianMixture",
    "ImageVAE",
    "InDataUnits",
    "Inference",
    "LinearGaussian",
    "LinearRegression",
    "Loading",
    "LogisticRegression",
    "MarkovChain",
    "NGram",
    "NaiveBayes",
    "Node",
    "Options",
    "Recipe",
    "Run",
    "Setting",
    "StandardNormal",
    "Table",
    "TextLoading",
    "Tokenizer",
    "compare",
    "edit_images",
    "elbo",
    "encode_run",
    "estimate_log_prob",
    "evaluate",
    "evaluate_run",
    "export_run",
    "fit",
    "gaussian_query",
    "gibbs",
    "impute",
    "interpolate_run",
    "likelihood_weighting",
    "load",
    "open_network",
    "plan",
    "query",
    "read_bif",
    "read_network",
    "register",
    "reproduce",
    "resume",
    "sample",
    "sample_run",
    "segment_images",
    "start",
    "student_network",
    "translate_images",
    "write_network",
]

_HOME = {
    "adversarial": ("GAN",),
    "autoencoders": ("VAE", "ImageVAE"),
    "book": ("reproduce",),
    "classic": (
        "HMM",
        "KDE",
        "Classifier",
        "Empirical",
        "GaussianMixture",
        "LinearRegression",
        "LogisticRegression",
        "MarkovChain",
        "NGram",
        "NaiveBayes",
    ),
    "data": ("Dataset", "Loading", "TextLoading", "Tokenizer", "load"),
    "errors": ("AncestralError",),
    "evaluation": ("Figure", "Setting", "evaluate"),
    "networks.units": ("InDataUnits",),
    "recipes": (
        "Recipe",
        "Run",
        "compare",
        "edit_images",
        "encode_run",
        "evaluate_run",
        "export_run",
        "fit",
        "impute",
        "interpolate_run",
        "open_network",
        "plan",
        "register",
        "resume",
        "sample",
        "sample_run",
        "segment_images",
        "start",
        "translate_images",
    ),
    "training": ("Budget", "Options"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((module for module, names in _HOME.items() if name in names), "networks")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
