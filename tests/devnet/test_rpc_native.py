"""The native JSON-RPC over a chain in memory: what the recordings cannot show, and whatever a client may send."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.rpc_errors import RpcFault
from fiscotool.devnet.rpc_eth import Web3Rpc
from fiscotool.devnet.rpc_exchange import Answer, Pending
from fiscotool.devnet.rpc_native import NativeRpc
from fiscotool.devnet.rpc_promise import sliced
from fiscotool.devnet.rpc_view import merkle_proof
from fiscotool.ledger.crypto import KeyPair, keccak256
from fiscotool.ledger.merkle import merkle_root
from fiscotool.ledger.receipt3 import decode_receipt
from fiscotool.ledger.tx3 import Transaction, build_transaction, encode_transaction
from tests.devnet.rpc_world import World, identity, small_world
from tests.support.shared import ROOT, shared

KEY = KeyPair.from_secret(bytes(31) + b"\x0b")
SPEC_METHODS = set(
    re.findall(
        r"\w+",
        """
    call sendTransaction getTransaction getTransactionReceipt getBlockByHash getBlockByNumber getBlockHashByNumber getBlockNumber
    getCode getABI getSealerList getObserverList getNodeListByType getPbftView getPendingTxSize getSyncStatus getConsensusStatus
    getSystemConfigByKey getTotalTransactionCount getPeers getGroupPeers getGroupList getGroupInfo getGroupInfoList getGroupNodeInfo
    newBlockFilter newPendingTransactionFilter newFilter uninstallFilter getFilterChanges getFilterLogs getLogs
    """,
    )
)


def signed(world: World, **changes: Any) -> Transaction:
    fields: dict[str, Any] = {"chain_id": "chain0", "group_id": "group0", "block_limit": world.ledger.height + 500}
    return build_transaction(**(fields | {"to": "0x" + "22" * 20, "input": b"", "key": KEY} | changes))


def hex_of(tx: Transaction) -> str:
    return f"0x{encode_transaction(tx).hex()}"


class Client:
    """Calls without a socket."""

    def __init__(self, world: World, **changes: Any) -> None:
        self.world = world
        self.rpc = NativeRpc(world, replace(identity(world), **changes))

    def start(self, method: str, *params: Any) -> Answer:
        body = {"jsonrpc": "2.0", "method": method, "params": ["group0", "", *params], "id": 1}
        return self.rpc.handle(json.dumps(body).encode())

    async def ask(self, method: str, *params: Any) -> dict[str, Any]:
        answer = await finished(self.start(method, *params))
        assert isinstance(answer, dict)
        return answer

    async def result(self, method: str, *params: Any) -> Any:
        answer = await self.ask(method, *params)
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, method: str, *params: Any) -> tuple[int, str]:
        answer = await self.ask(method, *params)
        return answer["error"]["code"], answer["error"]["message"]


async def finished(answer: Answer) -> Any:
    if isinstance(answer, Pending):
        done = asyncio.Event()
        answer.deliver = done.set
        if answer.answer is None:
            await asyncio.wait_for(done.wait(), 5)
        assert answer.answer is not None
        return json.loads(answer.answer)
    return json.loads(answer)


def recorded_cases() -> dict[str, dict[str, Any]]:
    """Answers of rpc/sendTransaction_cases.txt by the name of the case."""
    found = {}
    for line in shared("recordings", "v3", "rpc", "sendTransaction_cases.txt").read_text().splitlines():
        match = re.match(r"## (.*?)(?: [\d.]+ s)? (\{.*\})", line)
        if match:
            found[match[1]] = json.loads(match[2])
    return found


def test_all_methods_of_the_specification_are_there_and_documented() -> None:
    async def scenario() -> None:
        assert Client(small_world()).rpc.method_names == SPEC_METHODS
        assert len(SPEC_METHODS) == 32

    asyncio.run(scenario())
    text = (ROOT / "docs" / "rpc.md").read_text()
    assert all(f"`{name}`" in text for name in SPEC_METHODS)


def test_send_transaction_answers_like_the_recorded_ones() -> None:
    cases = recorded_cases()

    async def scenario() -> None:
        client = Client(small_world())
        good = signed(client.world)
        result = await client.result("sendTransaction", hex_of(good), False)
        recorded = cases["call contract"]["result"]
        assert {name: type(value) for name, value in result.items()} == {name: type(value) for name, value in recorded.items()}
        assert result["to"] == good.data.to
        assert result["from"] == f"0x{KEY.address.hex()}"
        errors = {
            "resend same": hex_of(good),
            "wrong group": hex_of(signed(client.world, group_id="group1")),
            "blockLimit 0": hex_of(signed(client.world, block_limit=0)),
            "blockLimit = height": hex_of(signed(client.world, block_limit=client.world.ledger.height)),
        }
        for name, text in errors.items():
            assert await client.ask("sendTransaction", text, False) == cases[name]
        code, message = await client.error("sendTransaction", hex_of(signed(client.world, chain_id="chain1")), False)
        assert (code, message) == (-1, "std::exception::what: Chain ID mismatch!\n")
        failed = await client.result("sendTransaction", hex_of(signed(client.world, input=b"\x12\x34\x56\x78")), False)
        for name in ("status", "hash", "output", "input", "contractAddress", "checksumContractAddress"):
            assert failed[name] == cases["call nonexistent"]["result"][name]
        proved = await client.result("sendTransaction", hex_of(signed(client.world)), True)
        assert proved.keys() == cases["requireProof true"]["result"].keys()
        assert proved["receiptProof"] == proved["txReceiptProof"] == [proved["hash"][2:]]

    asyncio.run(scenario())


def test_a_flipped_signature_bit_is_another_sender() -> None:
    async def scenario() -> None:
        client = Client(small_world())
        tx = signed(client.world)
        broken = replace(tx, signature=tx.signature[:40] + bytes((tx.signature[40] ^ 1,)) + tx.signature[41:])
        result = await client.result("sendTransaction", hex_of(broken), False)
        assert result["from"] != f"0x{KEY.address.hex()}"

    asyncio.run(scenario())


def test_send_transaction_waits_for_its_block() -> None:
    async def scenario() -> None:
        client = Client(small_world(seals_at_once=False))
        calls = [client.start("sendTransaction", hex_of(signed(client.world)), False) for _ in range(300)]
        await asyncio.sleep(0)
        assert all(isinstance(call, Pending) and call.answer is None for call in calls)
        assert await client.result("getPendingTxSize") == 300
        client.world.seal()
        answers = [await finished(call) for call in calls]
        assert {answer["result"]["blockNumber"] for answer in answers} == {1}
        assert len({answer["result"]["transactionHash"] for answer in answers}) == 300
        assert await client.result("getTotalTransactionCount") == {"blockNumber": 1, "failedTransactionCount": 0, "transactionCount": 300}

    asyncio.run(scenario())


def test_a_node_told_not_to_return_the_input_does_not() -> None:
    async def scenario() -> None:
        client = Client(small_world(), returns_input=False)
        result = await client.result("sendTransaction", hex_of(signed(client.world)), False)
        assert "input" not in result
        assert "extraData" not in result

    asyncio.run(scenario())


def verified(proof: list[str], leaf: bytes) -> bytes:
    """The root a proof leads to, as a client of the chain computes it."""
    parts = [bytes.fromhex(one) for one in proof]
    if len(parts) == 1:
        return parts[0]
    while parts:
        count = int.from_bytes(parts.pop(0), "big")
        group, parts = parts[:count], parts[count:]
        assert leaf in group
        leaf = keccak256(b"".join(group))
    return leaf


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 33])
def test_proofs_lead_to_the_root(count: int) -> None:
    leaves = [keccak256(b"%d" % index) for index in range(count)]
    for position, leaf in enumerate(leaves):
        assert verified(merkle_proof(leaves, position), leaf) == merkle_root(leaves)
    if count > 2:
        assert verified(merkle_proof(leaves, 0), leaves[0]) != merkle_root(leaves[::-1])


def test_proofs_of_transactions_and_receipts_of_a_block() -> None:
    async def scenario() -> None:
        client = Client(small_world(seals_at_once=False))
        calls = [client.start("sendTransaction", hex_of(signed(client.world)), True) for _ in range(5)]
        await asyncio.sleep(0)
        client.world.seal()
        block = await client.result("getBlockByNumber", 1, False, True)
        for call, tx_text in zip(calls, block["transactions"], strict=True):
            sent = (await finished(call))["result"]
            tx = await client.result("getTransaction", tx_text, True)
            receipt = await client.result("getTransactionReceipt", tx_text, True)
            assert verified(tx["txProof"], bytes.fromhex(tx_text[2:])).hex() == block["txsRoot"][2:]
            assert verified(receipt["txReceiptProof"], bytes.fromhex(receipt["hash"][2:])).hex() == block["receiptsRoot"][2:]
            assert sent["receiptProof"] == receipt["txReceiptProof"]

    asyncio.run(scenario())


def test_a_large_block_is_shown_in_slices() -> None:
    async def scenario() -> None:
        client = Client(small_world(seals_at_once=False))
        calls = [client.start("sendTransaction", hex_of(signed(client.world)), False) for _ in range(400)]
        await asyncio.sleep(0)
        client.world.seal()
        await asyncio.gather(*(finished(call) for call in calls))
        client.rpc._view._senders.clear()
        shown = client.start("getBlockByNumber", 1, False, False)
        assert isinstance(shown, Pending)
        assert shown.answer is None
        assert (await client.result("getBlockNumber")) == 1
        assert shown.answer is None, "the small call was not answered before the large one"
        answer = await finished(shown)
        assert [tx["from"] for tx in answer["result"]["transactions"]] == [f"0x{KEY.address.hex()}"] * 400

    asyncio.run(scenario())


def test_call_tells_the_signer_to_the_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        client = Client(small_world())
        seen: list[bytes] = []

        def call(sender: bytes, to: str, data: bytes) -> tuple[int, bytes, str]:
            seen.append(sender)
            return 0, data, ""

        monkeypatch.setattr(client.world.executor, "call", call)
        sign = KEY.sign(keccak256(b"0xabcd" + b"\x01\x02"))
        assert await client.result("call", "0xabcd", "0x0102", f"0x{sign.hex()}") == {"blockNumber": 0, "output": "0x0102", "status": 0}
        await client.result("call", "0xabcd", "0x0102")
        assert seen == [KEY.address, bytes(20)]
        assert await client.error("call", "0xabcd", "0x0102", "0x00") == (10008, "Invalid signature")

    asyncio.run(scenario())


def test_every_method_of_a_node_refuses_an_unknown_group() -> None:
    async def scenario() -> None:
        rpc = Client(small_world()).rpc
        free = {"getGroupList", "getGroupInfo", "getGroupInfoList", "getGroupNodeInfo", "getGroupPeers", "getPeers"}
        for name in sorted(SPEC_METHODS - free):
            params = ["other", "n", "0x00", False] if name.startswith(("send", "getTransaction")) else ["other", "n"]
            answer = await finished(rpc.handle(json.dumps({"jsonrpc": "2.0", "method": name, "params": params, "id": 7}).encode()))
            is_filter = "Filter" in name or name == "getLogs"
            assert answer["error"]["code"] == (-32005 if is_filter else -32000), name
            assert "group=other" in answer["error"]["message"]

    asyncio.run(scenario())


def test_trouble_with_the_disk_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        client = Client(small_world())

        def broken(*_: Any) -> Any:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(client.world.ledger, "header", broken)
        assert await client.error("getBlockByNumber", 0) == (-32603, "disk I/O error")

    asyncio.run(scenario())


def test_what_fails_late_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        client = Client(small_world(seals_at_once=False))
        sent = client.start("sendTransaction", hex_of(signed(client.world)), False)
        await asyncio.sleep(0)
        client.world.seal()
        client.world.ledger.blocks[1].receipts[0] = b"\xff"
        monkeypatch.setattr("fiscotool.devnet.rpc_submit.decode_receipt", lambda _: decode_receipt(b"\xff"))
        assert (await finished(sent))["error"]["code"] == -32603
        client.world.ledger.blocks[1].raws[0] = b"\xff"
        assert (await client.error("getBlockByNumber", 1, False, False))[0] == -32603

        def wrong() -> Generator[None, None, None]:
            yield
            raise KeyError("planted")

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        faults: list[RpcFault | None] = []
        with pytest.raises(KeyError):
            sliced(wrong()).then(lambda _, fault: faults.append(fault))
        slow = slow_and_wrong(asyncio.get_running_loop())
        sliced(slow).then(lambda _, fault: faults.append(fault))
        await asyncio.sleep(0.1)
        assert [fault.code for fault in faults if fault] == [-32603]

    asyncio.run(scenario())


def slow_and_wrong(loop: asyncio.AbstractEventLoop) -> Generator[None, None, None]:
    """Fails in a later slice than its first, however long that takes: the loop has turned by then."""
    turned = asyncio.Event()
    loop.call_soon(turned.set)
    while not turned.is_set():
        yield
    raise KeyError("planted")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xef\xbb\xbf{}", -32600),
        (b"[" * 100_000, -32600),
        (b'{"jsonrpc":"2.0","method":"getBlockNumber","params":[],"id":' + b"9" * 5000 + b"}", -32600),
        (b'{"jsonrpc":"2.0","method":"\xff\xfe","params":[]}', -32601),
        (b'{"jsonrpc":["2.0"],"method":"getBlockNumber","params":[]}', -32700),
        (b'{"jsonrpc":"2.0","method":"getBlockByNumber","params":["group0","",NaN]}', -32600),
        (b'{"jsonrpc":"2.0","method":"getBlockByNumber","params":["group0","",18446744073709551615]}', -32600),
        (b'{"jsonrpc":"2.0","method":"getGroupInfo","params":["\\ud800"]}', None),
        (b'{"jsonrpc":"\\ud800","method":"getGroupInfo","params":["\\ud800"]}', None),
        (b'{"jsonrpc":"2.0","method":"getBlockNumber","params":["\\ud800"]}', -32000),
    ],
)
def test_curious_bodies(body: bytes, code: int | None) -> None:
    async def scenario() -> None:
        answer = await finished(Client(small_world()).rpc.handle(body))
        assert answer.get("error", {}).get("code") == code

    asyncio.run(scenario())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["group0", "0x", "0x12", "latest", "0x0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _rpcs() -> tuple[NativeRpc, Web3Rpc]:
    world = small_world()
    return NativeRpc(world, identity(world)), Web3Rpc(world, identity(world))


def _is_envelope(answer: Any) -> bool:
    return isinstance(answer, dict) and {"id", "jsonrpc"} < answer.keys() and len(answer.keys() & {"result", "error"}) == 1


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_asked_gets_an_envelope(data: st.DataObject) -> None:
    async def scenario() -> None:
        native, web3 = _rpcs()
        native_name = data.draw(st.sampled_from(sorted(native.method_names)))
        params = data.draw(st.lists(json_values, max_size=5))
        ask: Callable[[str], bytes] = lambda name: json.dumps({"jsonrpc": "2.0", "method": name, "params": params, "id": 1}).encode()  # noqa: E731
        assert _is_envelope(await finished(native.handle(ask(native_name))))
        group_params = ["group0", "", *params]
        body = json.dumps({"jsonrpc": "2.0", "method": native_name, "params": group_params, "id": 1}).encode()
        assert _is_envelope(await finished(native.handle(body)))
        web3_name = data.draw(st.sampled_from(sorted(web3.method_names)))
        assert _is_envelope(await finished(web3.handle(ask(web3_name))))

    asyncio.run(scenario())


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_sent_gets_json(body: bytes) -> None:
    async def scenario() -> None:
        native, web3 = _rpcs()
        assert _is_envelope(await finished(native.handle(body)))
        answer = await finished(web3.handle(body))
        assert _is_envelope(answer) or (isinstance(answer, list) and all(_is_envelope(one) for one in answer))

    asyncio.run(scenario())
