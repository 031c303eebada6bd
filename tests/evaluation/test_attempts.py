import pytest

from ancestral.errors import DivergenceError
from ancestral.evaluation.attempts import Attempts


def test_failures_become_notes_and_the_rest_goes_on() -> None:
    attempts = Attempts()

    def diverge() -> None:
        raise DivergenceError("first line\nsecond line")

    assert attempts("samples", diverge) is None
    assert attempts("elbo", lambda: 2.0) == 2.0
    assert attempts.notes == ["samples: first line"]


def test_mistakes_of_the_program_are_not_hidden() -> None:
    with pytest.raises(KeyError):
        Attempts()("elbo", lambda: {}["missing"])
