"""A node without a process: a chain in memory behind the Protocol its RPC is written against.

`World` seals every submitted transaction into a block of its own when told to (or at once), with real keys, hashes and signatures.
`recorded_world` is the recorded chain as one of its nodes saw it: with it, answers can be compared with the recorded ones to the letter.
"""

from __future__ import annotations

import asyncio
import json
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fiscotool.devnet.contracts import AdmissionError, ChainConfig, ConsensusStatus, PeerStatus, PooledTx, Sealer
from fiscotool.devnet.rpc_identity import RpcIdentity
from fiscotool.ledger.crypto import KeyPair, keccak256
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.header3 import BlockHeader, genesis_header, hash_header, header_from_rpc, with_signatures
from fiscotool.ledger.merkle import merkle_root
from fiscotool.ledger.precompiled import encode_revert
from fiscotool.ledger.receipt3 import Receipt, encode_receipt, hash_receipt, receipt_from_rpc
from fiscotool.ledger.rpc_objects import transaction_from_rpc
from fiscotool.ledger.tx3 import TYPE_WEB3, decode_verified, encode_transaction
from tests.support.shared import shared

CONFIG = {
    "tx_count_limit": "1000",
    "consensus_leader_period": "1",
    "compatibility_version": "3.16.0",
    "tx_gas_limit": "3000000000",
    "tx_gas_price": "0x0",
    "auth_check_status": "0",
    "web3_chain_id": "20200",
    "executor_version": "1",
    "bugfix_revert": "1",
}


@dataclass
class StoredBlock:
    header: BlockHeader
    block_hash: bytes
    tx_hashes: list[bytes] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)


class MemoryLedger:
    """contracts.LedgerReader over a list of blocks."""

    def __init__(self, sealers: tuple[Sealer, ...], genesis: BlockHeader, genesis_hash: bytes | None = None) -> None:
        self.config = ChainConfig(sealers, (), 1000, 1, 3_000_000_000, genesis.version)
        self.blocks = [StoredBlock(genesis, hash_header(genesis))]
        self.genesis_hash = genesis_hash or hash_header(genesis)
        self.settings = dict(CONFIG)
        self.balances: dict[bytes, int] = {}
        self.nonces: dict[bytes, int] = {}
        self.failed_count = 0
        self._locations: dict[bytes, tuple[int, int]] = {}

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @property
    def head_hash(self) -> bytes:
        return self.blocks[-1].block_hash if self.height else self.genesis_hash

    def append(self, block: StoredBlock) -> None:
        for position, tx_hash in enumerate(block.tx_hashes):
            self._locations[tx_hash] = (len(self.blocks), position)
        self.blocks.append(block)

    def header(self, number: int) -> Any:
        return self.blocks[number].header if 0 <= number < len(self.blocks) else None

    def number_of(self, block_hash: bytes) -> int | None:
        if block_hash == self.genesis_hash:
            return 0
        return next((number for number, block in enumerate(self.blocks) if number and block.block_hash == block_hash), None)

    def block_txs(self, number: int) -> list[bytes]:
        return self.blocks[number].raws

    def block_tx_hashes(self, number: int) -> list[bytes]:
        return self.blocks[number].tx_hashes

    def tx_location(self, tx_hash: bytes) -> tuple[int, int] | None:
        return self._locations.get(tx_hash)

    def tx(self, tx_hash: bytes) -> bytes | None:
        number, position = self._locations.get(tx_hash, (0, 0))
        return self.blocks[number].raws[position] if number else None

    def receipt(self, tx_hash: bytes) -> bytes | None:
        number, position = self._locations.get(tx_hash, (0, 0))
        return self.blocks[number].receipts[position] if number else None

    def system_config(self, key: str) -> tuple[str, int] | None:
        value = self.settings.get(key)
        return None if value is None else (value, 0)

    def balance(self, address: bytes) -> int:
        return self.balances.get(address, 0)

    def account_nonce(self, address: bytes) -> int:
        return self.nonces.get(address, 0)

    def totals(self) -> tuple[int, int]:
        return sum(len(block.raws) for block in self.blocks), self.failed_count


class MemoryPool:
    """The part of contracts.Pool that RPC uses."""

    def __init__(self, nonces: dict[bytes, int]) -> None:
        self.txs: dict[bytes, PooledTx] = {}
        self.nonces = nonces

    def get(self, tx_hash: bytes) -> PooledTx | None:
        return self.txs.get(tx_hash)

    @property
    def total_count(self) -> int:
        return len(self.txs)

    @property
    def unsealed_count(self) -> int:
        return len(self.txs)

    def pending_nonce(self, address: bytes) -> int:
        return self.nonces.get(address, 0) + sum(tx.is_web3 and tx.sender == address for tx in self.txs.values())

    def _none_of_rpcs_business(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("RPC does not seal")

    admit = admit_gossip = seal = mark_sealed = release = missing = check_sealable = on_committed = _none_of_rpcs_business


class Calls:
    """contracts.Executor.call as the recorded nodes answered."""

    def call(self, sender: bytes, to: str, data: bytes) -> tuple[int, bytes, str]:
        if to.endswith("1000") and not data:
            return 15, encode_revert("Empty param data in precompiled call"), ""
        if not to and data:
            return 0, b"", ""
        return (16, encode_revert("Call address error."), "") if data else (0, b"", "")

    def _not_here(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("RPC executes no blocks")

    execute = on_committed = discard_from = _not_here


class World:
    """contracts.NodeFacade over a chain in memory. `seals_at_once`: every transaction is in a block before `submit` returns."""

    def __init__(self, ledger: MemoryLedger, node_id: bytes, keys: Sequence[KeyPair] = (), *, seals_at_once: bool = True) -> None:
        self.ledger = ledger
        self.node_id = node_id
        self.pool = MemoryPool(ledger.nonces)
        self.executor = Calls()
        self.settings: Any = None
        self.keys = {key.node_id: key for key in keys}
        self.seals_at_once = seals_at_once
        self.view = 3
        self.status: tuple[int, int] | None = None
        self.others: list[PeerStatus] = []
        self.syncing = False
        self.highest: tuple[int, bytes] | None = None
        self.submitted = 0
        self._waiting: list[tuple[PooledTx, asyncio.Future[bytes]]] = []

    def consensus_status(self) -> ConsensusStatus:
        ids = [sealer.node_id for sealer in self.ledger.config.sealers]
        weight = sum(sealer.weight for sealer in self.ledger.config.sealers)
        faulty = (weight - 1) // 3
        return ConsensusStatus(
            node_index=ids.index(self.node_id) if self.node_id in ids else 2**64 - 1,
            leader_index=(self.ledger.height + 1 + self.view) % len(ids),
            faulty_weight_max=faulty,
            quorum_weight=weight - faulty,
            is_sealer=self.node_id in ids,
            height=self.ledger.height,
            head_hash=self.ledger.head_hash,
            timeout=False,
            change_cycle=0,
            view=self.view,
            connected_count=len(self.others) + 1,
        )

    def sync_status(self) -> tuple[bool, int, bytes]:
        return self.syncing, *(self.highest or (self.ledger.height, self.ledger.head_hash))

    def peers(self) -> list[PeerStatus]:
        return self.others

    def _admit(self, raw: bytes) -> PooledTx:
        try:
            tx, tx_hash, sender = decode_verified(raw)
        except BadSignature:
            raise AdmissionError(10008, "InvalidSignature") from None
        except LedgerFormatError as problem:
            raise AdmissionError(10003, problem.message) from None
        data = tx.data
        if tx.tx_type != TYPE_WEB3:
            if data.group_id != "group0":
                raise AdmissionError(10007, "InvalidGroupId")
            if not self.ledger.height < data.block_limit <= self.ledger.height + 1000:
                raise AdmissionError(10001, "BlockLimitCheckFail")
        if tx_hash in self.pool.txs or self.ledger.tx_location(tx_hash):
            raise AdmissionError(10000, "NonceCheckFail")
        return PooledTx(tx_hash, raw, sender, data.to, data.nonce, data.block_limit, tx.tx_type == TYPE_WEB3, False, input=data.input)

    def submit(self, raw: bytes, *, wait: bool) -> asyncio.Future[bytes]:
        self.submitted += 1
        pooled = self._admit(raw)
        self.pool.txs[pooled.tx_hash] = pooled
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if wait:
            self._waiting.append((pooled, future))
        else:
            future.set_result(pooled.tx_hash)
        if self.seals_at_once:
            self.seal()
        return future

    def seal(self) -> None:
        """All pooled transactions into the next block."""
        ledger, pooled = self.ledger, list(self.pool.txs.values())
        number = ledger.height + 1
        receipts = [self._receipt(tx, number) for tx in pooled]
        leader = ledger.config.sealers[(number + self.view) % len(ledger.config.sealers)]
        header = BlockHeader(
            version=ledger.config.block_version,
            parents=((number - 1, ledger.head_hash),),
            txs_root=merkle_root([tx.tx_hash for tx in pooled]),
            receipts_root=merkle_root([hash_receipt(receipt) for receipt in receipts]),
            state_root=keccak256(b"state" + number.to_bytes(8, "big")),
            number=number,
            gas_used=str(21000 * len(pooled)),
            timestamp_ms=1_795_236_000_000 + number * 1000,
            sealer=ledger.config.sealers.index(leader),
            sealer_list=tuple(sealer.node_id for sealer in ledger.config.sealers),
            extra_data=b"",
            weights=tuple(sealer.weight for sealer in ledger.config.sealers),
        )
        block_hash = hash_header(header)
        signatures = [
            (index, self.keys[sealer.node_id].sign(block_hash))
            for index, sealer in enumerate(ledger.config.sealers)
            if sealer.node_id in self.keys
        ]
        ledger.append(
            StoredBlock(
                with_signatures(header, tuple(signatures[:3])),
                block_hash,
                [tx.tx_hash for tx in pooled],
                [tx.raw for tx in pooled],
                [encode_receipt(receipt) for receipt in receipts],
            )
        )
        for tx in pooled:
            ledger.nonces[tx.sender] = ledger.nonces.get(tx.sender, 0) + tx.is_web3
        self.pool.txs.clear()
        waiting, self._waiting = self._waiting, []
        for tx, future in waiting:
            receipt = ledger.receipt(tx.tx_hash)
            assert receipt is not None
            if not future.done():
                future.set_result(receipt)

    def _receipt(self, tx: PooledTx, number: int) -> Receipt:
        if tx.input and not tx.is_web3:
            self.ledger.failed_count += 1
            return Receipt(0, "21000", "", 16, encode_revert("Call address error."), (), number)
        return Receipt(0, "21000", "", 0, b"", (), number)


def keys_of(count: int) -> list[KeyPair]:
    """Node keys in the order of the consensus index."""
    return sorted((KeyPair.from_secret(keccak256(b"node%d" % index)) for index in range(count)), key=lambda key: key.node_id)


def identity(world: World, *, web3_chain_id: int = 20200) -> RpcIdentity:
    """What RPC tells of this world's node."""
    return RpcIdentity(
        chain_id="chain0",
        group_id="group0",
        node_id=world.node_id,
        p2p_id="ab" * 256,
        p2p_endpoint="127.0.0.1:30300",
        web3_chain_id=web3_chain_id,
        genesis_sealers=world.ledger.config.sealers,
        tx_count_limit=1000,
        leader_period_blocks=1,
        gas_limit=3_000_000_000,
        block_version=world.ledger.config.block_version,
        is_auth_check=False,
        is_serial_execute=True,
    )


def small_world(*, seals_at_once: bool = True) -> World:
    """Four sealers, no blocks yet."""
    keys = keys_of(4)
    sealers = tuple(Sealer(key.node_id, 1) for key in keys)
    ledger = MemoryLedger(sealers, genesis_header(0x03100000, b"[chain]\nsmall\n"))
    world = World(ledger, keys[1].node_id, keys, seals_at_once=seals_at_once)
    world.others = [
        PeerStatus(key.node_id, "cd" * 256, f"127.0.0.1:{30301 + index}", 0, ledger.head_hash, ledger.genesis_hash)
        for index, key in enumerate(keys)
        if index != 1
    ]
    return world


@cache
def recorded_blocks() -> tuple[dict[str, Any], ...]:
    """The first ten blocks of the recorded chain, with their receipts."""
    found = []
    with lzma.open(shared("recordings", "v3", "blocks_full_node0.jsonl.xz"), "rt") as file:
        for line in file:
            row = json.loads(line)
            if row["height"] < 10:
                found.append(row)
    return tuple(sorted(found, key=lambda row: int(row["height"])))


def recorded_world(node_id: bytes, height: int, genesis_hash: bytes) -> World:
    """The recorded chain up to `height`, as the node with this id has it."""
    rows = recorded_blocks()
    genesis = header_from_rpc(rows[0]["block"]["result"])
    sealer_ids = header_from_rpc(rows[1]["block"]["result"]).sealer_list
    ledger = MemoryLedger(tuple(Sealer(one, 1) for one in sealer_ids), genesis, genesis_hash)
    for row in rows[1 : height + 1]:
        shown = row["block"]["result"]
        receipts = [receipt_from_rpc(_unwrapped(one)) for one in row["receipts"]]
        ledger.failed_count += sum(receipt.status != 0 for receipt in receipts)
        transactions = [transaction_from_rpc(one) for one in shown["transactions"]]
        ledger.append(
            StoredBlock(
                header_from_rpc(shown),
                bytes.fromhex(shown["hash"][2:]),
                [tx.data_hash for tx in transactions],
                [encode_transaction(tx) for tx in transactions],
                [encode_receipt(receipt) for receipt in receipts],
            )
        )
    world = World(ledger, node_id)
    world.highest = (height, ledger.blocks[height].block_hash)
    world.others = [
        PeerStatus(one, "ef" * 256, f"127.0.0.1:{30300 + index}", height, ledger.head_hash, genesis_hash)
        for index, one in enumerate(sealer_ids)
        if one != node_id
    ]
    return world


def _unwrapped(receipt: dict[str, Any]) -> dict[str, Any]:
    result = receipt.get("result", receipt)
    assert isinstance(result, dict)
    return result


def hashes_of(blocks: Iterable[StoredBlock]) -> list[bytes]:
    return [block.block_hash for block in blocks]
