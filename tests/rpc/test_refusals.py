"""Every documented error code has a class that says what it means (spec 3.x 2.5; bcos-protocol TransactionStatus.h)."""

from __future__ import annotations

import pytest

from fiscotool.errors import ExitCode, Refused
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.refusals import ExecutionFailed, KnownRefusal
from fiscotool.rpc.refusals2 import BY_CODE2, BY_WORD2
from fiscotool.rpc.refusals_ranges import NetworkFailure, SchedulerFailure, TransactionSyncFailure
from fiscotool.rpc.refusing import BY_CODE, BY_NAME, essence, refusal
from fiscotool.rpc.status import TransactionStatus, status_name

DOCUMENTED = [-32700, -32600, -32601, -32602, -32603, *range(-32005, -31999), -1, *range(3001, 3011), *range(10000, 10016)]


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_has_its_own_class(code: int) -> None:
    kind = BY_CODE[code]
    assert code == kind.CODE
    problem = refusal(code, "what the node said", node="node1", method="sendTransaction")
    assert type(problem) is kind
    assert problem.code == code
    assert problem.exit_code is ExitCode.RPC
    assert problem.message.startswith(f"node1 refused sendTransaction with 'what the node said' (code {code}): ")
    assert kind.__doc__
    assert problem.hint == kind.NEXT != ""


def test_no_two_codes_share_a_class() -> None:
    assert len(set(BY_CODE.values())) == len(BY_CODE) == len(DOCUMENTED)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1000, NetworkFailure),
        (1999, NetworkFailure),
        (2003, TransactionSyncFailure),
        (-70000, SchedulerFailure),
        (-70012, SchedulerFailure),
    ],
)
def test_codes_of_which_only_the_range_is_documented(code: int, kind: type[KnownRefusal]) -> None:
    problem = refusal(code, "x", node="node1", method="call")
    assert type(problem) is kind
    assert problem.code == code
    assert problem.hint
    assert type(refusal(code, "x", node="", method="", dialect=Dialect.FISCO2)) is Refused


DOCUMENTED2 = [-40012, *range(-40011, -40000), -40099, -100001, -32700, *range(-32604, -32599)]


@pytest.mark.parametrize("code", DOCUMENTED2)
def test_every_documented_code_of_2x_has_its_own_class(code: int) -> None:
    kind = BY_CODE2[code]
    assert code == kind.CODE
    problem = refusal(code, "what the node said", node="node1", method="getBlockNumber", dialect=Dialect.FISCO2)
    assert type(problem) is kind
    assert problem.hint == kind.NEXT != ""
    assert kind.__doc__ is not None
    assert kind.__doc__.rstrip(".") in problem.message
    assert set(BY_CODE2) == set(DOCUMENTED2)
    assert len(set(BY_CODE2.values())) == len(DOCUMENTED2)


@pytest.mark.parametrize(("code", "word", "kind"), BY_WORD2)
def test_words_of_2x_diagnostics_decide_where_the_code_does_not(code: int, word: str, kind: type[KnownRefusal]) -> None:
    text = (
        f"INTERNAL_ERROR: : x.cpp(1): Throw in function f\nstd::exception::what: std::exception\n[dev::tag_comment*] = {word}, txHash=1…\n"
    )
    problem = refusal(code, text, node="node1", method="sendRawTransaction", dialect=Dialect.FISCO2)
    assert type(problem) is kind
    assert problem.hint
    assert word in problem.message
    assert "Throw in function" not in problem.message


@pytest.mark.parametrize("status", [status for status in TransactionStatus if status >= 10000])
def test_pool_statuses_are_known_by_name_on_the_ethereum_port(status: TransactionStatus) -> None:
    kind = BY_NAME[status_name(status)]
    assert status == kind.CODE
    assert type(refusal(-32603, status_name(status), node="", method="", dialect=Dialect.ETHEREUM)) is kind


def test_general_codes_of_the_ethereum_port_are_not_taken_for_native_ones() -> None:
    assert type(refusal(-32000, "filter not found", node="", method="", dialect=Dialect.ETHEREUM)) is Refused
    assert type(refusal(-32601, "Method not found", node="", method="", dialect=Dialect.ETHEREUM)) is BY_CODE[-32601]


def test_a_failed_call_carries_what_it_returned() -> None:
    problem = refusal(16, "", node="node0", method="eth_call", data="0x08c379a0", dialect=Dialect.ETHEREUM)
    assert isinstance(problem, ExecutionFailed)
    assert problem.data == "0x08c379a0"
    assert "RevertInstruction" in problem.message


def test_an_unknown_code_is_a_plain_refusal() -> None:
    problem = refusal(-40404, "new in 3.99", node="node0", method="getBlockNumber")
    assert type(problem) is Refused
    assert not isinstance(problem, KnownRefusal)
    assert "new in 3.99" in problem.message


def test_the_sentence_in_a_cpp_diagnostic_is_found() -> None:
    text = "/src/x.cpp(514): Throw in function void f()\nDynamic exception type: boost::wrapexcept<X>\nstd::exception::what: Chain ID mismatch!\n"
    assert essence(text) == "Chain ID mismatch!"
    assert essence("a\x1b[31mb\n\n c") == "a [31mb c"
    assert len(essence("x" * 5000)) < 400


def test_status_names_are_fiscos() -> None:
    assert [status_name(code) for code in (0, 16, 10002, 10012, 10014, 777)] == [
        "None",
        "RevertInstruction",
        "TxPoolIsFull",
        "OverFlowValue",
        "SenderNoEOA",
        "777",
    ]
