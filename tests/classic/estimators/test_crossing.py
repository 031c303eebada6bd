import numpy as np
import pytest
import torch

from ancestral.classic.estimators.crossing import array, generator, tensor, value_errors
from ancestral.errors import DataError


def test_a_tensor_is_a_copy() -> None:
    x = np.arange(3.0)
    x.setflags(write=False)
    copy = tensor(x)
    copy.zero_()
    assert x.tolist() == [0.0, 1.0, 2.0]
    assert array(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]


def test_a_seed_decides_and_a_state_moves_on() -> None:
    assert generator(3).initial_seed() == generator(3).initial_seed()
    state = np.random.RandomState(0)
    assert generator(state).initial_seed() != generator(state).initial_seed()


def test_what_a_user_can_mend_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no rows") as caught, value_errors():
        raise DataError("no rows")
    assert isinstance(caught.value.__cause__, DataError)
