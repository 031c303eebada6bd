import pytest
import torch
from torch import nn

from ancestral.nn.resizable import resize_on_load


class Rows(nn.Module):
    def __init__(self, rows: int, names: tuple[str, ...] = ("x",)) -> None:
        super().__init__()
        self.register_buffer("x", torch.arange(2.0 * rows, dtype=torch.float64).reshape(rows, 2))
        resize_on_load(self, names)


def test_an_empty_module_takes_the_saved_shape_and_type() -> None:
    for source, target in ((Rows(5), Rows(0).float()), (Rows(0), Rows(3))):
        target.load_state_dict(source.state_dict())
        assert torch.equal(target.x, source.x)
        assert target.x.dtype == torch.float64
        assert target.x is not source.x


def test_it_works_inside_a_larger_module() -> None:
    outer = nn.Sequential(nn.Linear(1, 1), Rows(4))
    fresh = nn.Sequential(nn.Linear(1, 1), Rows(0))
    fresh.load_state_dict(outer.state_dict())
    assert torch.equal(fresh[1].x, outer[1].x)


def test_what_is_missing_or_has_other_axes_is_still_an_error() -> None:
    with pytest.raises(RuntimeError, match="Missing key"):
        Rows(0).load_state_dict({})
    with pytest.raises(RuntimeError, match="size mismatch"):
        Rows(0).load_state_dict({"x": torch.zeros(3)})


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="names must be buffers of the module"):
        Rows(1, names=("y",))
