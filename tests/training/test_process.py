import subprocess
import sys
from textwrap import dedent

import pytest

STEPS = dedent("""
    import resource, torch
    from ancestral.training.process import tune_process
    torch.set_num_threads(1)
    if {tuned}:
        tune_process()
    weights = [torch.randn(256, 256, requires_grad=True) for _ in range(6)]
    x = torch.randn(1000, 256)
    def step():
        y = x
        for weight in weights:
            y = (y @ weight).relu()
        y.square().sum().backward()
    for _ in range(20):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
""")

DENORMAL = dedent("""
    import torch
    from ancestral.training.process import tune_process
    tune_process()
    print((torch.full((1000,), 1e-38) * 1e-3).count_nonzero().item())
""")


def printed(script: str) -> int:
    command = [sys.executable, "-c", script]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is needed")
def test_the_memory_of_a_step_serves_the_next() -> None:
    # A step makes a dozen tensors of 250 pages each; kept, hardly a page faults again.
    assert printed(STEPS.format(tuned=True)) < 10 * 250


def test_denormals_are_flushed() -> None:
    assert printed(DENORMAL) == 0
