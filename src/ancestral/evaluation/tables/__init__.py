"""Models of mixed tables: how near columns and pairs are, whether rows are told apart, privacy."""

from ancestral.evaluation.tables.evaluate import Tables

__all__ = ["Tables"]
