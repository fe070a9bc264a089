"""A trace as text: what is written is read, and what is not of the format is an error that names the line."""

from __future__ import annotations

import json

import pytest

from fiscotool.check.trace import Members, TraceContext
from fiscotool.check.trace_file import read_trace, write_trace
from fiscotool.errors import UsageError
from tests.check.traces import clean_trace

CONTEXT = TraceContext(
    members=(Members(0, (1, 1, 1, 1)), Members(7, (1, 2, 1), 3)), dialect="classic", faulty=frozenset({"node2"}), slack_s=0.5
)
GOOD = {"replica": "node0", "life": 0, "sequence": 0, "at_s": 1.5, "act": "start"}


def test_what_is_written_is_read() -> None:
    records = clean_trace(2)
    found, context = read_trace(write_trace(records, CONTEXT))
    assert found == records
    assert context == CONTEXT


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([], "empty"),
        (["{"], "line 1 of the trace: no JSON"),
        (["[]"], "no JSON object"),
        (['{"trace": 2}'], "no header"),
        (['{"trace": 1, "dialect": "raft"}'], "dialect 'raft'"),
        (['{"trace": 1, "members": []}'], "members is no list"),
        (['{"trace": 1, "members": [{"weights": [0]}]}'], "weights is no list of numbers above 0"),
        (['{"trace": 1, "faulty": "node1"}'], "faulty is no list"),
        (['{"trace": 1, "missing_max": -1}'], "missing_max is -1"),
    ],
)
def test_a_wrong_header_is_told(lines: list[str], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong.replace("[", r"\[")):
        read_trace(lines)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"act": "jump"}, "no act 'jump'"),
        ({"act": None}, "no act None"),
        ({"replica": ""}, "replica is no name"),
        ({"life": "0"}, "life is no whole number"),
        ({"height": 1.5}, "height is no whole number"),
        ({"at_s": "now"}, "at_s is no number"),
        ({"at_s": 1e300}, "at_s is no number"),
        ({"digest": "XYZ"}, "digest is not lower-case hexadecimal"),
        ({"hieght": 1}, "unknown field 'hieght'"),
    ],
)
def test_a_wrong_record_is_told_with_its_line(change: dict[str, object], wrong: str) -> None:
    lines = ['{"trace": 1}', json.dumps(GOOD), json.dumps({**GOOD, **change})]
    with pytest.raises(UsageError, match="line 3 of the trace: " + wrong):
        read_trace(lines)
    without = {name: value for name, value in GOOD.items() if name != "sequence"}
    with pytest.raises(UsageError, match="line 2 of the trace: sequence is missing"):
        read_trace(['{"trace": 1}', json.dumps(without)])
