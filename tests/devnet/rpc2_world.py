"""The recorded 2.x chain in memory, with a real pool on it, as the recorded node has it: what its RPC is asked can be compared."""

from __future__ import annotations

import asyncio
import json
import lzma
from functools import cache
from typing import Any

from fiscotool.devnet.contracts import ChainConfig, ConsensusStatus, PeerStatus, Sealer
from fiscotool.devnet.form2 import FORM2
from fiscotool.devnet.genesis_file import GenesisSettings
from fiscotool.devnet.nonces import NonceWindow, nonce_digest
from fiscotool.devnet.rpc2 import Rpc2
from fiscotool.devnet.rpc_exchange import Pending
from fiscotool.devnet.rpc_identity import RpcIdentity
from fiscotool.devnet.settings import Endpoint
from fiscotool.devnet.settings2 import parse_genesis2
from fiscotool.devnet.state import EMPTY_ACCOUNT, Account
from fiscotool.devnet.txpool import TxPool
from fiscotool.ledger.header2 import BlockHeader2, hash_header2, header2_from_rpc
from fiscotool.ledger.receipt2 import encode_receipt2, receipt2_from_rpc
from fiscotool.ledger.tx2 import encode_transaction2, transaction2_from_rpc
from tests.support.shared import shared


@cache
def recorded(*parts: str) -> tuple[dict[str, Any], ...]:
    """The rows of a recording of v2."""
    with lzma.open(shared("recordings", "v2", *parts), "rt") as file:
        return tuple(json.loads(line) for line in file)


def recorded_genesis2() -> GenesisSettings:
    """The recorded group's genesis."""
    path = shared("recordings", "v2", "deploy", "generated", "127.0.0.1", "node0", "conf", "group.1.genesis")
    return parse_genesis2(path.read_text(), chain_id="1", version="2.9.0")


class MemoryLedger2:
    """Blocks as RPC tells them."""

    form = FORM2

    def __init__(self, height: int) -> None:
        self.headers: list[BlockHeader2] = []
        self.txs: list[list[bytes]] = []
        self.receipts: list[list[bytes]] = []
        self.hashes: list[list[bytes]] = []
        self.nonces = NonceWindow(1000)
        genesis = recorded_genesis2()
        self.config = ChainConfig(tuple(Sealer(one.node_id, 1) for one in genesis.sealers), (), 1000, 1, genesis.gas_limit, 0)
        self.settings = {"tx_count_limit": ("1000", 0), "tx_gas_limit": ("300000000", 0), "consensus_timeout": ("3", 0)}
        for row in recorded("blocks_full_node0.jsonl.xz")[: height + 1]:
            self.append(row)

    def append(self, row: dict[str, Any]) -> None:
        shown = row["block"]["result"]
        txs = [transaction2_from_rpc(one) for one in shown["transactions"]]
        self.headers.append(header2_from_rpc(shown))
        self.txs.append([encode_transaction2(tx) for tx in txs])
        self.hashes.append([bytes.fromhex(one["hash"][2:]) for one in shown["transactions"]])
        self.receipts.append([encode_receipt2(receipt2_from_rpc(one.get("result", one))) for one in row["receipts"]])
        self.nonces.add(self.height, b"".join(nonce_digest(str(tx.nonce)) for tx in txs))

    @property
    def height(self) -> int:
        return len(self.headers) - 1

    @property
    def head_hash(self) -> bytes:
        return hash_header2(self.headers[-1])

    @property
    def genesis_hash(self) -> bytes:
        return hash_header2(self.headers[0])

    def header(self, number: int) -> Any:
        return self.headers[number] if 0 <= number <= self.height else None

    def number_of(self, block_hash: bytes) -> int | None:
        return next((header.number for header in self.headers if hash_header2(header) == block_hash), None)

    def block_txs(self, number: int) -> list[bytes]:
        return self.txs[number]

    def block_tx_hashes(self, number: int) -> list[bytes]:
        return self.hashes[number]

    def tx_location(self, tx_hash: bytes) -> tuple[int, int] | None:
        return next(((number, row.index(tx_hash)) for number, row in enumerate(self.hashes) if tx_hash in row), None)

    def tx(self, tx_hash: bytes) -> bytes | None:
        place = self.tx_location(tx_hash)
        return None if place is None else self.txs[place[0]][place[1]]

    def receipt(self, tx_hash: bytes) -> bytes | None:
        place = self.tx_location(tx_hash)
        return None if place is None else self.receipts[place[0]][place[1]]

    def system_config(self, key: str) -> tuple[str, int] | None:
        return self.settings.get(key)

    def account(self, address: bytes) -> Account:
        del address
        return EMPTY_ACCOUNT

    def balance(self, address: bytes) -> int:
        return self.account(address).balance

    def account_nonce(self, address: bytes) -> int:
        return self.account(address).nonce

    def totals(self) -> tuple[int, int]:
        return sum(map(len, self.hashes)), 0


class Executor2:
    """Calls give nothing, as those of the recorded contract with empty data."""

    def call(self, sender: bytes, to: str, data: bytes) -> tuple[int, bytes, str]:
        del sender, to, data
        return 0, b"", ""

    def execute(self, header: Any, txs: Any) -> Any:
        raise AssertionError((header, txs))

    def on_committed(self, number: int) -> None:
        del number

    def discard_from(self, number: int) -> None:
        del number


class Settings2:
    """What RPC looks at of a node's settings."""

    def __init__(self) -> None:
        self.genesis = recorded_genesis2()
        self.nodes = tuple(Endpoint("127.0.0.1", 30300 + index) for index in range(4))


class World2:
    """The recorded node 0 (contracts.NodeFacade2)."""

    def __init__(self, height: int = 1, *, me: int = 0) -> None:
        self.ledger = MemoryLedger2(height)
        self.executor = Executor2()
        self.node_id = self.ledger.config.sealers[me].node_id
        self.settings = Settings2()
        self.view, self.to_view, self.timeout = 0, 0, False
        self.highest: tuple[bool, int, bytes] = (False, self.ledger.height, self.ledger.head_hash)
        self.pool = TxPool(self.ledger, chain_id="1", group_id="1", now_ms=lambda: 0, import_time_ms=lambda: 0, generation=2)
        self.others: list[PeerStatus] = []

    def consensus_status(self) -> ConsensusStatus:
        ids = [sealer.node_id for sealer in self.ledger.config.sealers]
        is_sealer = self.node_id in ids
        return ConsensusStatus(
            node_index=ids.index(self.node_id) if is_sealer else 2**64 - 1,
            leader_index=0,
            faulty_weight_max=1,
            quorum_weight=3,
            is_sealer=is_sealer,
            height=self.ledger.height,
            head_hash=self.ledger.head_hash,
            timeout=self.timeout,
            change_cycle=0,
            view=self.view,
            connected_count=1 + len(self.others),
            to_view=self.to_view,
            views=((1, 36), (2, 36), (3, 35)),
        )

    def sync_status(self) -> tuple[bool, int, bytes]:
        return self.highest

    def peers(self) -> list[PeerStatus]:
        return self.others

    def watch(self, on_block: Any, on_dropped: Any) -> None:
        self.watchers = (on_block, on_dropped)

    def backed_height(self) -> int:
        return self.highest[1]

    def pending(self) -> list[bytes]:
        return self.pool.pending_raws()

    async def submit(self, raw: bytes, *, wait: bool) -> bytes:
        assert not wait
        return self.pool.admit(raw).tx_hash

    def commit_recorded(self, number: int) -> None:
        """The next recorded block comes."""
        self.ledger.append(recorded("blocks_full_node0.jsonl.xz")[number])
        self.pool.on_committed(number, self.ledger.hashes[number])


def identity2(world: World2, *, name: str = "node0", agency: str = "agency") -> RpcIdentity:
    """What RPC tells of the recorded node."""
    return RpcIdentity(
        chain_id="1",
        group_id="1",
        node_id=world.node_id,
        p2p_id=world.node_id.hex(),
        p2p_endpoint="127.0.0.1:30300",
        web3_chain_id=0,
        genesis_sealers=world.ledger.config.sealers,
        tx_count_limit=1000,
        leader_period_blocks=1,
        gas_limit=300_000_000,
        block_version=0,
        is_auth_check=False,
        is_serial_execute=False,
        name=name,
        agency=agency,
    )


class Client2:
    """Calls without a socket."""

    def __init__(self, world: World2) -> None:
        self.world = world
        self.rpc = Rpc2(world, identity2(world))

    async def post(self, body: bytes) -> bytes:
        """The answer's text."""
        answer = self.rpc.handle(body)
        if isinstance(answer, Pending):
            arrived = asyncio.Event()
            answer.deliver = arrived.set
            if answer.answer is None:
                async with asyncio.timeout(5):
                    await arrived.wait()
            assert answer.answer is not None
            return answer.answer
        return answer

    async def ask(self, request: str | dict[str, Any]) -> Any:
        """The answer to a request."""
        text = request if isinstance(request, str) else json.dumps(request)
        return json.loads(await self.post(text.encode()))

    async def call(self, method: str, *params: Any) -> Any:
        """The answer to a call."""
        return await self.ask({"jsonrpc": "2.0", "method": method, "params": list(params), "id": 1})
