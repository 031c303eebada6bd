"""Shared by all tests: seeded, float64 by request, real data found through one variable."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
    torch.set_flush_denormal(False)  # The command line sets it; hypothesis needs subnormals.


@pytest.fixture
def float64() -> None:
    """Make float64 the default for this test; the fixture above restores it."""
    torch.set_default_dtype(torch.float64)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("ANCESTRAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ANCESTRAL_DATA")
    return folder
