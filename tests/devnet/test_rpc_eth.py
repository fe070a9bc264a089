"""The Ethereum JSON-RPC and the filters of both ports over a chain in memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from eth_account import Account
from eth_utils.address import is_checksum_address

from fiscotool.devnet.rpc_errors import RpcFault
from fiscotool.devnet.rpc_eth import BATCH_MAX, Web3Rpc
from fiscotool.devnet.rpc_eth_shapes import logs_bloom
from fiscotool.devnet.rpc_exchange import Pending
from fiscotool.devnet.rpc_filters import BLOCKS_PER_QUESTION, FILTERS_MAX, FilterKind, Filters
from fiscotool.devnet.rpc_native import NativeRpc
from fiscotool.devnet.rpc_view import ChainView
from fiscotool.ledger.crypto import KeyPair, keccak256
from fiscotool.ledger.receipt3 import LogEntry, decode_receipt, encode_receipt
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from tests.devnet.rpc_world import World, identity, small_world
from tests.devnet.test_rpc_native import finished
from tests.support.shared import ROOT

ACCOUNT = Account.from_key(bytes(31) + b"\x0c")
ADDRESS = bytes.fromhex(ACCOUNT.address[2:])
KEY = KeyPair.from_secret(bytes(31) + b"\x0d")


def raw_legacy(nonce: int, *, value: int = 5, chain_id: int = 20200, gas_price: int = 0) -> Any:
    fields = {"nonce": nonce, "gasPrice": gas_price, "gas": 21000, "to": "0x" + "22" * 20, "value": value, "data": b"", "chainId": chain_id}
    return ACCOUNT.sign_transaction(fields)


def raw_1559(nonce: int) -> Any:
    fields = {"nonce": nonce, "maxFeePerGas": 7, "maxPriorityFeePerGas": 1, "gas": 30000, "to": "0x" + "22" * 20, "value": 1, "data": b""}
    return ACCOUNT.sign_transaction(fields | {"chainId": 20200, "type": 2})


class Client:
    def __init__(self, world: World) -> None:
        self.world = world
        self.rpc = Web3Rpc(world, identity(world))

    async def raw(self, value: Any) -> Any:
        return await finished(self.rpc.handle(json.dumps(value).encode()))

    async def ask(self, method: str, *params: Any) -> Any:
        return await self.raw({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})

    async def result(self, method: str, *params: Any) -> Any:
        answer = await self.ask(method, *params)
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, method: str, *params: Any) -> tuple[int, str]:
        answer = await self.ask(method, *params)
        return answer["error"]["code"], answer["error"]["message"]


def funded() -> World:
    world = small_world()
    world.ledger.balances[ADDRESS] = 10**18
    return world


def test_every_method_is_documented() -> None:
    async def scenario() -> None:
        text = (ROOT / "docs" / "rpc.md").read_text()
        for name in Client(small_world()).rpc.method_names:
            assert name.split("_")[1] in text, name

    asyncio.run(scenario())


def test_raw_transactions_are_taken_and_shown() -> None:
    async def scenario() -> None:
        client = Client(funded())
        for nonce, signed in enumerate((raw_legacy(0), raw_1559(1))):
            tx_hash = f"0x{signed.hash.hex().removeprefix('0x')}"
            assert await client.result("eth_sendRawTransaction", f"0x{signed.raw_transaction.hex().removeprefix('0x')}") == tx_hash
            tx = await client.result("eth_getTransactionByHash", tx_hash)
            receipt = await client.result("eth_getTransactionReceipt", tx_hash)
            block = await client.result("eth_getBlockByNumber", "latest", True)
            assert block["transactions"] == [tx]
            assert tx["from"] == receipt["from"] == ACCOUNT.address
            assert tx["hash"] == receipt["transactionHash"] == tx_hash
            assert tx["nonce"] == hex(nonce)
            assert tx["type"] == receipt["type"] == hex(2 * nonce)
            assert tx["chainId"] == "0x4ee8"
            assert int(tx["r"], 16) == signed.r
            assert int(tx["s"], 16) == signed.s
            assert tx["v"] in {"0x0", "0x1"}
            assert receipt["status"] == "0x1"
            assert receipt["blockHash"] == block["hash"]
            assert is_checksum_address(block["miner"])
        assert tx["maxFeePerGas"] == "0x7"
        assert tx["maxPriorityFeePerGas"] == "0x1"
        assert tx["accessList"] == []
        assert await client.result("eth_getTransactionCount", ACCOUNT.address, "latest") == "0x2"
        native = NativeRpc(client.world, identity(client.world))
        body = {"jsonrpc": "2.0", "method": "getTransaction", "params": ["group0", "", tx_hash, False], "id": 1}
        shown = (await finished(native.handle(json.dumps(body).encode())))["result"]
        assert (shown["value"], shown["maxFeePerGas"], shown["gasLimit"]) == ("1", "7", 30000)

    asyncio.run(scenario())


def test_raw_transactions_are_refused_as_a_real_node_does() -> None:
    async def scenario() -> None:
        poor = Client(small_world())
        good = f"0x{raw_legacy(0).raw_transaction.hex().removeprefix('0x')}"
        assert await poor.error("eth_sendRawTransaction", good) == (-32602, "InsufficientFunds")
        client = Client(funded())
        rich = f"0x{raw_legacy(0, value=2 * 10**18).raw_transaction.hex().removeprefix('0x')}"
        assert await client.error("eth_sendRawTransaction", rich) == (-32602, "InsufficientFunds")
        assert (await client.error("eth_sendRawTransaction", good[:-8]))[0] == -32602
        assert (await client.error("eth_sendRawTransaction", "0x01c0"))[0] == -32602
        assert (await client.error("eth_sendRawTransaction", "0xzz"))[0] == -32603
        assert await client.result("eth_sendRawTransaction", good)
        assert await client.error("eth_sendRawTransaction", good) == (-32603, "NonceCheckFail")

    asyncio.run(scenario())


def test_pending_counts_what_waits() -> None:
    async def scenario() -> None:
        client = Client(funded())
        client.world.seals_at_once = False
        await client.result("eth_sendRawTransaction", f"0x{raw_legacy(0).raw_transaction.hex().removeprefix('0x')}")
        assert await client.result("eth_getTransactionCount", ACCOUNT.address, "pending") == "0x1"
        assert await client.result("eth_getTransactionCount", ACCOUNT.address, "latest") == "0x0"

    asyncio.run(scenario())


def test_batches() -> None:
    async def scenario() -> None:
        client = Client(funded())
        one = {"jsonrpc": "2.0", "method": "eth_blockNumber", "id": 1}
        assert await client.raw([one]) == {"id": 1, "jsonrpc": "2.0", "result": "0x0"}
        many = [one | {"id": index} for index in range(BATCH_MAX)]
        assert [answer["id"] for answer in await client.raw(many)] == list(range(BATCH_MAX))
        assert (await client.raw([*many, one]))["error"]["code"] == -32600
        sent = {"jsonrpc": "2.0", "method": "eth_sendRawTransaction", "params": [raw_legacy(0).raw_transaction.to_0x_hex()], "id": "tx"}
        block = {"jsonrpc": "2.0", "method": "eth_getBlockByNumber", "params": ["latest", True], "id": 2.5}
        pending = client.rpc.handle(json.dumps([sent, one, block]).encode())
        assert isinstance(pending, Pending)
        answers = await finished(pending)
        assert [answer["id"] for answer in answers] == ["tx", 1, 2.5]
        assert answers[0]["result"] == raw_legacy(0).hash.to_0x_hex()

    asyncio.run(scenario())


@pytest.mark.parametrize("depth", [100, 300, 600, 1000, 1020])
def test_an_id_nested_deeply_is_survived(depth: int) -> None:
    async def scenario() -> None:
        body = b'{"jsonrpc":"2.0","method":"eth_blockNumber","id":' + b"[" * depth + b"]" * depth + b"}"
        answer = Client(small_world()).rpc.handle(body)
        assert isinstance(answer, bytes)
        assert b'"Invalid field: id"' in answer or b"Parse json failed" in answer

    asyncio.run(scenario())


def test_syncing_and_configuration() -> None:
    async def scenario() -> None:
        client = Client(small_world())
        client.world.syncing, client.world.highest = True, (17, bytes(32))
        assert await client.result("eth_syncing") == {"currentBlock": "0x0", "highestBlock": "0x11", "startingBlock": "0x0"}
        client.world.ledger.settings["web3_chain_id"] = "garbage"
        assert await client.result("eth_chainId") == "0x0"
        assert await client.result("net_version") == "0x4ee8"
        client.world.ledger.settings["tx_gas_price"] = "0x1f"
        assert await client.result("eth_gasPrice") == "0x1f"
        assert await client.result("eth_estimateGas", {"to": "0x" + "22" * 20}) == "0x5208"

    asyncio.run(scenario())


# Filters and logs.


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def with_blocks(count: int) -> World:
    world = small_world()
    add_blocks(world, count)
    return world


def add_blocks(world: World, count: int) -> None:
    for _ in range(count):
        tx = build_transaction(
            chain_id="chain0", group_id="group0", block_limit=world.ledger.height + 5, to="0x" + "33" * 20, input=b"", key=KEY
        )
        world.submit(encode_transaction(tx), wait=False)


def plant_logs(world: World, number: int, *logs: LogEntry, status: int = 0) -> None:
    """Let the first transaction of a block have emitted these."""
    block = world.ledger.blocks[number]
    receipt = decode_receipt(block.receipts[0])
    block.receipts[0] = encode_receipt(type(receipt)(0, "21000", "", status, b"", logs, number))


def collected(steps: Any) -> Any:
    if isinstance(steps, list):
        return steps
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def in_loop(scenario: Any) -> None:
    async def inner() -> None:
        scenario()

    asyncio.run(inner())


def test_block_and_transaction_filters_move_on() -> None:
    def scenario() -> None:
        world = with_blocks(3)
        filters = Filters(ChainView(world), Clock(), fault_code=-32000)
        blocks, txs = filters.new(FilterKind.BLOCKS), filters.new(FilterKind.TRANSACTIONS)
        assert filters.changes(blocks) == []
        add_blocks(world, BLOCKS_PER_QUESTION + 2)
        hashes = [f"0x{block.block_hash.hex()}" for block in world.ledger.blocks[4:]]
        assert filters.changes(blocks) == hashes[:BLOCKS_PER_QUESTION]
        assert filters.changes(blocks) == hashes[BLOCKS_PER_QUESTION:]
        assert filters.changes(blocks) == []
        assert len(filters.changes(txs)) == BLOCKS_PER_QUESTION
        assert filters.uninstall(blocks) is True
        assert filters.uninstall(blocks) is False
        with pytest.raises(RpcFault, match="filter not found"):
            filters.changes(blocks)
        with pytest.raises(RpcFault, match="filter not found"):
            filters.logs(txs)

    in_loop(scenario)


def test_filters_expire_and_are_bounded() -> None:
    def scenario() -> None:
        clock = Clock()
        filters = Filters(ChainView(small_world()), clock, fault_code=-32000, lifetime_s=10)
        old, kept = filters.new(FilterKind.BLOCKS), filters.new(FilterKind.BLOCKS)
        clock.now_s += 9
        filters.changes(kept)
        clock.now_s += 9
        assert filters.changes(kept) == []
        with pytest.raises(RpcFault, match="filter not found"):
            filters.changes(old)
        for _ in range(FILTERS_MAX + 5):
            filters.new(FilterKind.BLOCKS)
        assert len(filters) == FILTERS_MAX

    in_loop(scenario)


ONE, TWO = keccak256(b"one"), keccak256(b"two")


def test_logs_are_matched_by_address_topics_and_range() -> None:
    def scenario() -> None:
        world = with_blocks(4)
        here, there = "aa" * 20, "bb" * 20
        plant_logs(world, 1, LogEntry(here, (ONE, TWO), b"\x01"), LogEntry(there, (TWO,), b""))
        plant_logs(world, 2, LogEntry(here, (ONE,), b""), status=16)
        plant_logs(world, 3, LogEntry(here, (TWO,), b""))
        filters = Filters(ChainView(world), Clock(), fault_code=-32602)

        def found(**query: Any) -> list[tuple[str, str]]:
            whole = {"fromBlock": "0x0", "toBlock": "latest", "address": [], "topics": []} | query
            return [(log["blockNumber"], log["logIndex"]) for log in collected(filters.query(whole))]

        assert found() == [("0x1", "0x0"), ("0x1", "0x1"), ("0x3", "0x0")]
        assert found(address=f"0x{there}") == [("0x1", "0x1")]
        assert found(address=[f"0x{there}", f"0x{here.upper()}"]) == found()
        assert found(topics=[f"0x{ONE.hex()}"]) == [("0x1", "0x0")]
        assert found(topics=[None, f"0x{TWO.hex()}"]) == [("0x1", "0x0")]
        assert found(topics=[[f"0x{ONE.hex()}", f"0x{TWO.hex()}"]]) == found()
        assert found(fromBlock=2, toBlock=3) == [("0x3", "0x0")]
        assert found(fromBlock="earliest", toBlock="0x1") == [("0x1", "0x0"), ("0x1", "0x1")]
        assert found(blockhash=f"0x{world.ledger.blocks[3].block_hash.hex()}") == [("0x3", "0x0")]
        for query, words in (
            ({"fromBlock": 3, "toBlock": 2}, "invalid block range"),
            ({"fromBlock": "latest", "toBlock": "0x1"}, "invalid block range"),
            ({"fromBlock": "soon"}, "invalid block range"),
            ({"topics": [None] * 5}, "exceed max topics"),
            ({"blockhash": "0x12"}, "unknown block"),
            ({"topics": None}, "topics is null"),
        ):
            with pytest.raises(RpcFault, match=words):
                found(**query)

    in_loop(scenario)


def test_a_log_filter_tells_new_logs_once_and_old_ones_when_asked() -> None:
    def scenario() -> None:
        world = with_blocks(2)
        plant_logs(world, 2, LogEntry("aa" * 20, (), b""))
        filters = Filters(ChainView(world), Clock(), fault_code=-32602)
        one = filters.new(FilterKind.LOGS, {"fromBlock": "0x0", "toBlock": "latest", "address": [], "topics": []})
        assert collected(filters.changes(one)) == []
        add_blocks(world, 2)
        plant_logs(world, 4, LogEntry("aa" * 20, (), b""))
        assert [log["blockNumber"] for log in collected(filters.changes(one))] == ["0x4"]
        assert collected(filters.changes(one)) == []
        assert [log["blockNumber"] for log in collected(filters.logs(one))] == ["0x2", "0x4"]

    in_loop(scenario)


def test_blooms_are_those_of_ethereum() -> None:
    """The bloom of one known topic: bits 11-bit slices of keccak (Yellow Paper 4.3.1), computed the long way."""
    address, topic = "aa" * 20, ONE
    expected = 0
    for item in (bytes.fromhex(address), topic):
        digest = keccak256(item)
        for low, high in ((0, 1), (2, 3), (4, 5)):
            expected |= 1 << ((digest[low] * 256 + digest[high]) % 2048)
    assert logs_bloom((LogEntry(address, (topic,), b""),)) == expected
    assert 3 <= expected.bit_count() <= 6


def test_receipts_with_logs_have_a_bloom_and_checksummed_addresses() -> None:
    async def scenario() -> None:
        world = with_blocks(1)
        plant_logs(world, 1, LogEntry("aa" * 20, (ONE,), b"\x05"))
        client = Client(world)
        tx_hash = (await client.result("eth_getBlockByNumber", "0x1", False))["transactions"][0]
        receipt = await client.result("eth_getTransactionReceipt", tx_hash)
        block = await client.result("eth_getBlockByNumber", "0x1", False)
        assert int(receipt["logsBloom"], 16) == int(block["logsBloom"], 16) == logs_bloom((LogEntry("aa" * 20, (ONE,), b""),))
        assert is_checksum_address(receipt["logs"][0]["address"])

    asyncio.run(scenario())
