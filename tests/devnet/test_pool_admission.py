"""Which transactions the pool takes, and what it says of the others. Spec 3.x 2.5, 2.6, 3.2; recordings rpc/sendTransaction_cases.txt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiscotool.devnet.admission import TX_BYTES_MAX
from fiscotool.devnet.contracts import AdmissionError
from fiscotool.ledger.crypto import BadSignature
from fiscotool.ledger.precompiled import CONSENSUS
from fiscotool.ledger.tx3 import decode_transaction, decode_verified, encode_transaction
from tests.devnet.ledger_world import POOR, RICH, RICH_WEI, USER, World, native, open_world, web3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    yield opened
    opened.close()


def edited(raw: bytes, **changes: Any) -> bytes:
    return encode_transaction(replace(decode_transaction(raw), **changes))


REFUSALS: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("another chain", lambda: native(chain_id="chain1"), 10006, "InvalidChainId"),
    ("another group", lambda: native(group_id="group1"), 10007, "InvalidGroupId"),
    ("a block limit at the height", lambda: native(block_limit=0), 10001, "BlockLimitCheckFail"),
    ("a negative block limit", lambda: native(block_limit=-5), 10001, "BlockLimitCheckFail"),
    ("a block limit one too far", lambda: native(block_limit=1001), 10001, "BlockLimitCheckFail"),
    ("no signature", lambda: edited(native(), signature=b""), 10008, "InvalidSignature"),
    ("a signature of nobody", lambda: edited(native(), signature=b"\xff" * 65), 10008, "InvalidSignature"),
    ("a dataHash of something else", lambda: edited(native(), data_hash=bytes(32)), 10003, "MalformTx"),
    ("more than a MiB", lambda: native(input=bytes(TX_BYTES_MAX)), 10003, "MalformTx"),
    ("no transaction", lambda: b"\x01\x02\x03", -1, ""),
    ("nothing", lambda: b"", -1, ""),
    ("a type that does not exist", lambda: edited(native(), tx_type=2), 10003, "MalformTx"),
    ("a value that is no number", lambda: native(version=1, value="one"), -1, ""),
    ("a value of 257 bits", lambda: native(version=1, value="0x1" + "0" * 64), -1, ""),
    ("a web3 transaction of another chain", lambda: web3(0, chainId=1), 10006, "InvalidChainId"),
    ("a web3 sender without balance", lambda: web3(0, key=POOR, value=0), 10015, "InsufficientFunds"),
    ("a web3 value above the balance", lambda: web3(0, value=RICH_WEI + 1), 10015, "InsufficientFunds"),
    ("a web3 nonce too far ahead", lambda: web3(600_001), 10000, "NonceCheckFail"),
    ("a web3 init code above the limit", lambda: web3(0, to=None, gas=10**7, data=bytes(0xC001)), 10013, "MaxInitCodeSizeExceeded"),
]


@pytest.mark.parametrize(("make", "status", "name"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_refusals(world: World, make: Callable[[], bytes], status: int, name: str) -> None:
    with pytest.raises(AdmissionError) as caught:
        world.pool.admit(make())
    assert caught.value.status == status
    assert caught.value.message == name or (status == -1 and caught.value.message)
    assert world.pool.total_count == 0
    assert world.pool.admit_gossip([make()]) == []
    assert world.pool.refused_gossip == {status: 1}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: native(block_limit=1), id="the nearest block limit"),
        pytest.param(lambda: native(block_limit=1000), id="the farthest block limit"),
        pytest.param(lambda: native("any text"), id="a nonce of any text"),
        pytest.param(lambda: web3(600_000), id="the farthest web3 nonce"),
        pytest.param(lambda: web3(0, chainId=None), id="web3 from before EIP-155"),
        pytest.param(lambda: web3(0, value=RICH_WEI), id="all one has"),
        pytest.param(lambda: web3(0, gasPrice=None, maxFeePerGas=0, maxPriorityFeePerGas=0), id="EIP-1559"),
    ],
)
def test_these_are_taken(world: World, make: Callable[[], bytes]) -> None:
    taken = world.pool.admit(make())
    assert world.pool.get(taken.tx_hash) == taken
    assert taken.sender in {USER.address, RICH.address}
    assert world.pool.total_count == 1


def test_a_second_time_it_is_in_the_pool_and_later_on_the_chain(world: World) -> None:
    """Recorded: sending a committed transaction again is answered NonceCheckFail."""
    raw, other = native("n"), web3(0)
    world.pool.admit(raw)
    world.pool.admit(other)
    for again, status in ((raw, 10004), (native("n", to="33" * 20), 10000), (other, 10004), (web3(0, value=2), 10000)):
        with pytest.raises(AdmissionError) as caught:
            world.pool.admit(again)
        assert caught.value.status == status
    asyncio.run(world.add_block([raw, other]))
    assert world.pool.total_count == 0
    for again in (raw, native("n", to="33" * 20), other, web3(0, value=2)):
        with pytest.raises(AdmissionError) as caught:
            world.pool.admit(again)
        assert caught.value.status == 10000


def test_a_changed_signature_is_another_sender_as_recorded(world: World) -> None:
    """Recorded: "broken signature" in sendTransaction_cases.txt. Some changes leave a signature of nobody."""
    good = decode_transaction(native("n"))
    senders = set()
    for bit in range(8):
        broken = bytearray(good.signature)
        broken[5] ^= 1 << bit
        raw = encode_transaction(replace(good, signature=bytes(broken), data_hash=b""))
        try:
            senders.add(decode_verified(raw)[2])
            world.pool.admit(raw)
            break
        except BadSignature:
            continue
    assert senders
    assert USER.address not in senders


def test_what_the_client_claims_of_its_sender_and_time_is_normalised(world: World) -> None:
    raw = edited(native(), sender=b"\x01" * 20)
    kept = decode_transaction(world.pool.admit(raw).raw)
    assert kept.import_time_ms == 1_700_000_000_123
    assert decode_verified(encode_transaction(kept))[2] == USER.address
    gossiped = native()
    assert world.pool.admit_gossip([gossiped])[0].raw == gossiped


def test_the_exact_text_of_to_makes_a_system_transaction(world: World) -> None:
    """Spec 3.x 6.1 (11)."""
    assert world.pool.admit(native(to=CONSENSUS)).is_system
    assert not world.pool.admit(native(to=f"0x{CONSENSUS}")).is_system
    assert world.pool.admit(native(to="/sys/consensus")).is_system


def test_a_full_pool_refuses_but_for_what_a_proposal_needs(tmp_path: Path) -> None:
    world = open_world(tmp_path, pool_limit=2)
    world.pool.admit_gossip([native(), native()])
    with pytest.raises(AdmissionError) as caught:
        world.pool.admit(native())
    assert (caught.value.status, caught.value.message) == (10002, "TxPoolIsFull")
    assert world.pool.admit_gossip([native()]) == []
    assert len(world.pool.admit_gossip([native()], is_needed=True)) == 1
    world.close()


def test_a_pool_is_full_of_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """15,000 transactions of 1 MiB each would be more memory than any node has."""
    monkeypatch.setattr("fiscotool.devnet.txpool.POOL_BYTES_MAX", 3000)
    world = open_world(tmp_path)
    taken = 0
    with pytest.raises(AdmissionError, match="TxPoolIsFull"):
        for _ in range(30):
            world.pool.admit(native())
            taken += 1
    assert 3 < taken < 30
    raws = [tx.raw for tx in world.pool.seal(taken)]
    assert 3000 <= sum(map(len, raws)) < 3000 + max(map(len, raws))
    world.close()


def test_what_a_proposal_needs_is_taken_from_a_sender_whose_money_is_not_here_yet(world: World) -> None:
    """The proposal may rest on a block this node has not committed; execution judges."""
    raw = web3(0, key=POOR, value=5)
    assert world.pool.admit_gossip([raw]) == []
    assert len(world.pool.admit_gossip([raw], is_needed=True)) == 1


def test_gossip_with_bad_ones_keeps_the_good_ones(world: World) -> None:
    good = [native(), native()]
    taken = world.pool.admit_gossip([good[0], b"garbage", native(chain_id="x"), good[0], good[1]])
    assert [tx.raw for tx in taken] == good
    assert world.pool.refused_gossip == {-1: 1, 10006: 1, 10004: 1}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_make_the_pool_raise_anything_else(world: World, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([native("fuzz"), web3(3), native("fuzz2", version=2, value="0x5", abi="[]")])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    try:
        taken = world.pool.admit(bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw))
    except AdmissionError:
        return
    assert world.executor.execute(world.header(1, world.ledger.head_hash), [taken]).receipts
