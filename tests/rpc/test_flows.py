"""Conversations without I/O: what a flow asks for, answer by answer, and what it makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from fiscotool.errors import OutcomeUnknown, Refused, RpcError, Unreachable
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.flows import Ask, Call, Flow, Pause, run_flow, send_and_confirm
from fiscotool.rpc.refusals import AlreadyInTxPool, BlockLimitCheckFail, NonceCheckFail, NotStored
from fiscotool.rpc.refusing import refusal
from fiscotool.rpc.replies2_receipt import Receipt2

HASH = "0x" + "ab" * 32
SEND = Call("sendTransaction", ("0x01", False), HASH)
ASK = Call("getTransactionReceipt", (HASH, False))
NOT_THERE = refusal(NotStored.CODE, "GetTransactionReceiptByHash", node="node0", method="getTransactionReceipt")
LOST = OutcomeUnknown("no answer")


def play(flow: Flow[Any], *answers: Any) -> tuple[list[Ask], Any]:
    """What the flow asked, and what it returned or raised, given these answers (errors are thrown in)."""
    asked: list[Ask] = []
    waiting = iter(answers)
    try:
        ask = next(flow)
        while True:
            asked.append(ask)
            answer = None if isinstance(ask, Pause) else next(waiting)
            ask = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    except StopIteration as done:
        return asked, done.value
    except RpcError as problem:
        return asked, problem


def test_an_answer_is_the_receipt() -> None:
    assert play(send_and_confirm("0x01", HASH), "the receipt") == ([SEND], "the receipt")


def test_without_an_answer_the_receipt_is_asked_for_and_the_transaction_not_sent_again() -> None:
    asked, result = play(send_and_confirm("0x01", HASH, pause_s=0.2), LOST, NOT_THERE, Unreachable("gone"), NOT_THERE, "the receipt")
    assert asked == [SEND, ASK, Pause(0.2), ASK, Pause(0.2), ASK, Pause(0.2), ASK]
    assert result == "the receipt"


def test_when_it_never_comes_the_outcome_is_unknown_with_the_hash() -> None:
    asked, result = play(send_and_confirm("0x01", HASH, attempts_max=3), LOST, NOT_THERE, NOT_THERE, Unreachable("node0 is gone"))
    assert [ask for ask in asked if isinstance(ask, Call)] == [SEND, ASK, ASK, ASK]
    assert isinstance(result, OutcomeUnknown)
    assert result.tx_hash == HASH
    assert "after 3 attempts" in result.message
    assert "node0 is gone" in result.message


@pytest.mark.parametrize(
    "problem", [Unreachable("down"), refusal(BlockLimitCheckFail.CODE, "", node="", method="")], ids=["unreachable", "refused"]
)
def test_what_was_definitely_not_done_is_raised_at_once(problem: RpcError) -> None:
    assert play(send_and_confirm("0x01", HASH), problem) == ([SEND], problem)


def test_a_transaction_that_is_in_the_pool_already_is_waited_for() -> None:
    there = refusal(AlreadyInTxPool.CODE, "AlreadyInTxPool", node="", method="")
    assert play(send_and_confirm("0x01", HASH), there, "the receipt") == ([SEND, ASK], "the receipt")


def test_a_used_nonce_is_a_refusal_unless_this_transaction_used_it() -> None:
    """Recorded: a node answers NonceCheckFail to a transaction that it has on its chain."""
    used = refusal(NonceCheckFail.CODE, "NonceCheckFail", node="", method="")
    assert play(send_and_confirm("0x01", HASH), used, "the receipt") == ([SEND, ASK], "the receipt")
    assert play(send_and_confirm("0x01", HASH), used, NOT_THERE) == ([SEND, ASK], used)


def test_the_driver_calls_pauses_and_throws() -> None:
    class Node:
        def __init__(self) -> None:
            self.answers: list[Any] = [LOST, NOT_THERE, "the receipt"]

        def typed_call(self, method: str, params: tuple[Any, ...], *, tx_hash: str = "") -> Any:
            answer = self.answers.pop(0)
            assert (method == "sendTransaction") == (tx_hash == HASH)
            if isinstance(answer, Exception):
                raise answer
            return answer

    pauses: list[float] = []
    receipt: Any = run_flow(send_and_confirm("0x01", HASH, pause_s=0.25), Node(), pause=pauses.append)
    assert receipt == "the receipt"
    assert pauses == [0.25]


def test_the_driver_lets_the_flows_error_out() -> None:
    class Node:
        def typed_call(self, _method: str, _params: tuple[Any, ...], *, tx_hash: str = "") -> Any:
            raise refusal(10002, "TxPoolIsFull", node="node0", method="sendTransaction")

    with pytest.raises(Refused, match="TxPoolIsFull"):
        run_flow(send_and_confirm("0x01", HASH), Node(), pause=lambda _seconds: None)


# 2.x: the answer to sending is that the pool has it; a receipt that is not there is null

SEND2 = Call("sendRawTransaction", ("0x01",), HASH)
ASK2 = Call("getTransactionReceipt", (HASH,))
RECEIPT2 = Receipt2(HASH, 0, 26, "0x", 21272, "0x", "0x", "0x", (), 7, "0x", "0x", "CallAddressError")


def test_on_2x_the_receipt_is_asked_for_until_it_is_there() -> None:
    flow = send_and_confirm("0x01", HASH, pause_s=0.2, dialect=Dialect.FISCO2)
    asked, receipt = play(flow, HASH, None, Unreachable("gone"), RECEIPT2)
    assert asked == [SEND2, ASK2, Pause(0.2), ASK2, Pause(0.2), ASK2]
    assert (receipt.tx_hash, receipt.block_number, receipt.status, receipt.message) == (HASH, 7, 26, "CallAddressError")


def test_on_2x_a_transaction_in_no_block_is_unknown() -> None:
    asked, result = play(send_and_confirm("0x01", HASH, attempts_max=2, dialect=Dialect.FISCO2), HASH, None, None)
    assert [ask for ask in asked if isinstance(ask, Call)] == [SEND2, ASK2, ASK2]
    assert isinstance(result, OutcomeUnknown)


@pytest.mark.parametrize("after", ["null", "its receipt"])
def test_on_2x_a_used_nonce_is_a_refusal_unless_this_transaction_used_it(after: str) -> None:
    """Recorded: TransactionNonceCheckFail also for a transaction that has its block already."""
    used = refusal(-32603, "[dev::tag_comment*] = TransactionNonceCheckFail, txHash=ab", node="", method="", dialect=Dialect.FISCO2)
    asked, result = play(send_and_confirm("0x01", HASH, dialect=Dialect.FISCO2), used, None if after == "null" else RECEIPT2)
    assert asked == [SEND2, ASK2]
    assert result is used or (after == "its receipt" and result.block_number == 7)


def test_on_2x_a_transaction_the_pool_knows_is_waited_for_and_a_lost_answer_is_not_sent_again() -> None:
    known = refusal(-32603, "[dev::tag_comment*] = TransactionAlreadyKown, txHash=ab", node="", method="", dialect=Dialect.FISCO2)
    for first in (known, LOST):
        asked, receipt = play(send_and_confirm("0x01", HASH, dialect=Dialect.FISCO2), first, RECEIPT2)
        assert asked == [SEND2, ASK2]
        assert receipt.block_number == 7
