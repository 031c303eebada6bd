import json
import subprocess
import sys
from importlib import metadata

import pytest

from ancestral import __version__
from ancestral.cli.app import run, spread
from ancestral.cli.console import one_line

COMMANDS = ["models", "datasets", "fit", "sample", "evaluate", "compare", "interpolate"]
COMMANDS += ["encode", "query", "demo"]


def test_help_has_an_example_and_costs_no_torch() -> None:
    """All pages in one process: a page that imported torch would be found out."""
    code = """
import json, sys, time
from contextlib import redirect_stdout
from io import StringIO
began = time.process_time()
from ancestral.cli.app import run
start = time.process_time() - began
pages, costs = {}, {}
for name in sys.argv[1:]:
    text, began = StringIO(), time.process_time()
    with redirect_stdout(text):
        assert run([name, "--help"] if name else ["--help"]) == 0
    pages[name], costs[name] = text.getvalue(), start + time.process_time() - began
heavy = [name for name in ("torch", "numpy", "sklearn", "pyarrow") if name in sys.modules]
print(json.dumps({"pages": pages, "costs": costs, "heavy": heavy}))
"""
    words = [sys.executable, "-c", code, "", *COMMANDS]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    for name, page in found["pages"].items():
        assert f"Example:  ancestral {name}".rstrip() in page, name
        assert name == "" or "--json" in page
    for name in COMMANDS:
        assert name in found["pages"][""]
    # Processor time, which a crowded machine stretches less than the wall clock.
    assert min(found["costs"].values()) < 0.3


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__ == metadata.version("ancestral")


def test_pairs_after_one_option() -> None:
    assert spread(["--set", "a=1", "b=2", "--steps", "3", "c=4"]) == [
        *["--set", "a=1", "--set", "b=2", "--steps", "3", "c=4"]
    ]
    assert spread(["x", "--given", "a=1", "y"]) == ["x", "--given", "a=1", "y"]


def test_a_message_is_one_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
