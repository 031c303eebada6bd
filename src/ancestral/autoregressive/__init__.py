"""Sequences, token by token: the full chain, its factors tied."""
