"""Shared by all tests and by the examples in docstrings: each begins at the same seed."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
    torch.set_flush_denormal(False)  # The command line sets it; hypothesis needs subnormals.
