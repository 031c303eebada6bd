"""Comparisons with peers: both sides interleaved in one run, medians, the ratio printed."""
