import dataclasses
from pathlib import Path

import pytest

from ancestral.errors import DamagedFileError, RunError
from ancestral.evaluation import Figure
from ancestral.recipes import RECIPES, fit, plan
from ancestral.recipes.record import Record, Result, versions
from ancestral.training.budget import Budget
from ancestral.training.metrics import check_format

PATH = Path("run.toml")


def record_of(name: str, data: str = "digits", **settings: object) -> Record:
    made = plan(name, data, settings=settings, seed=3)
    return Record(
        model=name,
        seed=3,
        device="cpu",
        threads=2,
        versions=versions(),
        data=made.data_record,
        config=made.config,
        options=made.options,
        budget=made.budget,
        transform=made.transform().spec(),
        sampling=made.sampling,
        result=Result(
            status="finished",
            stopped="early",
            steps=7,
            best=Figure(-1.5, None, "nats", "bound", floor=0.5),
        ),
    )


@pytest.mark.parametrize("name", RECIPES)
def test_toml_and_back(
    name: str, states_csv: Path, verses_txt: Path, cells: Path, negatives: Path, tmp_path: Path
) -> None:
    own = {"images": "digits", "vectors": "moons", "text": str(verses_txt)}
    kinds = RECIPES[name].kinds
    own |= {"images": str(cells if name == "segment" else negatives)} if RECIPES[name].needs else {}
    data = next((own[kind] for kind in own if kind in kinds), str(states_csv))
    settings: dict[str, object] = {"pixels": 12} if data == "digits" else {}
    for part in RECIPES[name].needed_parts:
        own_settings = {**settings, "size": "tiny"}
        base = fit(
            "flow-matching",
            data,
            settings=own_settings,
            budget=Budget(steps=1),
            out=tmp_path / part,
        )
        settings[part] = str(base.folder)
    record = record_of(name, data, **settings)
    assert Record.from_toml(record.to_toml(), PATH) == record


def test_settings_that_are_none_survive() -> None:
    record = record_of("vae")
    assert 'decoder_std = "learned"' in record.to_toml()
    assert Record.from_toml(record.to_toml(), PATH).config == record.config


def test_a_run_made_before_a_setting_is_read_as_it_was_made(verses_txt: Path) -> None:
    made = record_of("gpt", str(verses_txt), parts="book", weight_decay=0.5)
    new = ("hidden_weight_decay", "parts")
    lines = made.to_toml().splitlines(keepends=True)
    old = "".join(line for line in lines if not line.startswith(new))
    assert len(lines) - old.count("\n") == 2
    found = Record.from_toml(old, PATH)
    assert found.config == made.config
    assert found.options is not None
    assert found.options.hidden_weight_decay == 0.5


@pytest.mark.parametrize("found", [None, "1", 0, True, 1.5])
def test_a_format_that_is_none_is_damage(found: object) -> None:
    with pytest.raises(DamagedFileError, match=r"run\.toml is damaged"):
        check_format(found, PATH)


def test_a_newer_format_is_refused() -> None:
    check_format(1, PATH)
    with pytest.raises(RunError, match=r"format 9; this one reads 2\): upgrade"):
        check_format(9, PATH)


def test_results_without_a_figure() -> None:
    result = Result()
    assert Result.from_plain(result.to_plain()) == result
    assert "best" not in result.to_plain()
    assert dataclasses.replace(result, steps=4).to_plain()["steps"] == 4
