from pathlib import Path

import pytest
from tests.serving.conftest import serving

from ancestral.autoregressive.reduced import Int8LanguageModel
from ancestral.errors import CapabilityError
from ancestral.serving.limits import Limits
from ancestral.serving.opening import open_run


def test_requests_without_a_seed_repeat_where_they_come_in_the_same_order(folder: Path) -> None:
    found = []
    for _ in range(2):
        with serving(folder / "kneser-ney") as server:
            found.append(server.complete(prompt=["sol", "luna"], n=2)["choices"])
    assert found[0] == found[1]


def test_a_run_is_opened_in_eight_bits(folder: Path) -> None:
    limits = Limits()
    exact = open_run(folder / "gpt", limits)
    small = open_run(folder / "gpt", limits, int8=True, name="small")
    try:
        assert isinstance(small.writer.model, Int8LanguageModel)
        assert (exact.name, small.name) == ("gpt", "small")
        assert small.window == exact.window
    finally:
        assert exact.engine.close(timeout=10)
        assert small.engine.close(timeout=10)


def test_a_model_of_counts_has_no_weights_of_eight_bits(folder: Path) -> None:
    with pytest.raises(CapabilityError, match="kneser-ney has no weights"):
        open_run(folder / "kneser-ney", Limits(), int8=True)
