import math

import pytest

from ancestral.errors import ConfigError
from ancestral.training.options import Options

WRONG = [
    ("batch_size", 0),
    ("accumulate", 0),
    ("validate_every", 0),
    ("learning_rate", 0.0),
    ("learning_rate", math.nan),
    ("weight_decay", -0.1),
    ("hidden_weight_decay", math.inf),
    ("warmup", -1),
    ("max_grad_norm", math.inf),
    ("ema_decay", 1.0),
    ("patience", -1),
    ("betas", (0.9, 1.0)),
    ("optimizer", "lion"),
    ("schedule", "linear"),
    ("precision", "fp8"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_out_of_range_is_one_line_with_name_and_value(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Options(**{name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} must ")
    assert text.endswith(f"got {value}")
    assert "\n" not in text
