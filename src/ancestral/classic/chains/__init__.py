"""Chains: Markov chains of any order, n-grams, hidden Markov models and a tagger made of one."""
