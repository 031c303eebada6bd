import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.errors import InferenceError
from ancestral.networks import student_network
from ancestral.networks.exact.evidence import by_pattern, read_case, read_rows, smallest_conflict
from ancestral.networks.exact.tables import Tables


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=4))
def test_the_conflict_is_one_and_no_part_of_it_is(conflicts: list[set[int]]) -> None:
    def possible(some: list[int]) -> bool:
        return not any(conflict <= set(some) for conflict in conflicts)

    found = smallest_conflict(range(8), possible)
    assert not possible(found)
    for part in itertools.combinations(found, len(found) - 1):
        assert possible(list(part))


def test_rows_are_grouped_by_what_is_missing() -> None:
    rows = np.array([[0, -1, 1, -1, 0], [1, 1, -1, 0, 0]])
    groups = {tuple(known): members.tolist() for known, members in by_pattern(rows)}
    assert groups == {(True, True): [0, 4], (False, True): [1, 3], (True, False): [2]}
    assert by_pattern(rows[:, :0]) == []


def test_wrong_evidence_is_named() -> None:
    tables = Tables(student_network())
    with pytest.raises(InferenceError, match="the likelihood of 'x1' must be 2 finite numbers"):
        read_case(tables, None, {"x1": [0, 0]})
    with pytest.raises(InferenceError, match=r"not all 0, got shape \[3\]"):
        read_case(tables, None, {"x1": [1, 2, 3]})
    with pytest.raises(InferenceError, match="'x1' has no state 2"):
        read_case(tables, {"x1": 2})
    with pytest.raises(InferenceError, match="all columns need 2 rows, 'x2' has 1"):
        read_rows(tables, {"x1": [0, 1], "x2": [0]})
    with pytest.raises(InferenceError, match="at least one column"):
        read_rows(tables, {})
    with pytest.raises(InferenceError, match="got -2"):
        read_rows(tables, {"x1": [0, -2]})
