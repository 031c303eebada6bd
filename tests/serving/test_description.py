"""Any request that its description allows, and many that it does not, gets a described answer."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from tests.serving.conftest import Server


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_are_as_described(server: Server, mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) == 8
    for operation in operations:
        if mode.is_negative and operation.method != "post":
            continue  # Nothing is sent that could be wrong.

        @given(operation.as_strategy(generation_mode=mode))
        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case: schemathesis.Case) -> None:
            # Whether a grammar can be read, say, is more than a description can tell.
            case.call_and_validate(excluded_checks=[checks.positive_data_acceptance])

        ask()


def test_every_error_is_described(server: Server) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    found = paths["/v1/completions"]["post"]["responses"]
    assert set(found) == {*("200", "400", "401", "404", "408", "413", "429", "500", "503", "504")}
    assert set(found["200"]["content"]) == {"application/json", "text/event-stream"}
