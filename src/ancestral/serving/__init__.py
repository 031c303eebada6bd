"""A language model that many ask at once: one engine for all of them."""
