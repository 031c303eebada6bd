"""Generative models of every paradigm, fitted to your data, compared honestly."""
__version__ = "0.1.0"
