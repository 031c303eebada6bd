"""Generative models of every paradigm, fitted to your data, compared honestly."""
