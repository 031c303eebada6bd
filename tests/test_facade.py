import importlib
import pkgutil
import subprocess
import sys

import pytest

import ancestral

PACKAGES = [
    name
    for _, name, is_package in pkgutil.walk_packages(ancestral.__path__, "ancestral.")
    if is_package
]


def test_importing_costs_no_torch() -> None:
    code = """
import sys, time
began = time.process_time()
import ancestral
print(time.process_time() - began, "torch" in sys.modules, "numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *heavy = done.stdout.split()
    assert heavy == ["False", "False"]
    assert float(seconds) < 0.1


@pytest.mark.parametrize("name", ["ancestral", *PACKAGES])
def test_every_name_is_there_once(name: str) -> None:
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    for each in names:
        assert getattr(module, each) is not None
    # Constants, classes, functions; each group by the alphabet, as the linter sorts them.
    groups = [(not n.isupper(), not n[0].isupper(), n) for n in names]
    assert groups == sorted(groups)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ancestral.nothing  # noqa: B018
    assert "fit" in dir(ancestral)
