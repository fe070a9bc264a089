"""Looking at, loading and sending to a chain of 2.x nodes goes through the same doors as for 3.x."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.model import Chain, Generation, Genesis, NodeHome
from fiscotool.consistency.observations import TxSeen
from fiscotool.drills.session import run_info
from fiscotool.drills.targets import client_for, look_at
from fiscotool.drills.tx_source import EthereumSource, NativeSource, kind_of, read_key
from fiscotool.drills.workload import Workload, height_of, load_targets
from fiscotool.errors import UsageError
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.eth import decode_ethereum
from fiscotool.ledger.tx2 import decode_verified2
from fiscotool.ledger.tx3 import decode_transaction
from fiscotool.rpc.aio.plan import TxKind
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.client2 import NodeClient2
from tests.drills.pool_node import PoolNode
from tests.rpc.fake_server import result_answer
from tests.support.until import until

KEY = KeyPair.from_secret(bytes(31) + b"\x2a")


def chain_of(port: int, *, group: str, chain_id: str, web3_port: int = 0) -> Chain:
    """One node on this machine."""
    generation: Generation = 2 if group == "1" else 3
    home = NodeHome(
        *("node0", Path("/nowhere/node0"), "127.0.0.1", 1, port, web3_port, bool(web3_port), False, "ab" * 64, "", "127.0.0.1"),
        generation=generation,
    )
    return Chain(Path("/nowhere"), (home,), "fisco", chain_id, group, "2.9.1", Genesis({}), generation=generation)


@pytest.fixture
def node() -> Iterator[PoolNode]:
    made = PoolNode()
    yield made
    made.stop()


@pytest.fixture
def chain(node: PoolNode) -> Chain:
    return chain_of(node.server.port, group="1", chain_id="1")


def test_a_glance_at_a_2x_node(node: PoolNode, chain: Chain) -> None:
    with client_for(chain.nodes[0], group=chain.group_id) as client:
        assert isinstance(client, NodeClient2)
        look = look_at(client, "node0")
        assert (look.error, look.height, look.view, look.timeout, look.leader_index, look.connected_count) == ("", 5, 3, False, 0, 4)
        node.leader_failed = True
        assert (look_at(client, "node0").timeout, look_at(client, "node0").leader_index) == (True, None)
    assert height_of(chain) == 5
    assert run_info(chain, command="x").generation == 2


def test_3x_nodes_are_not_asked_what_they_are(chain: Chain) -> None:
    new = chain_of(1, group="group0", chain_id="chain0")
    with client_for(new.nodes[0], group=new.group_id) as client:
        assert isinstance(client, NodeClient)
    assert run_info(new, command="x").generation == 3
    assert (kind_of(new), kind_of(chain)) == (TxKind.NATIVE, TxKind.NATIVE2)


def test_a_workload_on_a_2x_node(node: PoolNode, chain: Chain) -> None:
    seen: list[TxSeen] = []
    with Workload(chain, rate_per_s=100, on_result=seen.append):
        until(lambda: len(seen) >= 20)
    assert {tx.outcome for tx in seen} == {"committed"}
    assert {tx.status for tx in seen} == {26}
    for tx in seen:
        assert tx.block_number is not None
        assert node.block_of[tx.block_number] == f"0x{tx.tx_hash}"


def test_what_each_chain_is_sent_can_be_read_again(chain: Chain) -> None:
    old = NativeSource(chain, height=7, key=KEY).make()
    tx2, tx_hash, sender = decode_verified2(bytes.fromhex(old.raw_hex.removeprefix("0x")))
    assert (tx_hash.hex(), sender, tx2.block_limit) == (old.tx_hash, KEY.address, 507)
    source = iter(NativeSource(chain_of(1, group="group0", chain_id="chain0"), height=7))
    first, second = next(source), next(source)
    assert first.tx_hash != second.tx_hash
    data = decode_transaction(bytes.fromhex(first.raw_hex)).data
    assert (data.chain_id, data.group_id, data.block_limit) == ("chain0", "group0", 507)


def test_ethereum_transactions_count_nonces() -> None:
    source = iter(EthereumSource(chain_id=20200, nonce=5, key=KEY, gas_price_wei=0))
    for nonce in (5, 6):
        prepared = next(source)
        tx = decode_ethereum(bytes.fromhex(prepared.raw_hex.removeprefix("0x")))
        assert (tx.hash.hex(), tx.sender, tx.nonce, tx.chain_id) == (prepared.tx_hash, KEY.address, nonce, 20200)


def test_an_ethereum_source_asks_the_node() -> None:
    answers: dict[str, Any] = {"eth_chainId": "0x4ee8", "eth_gasPrice": "0x0", "eth_getTransactionCount": "0x9"}
    from fiscotool.rpc.eth_client import EthClient
    from tests.rpc.fake_server import serving

    with serving(lambda body, _c: result_answer(body, answers[json.loads(body)["method"]])) as server:
        source = iter(EthereumSource.for_node(EthClient(server.url), KEY))
        tx = decode_ethereum(bytes.fromhex(next(source).raw_hex.removeprefix("0x")))
        assert (tx.nonce, tx.chain_id) == (9, 20200)
        asked = [json.loads(body) for body in server.requests]
        assert [f"0x{KEY.address.hex()}", "pending"] in [item["params"] for item in asked]


def test_where_ethereum_transactions_go(chain: Chain) -> None:
    with pytest.raises(UsageError, match="Ethereum JSON-RPC"):
        load_targets(chain, TxKind.ETHEREUM)
    (target,) = load_targets(chain_of(1, group="group0", chain_id="c", web3_port=8545), TxKind.ETHEREUM)
    assert (target.url, target.kind) == ("http://127.0.0.1:8545", TxKind.ETHEREUM)
    (target,) = load_targets(chain)
    assert (target.kind, target.group) == (TxKind.NATIVE2, "1")


def test_keys_in_files(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for text in ("0x" + (bytes(31) + b"\x2a").hex(), (bytes(31) + b"\x2a").hex() + "\n", KEY.to_pem()):
        path.write_text(text if isinstance(text, str) else text.decode())
        assert read_key(path).address == KEY.address
    for text in ("", "00" * 32, "zz" * 32, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"):
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            read_key(path)
        assert "hex digits" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be read"):
        read_key(tmp_path / "absent")
