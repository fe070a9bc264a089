"""web3.py, unmodified, against four real nodes: it connects, sends signed transactions, waits for receipts and reads blocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.exceptions import BlockNotFound, ExtraDataLengthError, TransactionNotFound, Web3RPCError
from web3.middleware import ExtraDataToPOAMiddleware

from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import Transaction, build_transaction, encode_transaction, transaction_hash
from tests.devnet.chains import Running, make_chain, running, until

pytestmark = pytest.mark.devnet

ACCOUNT = Account.from_key(bytes(31) + b"\x0f")
POOR = Account.from_key(bytes(31) + b"\x10")
KEY = KeyPair.from_secret(bytes(31) + b"\x11")
RECEIVER = "0x2222222222222222222222222222222222222222"
FUNDS_WEI = 10**18


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = make_chain(tmp_path_factory.mktemp("web3") / "nodes", balances={ACCOUNT.address: FUNDS_WEI})
    with running(made) as run:
        until(run.is_ready, within_s=60, what="every node is in a view with the others")
        yield run


@pytest.fixture
def w3(chain: Running) -> Any:
    provider = HTTPProvider(chain.node("node0").web3_url)
    return Web3(provider)


def is_at(chain: Running, name: str, height: int) -> bool:
    return chain.height(name) >= height


def test_it_connects_and_reads_the_chain(w3: Any) -> None:
    assert w3.is_connected()
    assert w3.client_version.startswith("FISCO-BCOS-Web3RPC/3.16.4-Release/")
    assert w3.eth.chain_id == 20200
    assert w3.eth.gas_price == 0
    assert list(w3.eth.accounts) == []
    assert w3.eth.syncing is False
    # The configuration in block 0 is longer than an Ethereum extraData may be, as on the real node: web3.py wants to be told.
    with pytest.raises(ExtraDataLengthError):
        w3.eth.get_block("earliest")
    told: Any = Web3(HTTPProvider(w3.provider.endpoint_uri))
    told.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    genesis = told.eth.get_block("earliest")
    assert genesis["number"] == 0
    assert told.eth.get_block(genesis["hash"])["hash"] == genesis["hash"]
    assert w3.eth.get_balance(ACCOUNT.address) == FUNDS_WEI
    assert w3.eth.get_code(w3.to_checksum_address(RECEIVER)) == b""
    with pytest.raises(BlockNotFound):
        w3.eth.get_block(10**6)
    with pytest.raises(TransactionNotFound):
        w3.eth.get_transaction(bytes(32))


@pytest.mark.parametrize("kind", ["legacy", "1559"])
def test_a_signed_transaction_is_mined(w3: Any, chain: Running, kind: str) -> None:
    nonce = w3.eth.get_transaction_count(ACCOUNT.address)
    before = w3.eth.get_balance(RECEIVER)
    fields = {"nonce": nonce, "to": RECEIVER, "value": 1000, "gas": 21000, "chainId": 20200}
    fees = {"gasPrice": 0} if kind == "legacy" else {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "type": 2}
    signed = ACCOUNT.sign_transaction(fields | fees)
    tx_hash = w3.eth.send_raw_transaction(signed.raw_transaction)
    assert tx_hash == signed.hash
    receipt = w3.eth.wait_for_transaction_receipt(tx_hash, timeout=20, poll_latency=0.1)
    assert receipt["status"] == 1
    assert receipt["from"] == ACCOUNT.address
    assert receipt["type"] == (0 if kind == "legacy" else 2)
    block = w3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    assert block["hash"] == receipt["blockHash"]
    (shown,) = [one for one in block["transactions"] if one["hash"] == tx_hash]
    assert (shown["from"], shown["to"], shown["value"], shown["nonce"]) == (ACCOUNT.address, RECEIVER, 1000, nonce)
    assert shown == w3.eth.get_transaction(tx_hash)
    assert w3.eth.get_balance(RECEIVER) == before + 1000
    assert w3.eth.get_transaction_count(ACCOUNT.address) == nonce + 1
    for name in ("node1", "node2", "node3"):
        until(partial(is_at, chain, name, receipt["blockNumber"]), within_s=60, what="the block is on every node")
        other: Any = Web3(HTTPProvider(chain.node(name).web3_url))
        assert other.eth.get_block(receipt["blockNumber"])["hash"] == block["hash"]
        assert other.eth.get_transaction_receipt(tx_hash) == receipt


def test_an_account_without_balance_is_refused_as_on_a_real_chain(w3: Any) -> None:
    signed = POOR.sign_transaction({"nonce": 0, "gasPrice": 0, "to": RECEIVER, "value": 0, "gas": 21000, "chainId": 20200})
    with pytest.raises(Web3RPCError, match="InsufficientFunds"):
        w3.eth.send_raw_transaction(signed.raw_transaction)


def test_filters_tell_new_blocks_and_transactions(w3: Any, chain: Running) -> None:
    blocks, transactions = w3.eth.filter("latest"), w3.eth.filter("pending")
    assert blocks.get_new_entries() == []
    tx = native(chain)
    receipt = chain.call("node0", "sendTransaction", f"0x{encode_transaction(tx).hex()}", False)
    block_hash = chain.call("node0", "getBlockHashByNumber", receipt["blockNumber"])
    assert [one.to_0x_hex() for one in blocks.get_new_entries()] == [block_hash]
    assert [one.to_0x_hex() for one in transactions.get_new_entries()] == [receipt["transactionHash"]]
    assert w3.eth.uninstall_filter(blocks.filter_id)


def native(chain: Running) -> Transaction:
    return build_transaction(
        chain_id="chain0", group_id="group0", block_limit=chain.height("node0") + 500, to=RECEIVER, input=b"", key=KEY, attribute=1
    )


def test_native_transactions_from_many_callers_at_once(chain: Running, w3: Any) -> None:
    """Each caller waits for its block; all nodes have the same blocks in the end, and the Ethereum port shows them too."""
    txs = [native(chain) for _ in range(200)]

    def send(position: int) -> dict[str, object]:
        answer = chain.call(f"node{position % 4}", "sendTransaction", f"0x{encode_transaction(txs[position]).hex()}", False, within_s=30)
        assert isinstance(answer, dict)
        return answer

    start_s = time.monotonic()
    with ThreadPoolExecutor(50) as threads:
        receipts = list(threads.map(send, range(len(txs))))
    assert time.monotonic() - start_s < 30
    assert {receipt["status"] for receipt in receipts} == {0}
    assert [receipt["transactionHash"] for receipt in receipts] == [f"0x{transaction_hash(tx).hex()}" for tx in txs]
    height = max(int(str(receipt["blockNumber"])) for receipt in receipts)
    until(lambda: all(chain.height(name) >= height for name in chain.processes), within_s=60, what="all blocks are on every node")
    for number in range(1, height + 1):
        hashes = {str(chain.call(name, "getBlockByNumber", number, False, True)["transactions"]) for name in chain.processes}
        assert len(hashes) == 1
    shown = w3.eth.get_transaction(str(receipts[0]["transactionHash"]))
    assert shown["type"] == 0
    assert shown["chainId"] == 0
