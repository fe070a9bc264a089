"""What single transactions give, against recorded receipts where there are any. Spec 3.x 3.3, 3.7; recordings rpc, timeline/expand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.executor import BlockExecutor
from fiscotool.devnet.form3 import FORM3
from fiscotool.devnet.nonces import NonceWindow
from fiscotool.devnet.outcome import failed, succeeded
from fiscotool.devnet.receipts import ReceiptWriter
from fiscotool.ledger.precompiled import decode_revert
from fiscotool.ledger.receipt3 import Receipt, decode_receipt, encode_receipt, hash_receipt
from tests.devnet.ledger_world import NOBODY, POOR, RICH, RICH_WEI, USER, World, native, open_world, tx, web3
from tests.ledger.samples import lines, recorded_blocks


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    yield opened
    opened.close()


def only(block: ExecutedBlock) -> Receipt:
    assert len(block.receipts) == 1
    return decode_receipt(block.receipts[0])


class LedgerAt:
    """A ledger that stands at some height, for receipts whose hash covers the block number."""

    form = FORM3

    def __init__(self, world: World, height: int) -> None:
        self.height = height
        self.nonces = NonceWindow(1000)
        self.account, self.setting, self.nodes = world.ledger.account, world.ledger.setting, world.ledger.nodes


@pytest.mark.parametrize(
    ("number", "data"),
    [
        pytest.param(3, bytes.fromhex("12345678"), id="a call with data to an account without code: status 16"),
        pytest.param(6, b"", id="a plain call: status 0"),
    ],
)
def test_roots_and_gas_are_those_of_the_recorded_block(world: World, number: int, data: bytes) -> None:
    told = next(block for block in recorded_blocks() if block["number"] == number)
    executor = BlockExecutor(LedgerAt(world, number - 1))
    block = executor.execute(world.header(number, bytes(32)), [tx(native(to=f"0x{NOBODY}", input=data, block_limit=5))])
    assert f"0x{block.header.receipts_root.hex()}" == told["receiptsRoot"]
    assert f"0x{block.header.state_root.hex()}" == told["stateRoot"]
    assert block.header.gas_used == told["gasUsed"]


def membership_events() -> list[dict[str, Any]]:
    rows = lines("timeline", "expand_node4_observer_sealer_remove_txs.jsonl.xz")
    return [row["response"]["result"] for row in rows if row.get("event") in {"addObserver", "addSealer", "remove"}]


def test_recorded_membership_changes_give_the_recorded_receipts(world: World) -> None:
    """A fifth node becomes observer, sealer, nobody; each receipt hashes to what the real chain answered."""
    told = membership_events()
    assert len(told) == 3
    ledger = LedgerAt(world, 0)
    nodes = dict(world.ledger.nodes())
    for receipt in told:
        ledger.height = receipt["blockNumber"] - 1
        ledger.nodes = dict(nodes).copy
        raw = native(to=receipt["to"], input=bytes.fromhex(receipt["input"][2:]))
        block = BlockExecutor(ledger).execute(world.header(receipt["blockNumber"], bytes(32)), [tx(raw)])
        mine = only(block)
        assert f"0x{hash_receipt(mine).hex()}" == receipt["hash"]
        assert f"0x{mine.output.hex()}" == receipt["output"]
        for node_id, record in block.changes.nodes.items():
            nodes.pop(node_id, None)
            if record is not None:
                nodes[node_id] = record
                assert record.enable_number == receipt["blockNumber"] + 1
    assert nodes == world.ledger.nodes()


def test_recorded_calls_are_answered_as_recorded(world: World) -> None:
    seen = 0
    for line in lines("rpc", "read_methods_genesis.jsonl.xz"):
        request = json.loads(line["request"])
        if request["method"] != "call" or "result" not in line["response"]:
            continue
        _, _, to, data = request["params"][:4]
        status, output, _ = world.executor.call(bytes(20), to, bytes.fromhex(data[2:]))
        told = line["response"]["result"]
        assert (status, f"0x{output.hex()}") == (told["status"], told["output"])
        seen += 1
    assert seen


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        pytest.param({"to": "", "input": b"\x60\x00"}, 10, "the embedded engine has no EVM", id="a deployment says there is no EVM"),
        pytest.param({"to": "", "input": b""}, 10, "the embedded engine has no EVM", id="an empty deployment too"),
        pytest.param({"to": "0x1234"}, 19, "not an address", id="a short address"),
        pytest.param({"to": "0x"}, 19, "not an address", id="nothing but 0x"),
        pytest.param({"to": "zz" * 20}, 19, "not an address", id="40 characters that are not hex"),
        pytest.param({"to": "/sys/nothing"}, 19, "not an address", id="an unknown path"),
        pytest.param({"to": f"{0x1001:040x}", "input": b"1234"}, 16, "no EVM", id="a system contract this engine lacks"),
        pytest.param({"to": f"{0x1003:040x}"}, 15, "Empty param data", id="a system contract without data"),
        pytest.param({"version": 1, "value": "0x1"}, 7, "below the value", id="value of an account that has none"),
        pytest.param({"version": 1, "value": "0x1", "to": f"{0x1003:040x}"}, 15, "takes no value", id="value to a system contract"),
    ],
)
def test_failures_are_receipts_with_a_reason(world: World, changes: dict[str, Any], status: int, text: str) -> None:
    block = world.execute([native(**changes)])
    receipt = only(block)
    assert receipt.status == status
    assert text in receipt.message
    assert decode_revert(receipt.output)
    assert block.changes.failed_count == 1
    assert block.header.state_root == bytes(32)


def test_value_of_a_native_transaction_moves_only_if_it_is_signed(world: World) -> None:
    """The hash of version 0 does not cover `value`: anyone on the way could have written it."""
    block = world.execute([native("a", key=RICH, version=1, value="0x10"), native("b", key=RICH, version=0, value="0x10")])
    assert block.changes.accounts[RICH.address] == (RICH_WEI - 16, 0)
    assert block.changes.accounts[bytes.fromhex(NOBODY)] == (16, 0)


def test_web3_transfers_move_value_and_count_nonces(world: World) -> None:
    block = world.execute([web3(0, value=7), web3(1, value=8), web3(2, value=RICH_WEI)])
    assert [decode_receipt(raw).status for raw in block.receipts] == [0, 0, 7]
    assert block.changes.accounts[RICH.address] == (RICH_WEI - 15, 3)
    assert world.ledger.balance(RICH.address) == RICH_WEI, "not before it is committed"


def test_a_transfer_to_oneself_changes_the_nonce_only(world: World) -> None:
    block = world.execute([web3(0, to=f"0x{RICH.address.hex()}", value=RICH_WEI)])
    assert only(block).status == 0
    assert block.changes.accounts == {RICH.address: (RICH_WEI, 1)}


def test_nobody_can_own_more_than_256_bits(tmp_path: Path) -> None:
    from tests.devnet.ledger_world import GENESIS, genesis

    world = open_world(tmp_path, genesis(GENESIS + f"\n0x{POOR.address.hex()}={2**256 - 1}"))
    block = world.execute([web3(0, to=f"0x{POOR.address.hex()}", value=1)])
    assert only(block).status == 10012
    assert block.changes.accounts == {RICH.address: (RICH_WEI, 1)}
    world.close()


@pytest.mark.parametrize("nonces", [(1,), (0, 0), (0, 2), (5, 0)], ids=["a gap", "twice", "a gap behind", "a gap before"])
def test_a_web3_nonce_out_of_turn_gets_a_failed_receipt_and_changes_nothing(world: World, nonces: tuple[int, ...]) -> None:
    block = world.execute([web3(nonce, value=1 + at) for at, nonce in enumerate(nonces)])
    statuses = [decode_receipt(raw).status for raw in block.receipts]
    assert sorted(statuses) == sorted([0] * (0 in nonces) + [10000] * (len(nonces) - (0 in nonces)))
    assert world.executor.call(b"", "", b"")[0] == 10, "the executor goes on"
    assert block.changes.accounts.get(RICH.address, (0, 0))[1] == (0 in nonces)


def test_a_native_nonce_is_used_once_in_a_block_over_uncommitted_and_over_committed_blocks(world: World) -> None:
    async def scenario() -> None:
        first = world.execute([native("same"), native("same", to="33" * 20)])
        assert [decode_receipt(raw).status for raw in first.receipts] == [0, 10000]
        ahead = world.execute([native("same", to="44" * 20), native("other")], parent=first)
        assert [decode_receipt(raw).status for raw in ahead.receipts] == [10000, 0]
        await world.commit(first)
        await world.commit(ahead)
        again = world.execute([native("same"), native("other", to="55" * 20)])
        assert [decode_receipt(raw).status for raw in again.receipts] == [10000, 10000]
        assert again.changes.nonces == b""

    asyncio.run(scenario())


def test_nonces_are_free_again_outside_the_window_on_every_node_alike(tmp_path: Path) -> None:
    """Two nodes, one with all blocks committed, one that runs ahead of its disk, agree at the edge of the window."""
    from tests.devnet.ledger_world import genesis

    async def scenario() -> None:
        worlds = [open_world(tmp_path / name, genesis(block_limit=3)) for name in ("eager", "lazy")]
        results: list[list[bytes]] = []
        for world, is_eager in zip(worlds, (True, False), strict=True):
            parent = None
            hashes = []
            for number in range(1, 8):
                parent = world.execute([native("same", to=f"{number:040x}".replace("0", "6"))], parent=None if is_eager else parent)
                hashes.append(parent.block_hash)
                if is_eager or number == 1:
                    await world.commit(parent)
            results.append(hashes)
        assert results[0] == results[1]
        statuses = [decode_receipt(worlds[0].ledger.block_receipts(number)[0]).status for number in range(1, 8)]
        assert statuses == [0, 10000, 10000, 10000, 0, 10000, 10000], "block 5 is the first with block 1 outside of its window"
        for world in worlds:
            world.close()

    asyncio.run(scenario())


def test_receipts_are_what_the_ledger_room_encodes() -> None:
    writer = ReceiptWriter(9)
    outcomes = [succeeded(), failed(16, "x"), succeeded(), succeeded(b"\x01"), failed(16, "x")]
    for outcome in outcomes:
        writer.add(outcome)
    for index, outcome in enumerate(outcomes):
        whole = Receipt(
            version=0,
            gas_used="21000",
            contract_address="",
            status=outcome.status,
            output=outcome.output,
            logs=(),
            block_number=9,
            message=outcome.message,
            cumulative_gas_used=str(21000 * (index + 1)),
            transaction_index=index,
        )
        assert writer.encoded[index] == encode_receipt(whole)
        assert decode_receipt(writer.encoded[index]) == whole
        assert writer.hashes[index] == hash_receipt(whole)
    assert writer.failed_count == 2


def test_a_system_transaction_is_one_only_without_0x_but_works_with_it(world: World) -> None:
    """Spec 3.x 6.1 (11)."""
    from fiscotool.ledger.precompiled import CONSENSUS, encode_call

    data = encode_call("addObserver(string)", (USER.node_id.hex(),))
    plain, prefixed = world.execute([native(to=CONSENSUS, input=data)]), world.execute([native(to=f"0x{CONSENSUS}", input=data)])
    assert plain.is_system
    assert not prefixed.is_system
    assert plain.changes.nodes == prefixed.changes.nodes != {}


def test_what_the_header_claims_before_execution_does_not_matter(world: World) -> None:
    header = world.header(1, world.ledger.head_hash)
    honest = world.executor.execute(header, [tx(native("n"))])
    claimed = replace(header, txs_root=b"x" * 32, receipts_root=b"y" * 32, state_root=b"z" * 32, gas_used="7", signatures=((0, b"s"),))
    assert world.executor.execute(claimed, honest.txs).block_hash == honest.block_hash


def test_blocks_out_of_order_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="before block 1"):
        world.executor.execute(world.header(2, bytes(32)), [])
    with pytest.raises(ValueError, match="committed already"):
        world.executor.execute(world.header(0, bytes(32)), [])
