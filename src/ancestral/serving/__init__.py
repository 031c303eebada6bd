"""A run, behind HTTP."""
