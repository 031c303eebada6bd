import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from ancestral import Budget
from ancestral.errors import ConfigError, RunError
from ancestral.nn.low_rank import adapters, trainable
from ancestral.recipes import Run, plan, start
from ancestral.recipes.record import Record
from ancestral.training.options import Options, by_adamw
from ancestral.training.tuning import Tuning

TINY = {"size": "tiny", "tokenizer": "word", "window": 16, "batch_size": 8}


@pytest.fixture
def base(verses_txt: Path, tmp_path: Path) -> Run:
    """Return a run of two steps."""
    fitting = start(plan("gpt", verses_txt, settings=TINY, budget=Budget(steps=2)), tmp_path / "b")
    list(fitting)
    return fitting.run


@contextmanager
def files_of(most: int) -> Iterator[None]:
    """Let the system refuse every file of more bytes, as it does where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_adapters_take_ten_times_the_rate_of_all_weights() -> None:
    usual = Options(learning_rate=3e-3)
    whole, adapted = (
        Tuning(start="run", lora=rank).options(usual).learning_rate for rank in (None, 4)
    )
    assert (whole, adapted) == (pytest.approx(1e-3), pytest.approx(1e-2))


def test_the_strength_is_the_rank_unless_it_is_set() -> None:
    assert Tuning(start="run", lora=4).strength == 4.0
    assert Tuning(start="run", lora=4, lora_alpha=0.5).strength == 0.5
    with pytest.raises(ConfigError, match="lora must be at least 1, got 0"):
        Tuning(start="run", lora=0)


@pytest.mark.bits
def test_a_plan_begins_at_the_weights_of_the_run(base: Run, verses_txt: Path) -> None:
    settings = {"start": base.folder, "lora": 2, "dropout": 0.3}
    made = plan("gpt", verses_txt, settings=settings)
    kept = base.model().network
    model = made.build(made.transform())
    x = made.data.validation.x[:3, :-1]
    with torch.no_grad():
        assert torch.equal(model.eval()(x), kept(x))
    assert made.config.dropout == 0.3
    assert made.config.layers == base.record.config.layers
    assert made.loading.text.tokenizer == "word"
    assert made.options.optimizer == "adamw"  # Its rates are known, Muon's of adapters are not.
    rate = by_adamw(base.record.options).learning_rate
    assert made.options.learning_rate == pytest.approx(10 / 3 * rate)
    again = made.build(made.transform())
    assert all(
        torch.equal(value, trainable(again)[name]) for name, value in trainable(model).items()
    )
    assert all(name.startswith("blocks.") for name in adapters(model))


def test_the_record_tells_the_run_and_the_fingerprint_of_its_weights(
    base: Run, verses_txt: Path, tmp_path: Path
) -> None:
    made = plan("gpt", verses_txt, settings={"start": base.folder}, budget=Budget(steps=1))
    record = start(made, tmp_path / "tuned").run.record
    tuning = record.tuning
    assert tuning is not None
    assert (tuning.start, tuning.lora) == (str(base.folder), None)
    assert len(tuning.fingerprint) == 64
    assert Record.from_toml(record.to_toml(), tmp_path / "run.toml") == record
    (base.folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ConfigError, match=r"start: .*model\.safetensors is damaged"):
        plan("gpt", verses_txt, settings={"start": base.folder})


@pytest.mark.parametrize(("most", "name"), [(100, "tokenizer.json"), (20_000, "checkpoint")])
def test_a_beginning_that_cannot_be_written_leaves_nothing(
    base: Run, verses_txt: Path, tmp_path: Path, most: int, name: str
) -> None:
    made = plan("gpt", verses_txt, settings={"start": base.folder}, budget=Budget(steps=2))
    out = tmp_path / "above" / "tuned"
    with files_of(most), pytest.raises(RunError, match=f"{name}.*File too large"):
        start(made, out)
    assert not out.parent.exists()
    list(start(made, out))
    with files_of(most), pytest.raises(RunError, match="File too large"):
        start(made, out, overwrite=True)
    assert list(start(made, out)), "what stands there could not be begun again"
