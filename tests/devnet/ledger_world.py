"""A small chain without network: four sealers, their genesis, signed transactions, and a ledger with pool and executor on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fiscotool.devnet.contracts import ExecutedBlock, PooledTx
from fiscotool.devnet.executor import BlockExecutor
from fiscotool.devnet.pooled import pooled_tx
from fiscotool.devnet.settings import GenesisSettings, parse_genesis
from fiscotool.devnet.store import SqliteLedger, open_ledger
from fiscotool.devnet.txpool import TxPool
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.eth import wrap_ethereum
from fiscotool.ledger.header3 import BlockHeader
from fiscotool.ledger.tx3 import build_transaction, encode_transaction

NODES = sorted((KeyPair.from_secret(bytes(31) + bytes((10 + index,))) for index in range(4)), key=lambda key: key.node_id)
USER = KeyPair.from_secret(bytes(31) + b"\x63")
RICH = KeyPair.from_secret(bytes(31) + b"\x64")
POOR = KeyPair.from_secret(bytes(31) + b"\x65")
NOBODY = "22" * 20
RICH_WEI = 10**18

GENESIS = "\n".join(
    [
        *("[chain]", "chain_id=chain0", "group_id=group0", "[web3]", "chain_id=20200", "[consensus]"),
        *(f"node.{index}={key.node_id.hex()}: 1" for index, key in enumerate(NODES)),
        *("[executor]", "version=1", "[fiscotool_balances]", f"0x{RICH.address.hex()}={RICH_WEI}"),
    ]
)


def genesis(text: str = GENESIS, *, block_limit: int = 1000) -> GenesisSettings:
    """The genesis of the test chain."""
    return replace(parse_genesis(text), block_limit=block_limit)


def native(nonce: str = "", **changes: Any) -> bytes:
    """A signed native transaction as Tars bytes; by default a plain call that changes nothing."""
    fields: dict[str, Any] = {
        "chain_id": "chain0",
        "group_id": "group0",
        "block_limit": 500,
        "to": NOBODY,
        "input": b"",
        "key": USER,
        "nonce": nonce,
    }
    return encode_transaction(build_transaction(**(fields | changes)))


def web3(nonce: int, *, key: KeyPair = RICH, **changes: Any) -> bytes:
    """A signed Ethereum transaction as the pool gets it."""
    from eth_account import Account as EthAccount
    from eth_utils.address import to_checksum_address

    fields: dict[str, Any] = {
        "chainId": 20200,
        "nonce": nonce,
        "to": f"0x{NOBODY}",
        "value": 1,
        "gas": 21000,
        "gasPrice": 0,
        "data": b"",
    }
    fields |= changes
    if fields["to"]:
        fields["to"] = to_checksum_address(fields["to"])
    if fields["chainId"] is None:
        del fields["chainId"]
    signed = EthAccount.sign_transaction({name: value for name, value in fields.items() if value is not None}, key._secret)
    return encode_transaction(wrap_ethereum(bytes(signed.raw_transaction)))


def tx(raw: bytes) -> PooledTx:
    """As a node that has verified it holds it."""
    return pooled_tx(raw)


@dataclass
class World:
    """One node's ledger, executor and pool; `now_ms` is its clock."""

    ledger: SqliteLedger
    executor: BlockExecutor
    pool: TxPool
    clock: list[int]
    dropped: list[tuple[bytes, int]]

    def header(self, number: int, parent_hash: bytes) -> BlockHeader:
        """A proposed header with its parent."""
        config = self.ledger.config
        return BlockHeader(
            version=config.block_version,
            parents=((number - 1, parent_hash),),
            txs_root=b"",
            receipts_root=b"",
            state_root=b"",
            number=number,
            gas_used="",
            timestamp_ms=1_700_000_000_000 + number,
            sealer=number % len(config.sealers),
            sealer_list=tuple(sealer.node_id for sealer in config.sealers),
            extra_data=b"",
            weights=tuple(sealer.weight for sealer in config.sealers),
        )

    def execute(self, raws: Sequence[bytes], parent: ExecutedBlock | None = None) -> ExecutedBlock:
        """The next block after the head, or after an executed `parent`."""
        number, parent_hash = (self.ledger.height, self.ledger.head_hash) if parent is None else (parent.number, parent.block_hash)
        return self.executor.execute(self.header(number + 1, parent_hash), [tx(raw) for raw in raws])

    async def commit(self, block: ExecutedBlock) -> None:
        """As the node does it."""
        signatures = [(index, key.sign(block.block_hash)) for index, key in enumerate(NODES[:3])]
        await self.ledger.commit(block, signatures)
        self.pool.on_committed(block.number, [one.tx_hash for one in block.txs])
        self.executor.on_committed(block.number)

    async def add_block(self, raws: Sequence[bytes]) -> ExecutedBlock:
        """Execute and commit."""
        block = self.execute(raws)
        await self.commit(block)
        return block

    def close(self) -> None:
        self.ledger.close()


def open_world(directory: Path, settings: GenesisSettings | None = None, *, segment_txs: int = 1 << 15, pool_limit: int = 100) -> World:
    """A world on the ledger in `directory`, begun or continued."""
    ledger = open_ledger(directory, settings or genesis(), segment_txs=segment_txs)
    clock = [1_000_000]
    dropped: list[tuple[bytes, int]] = []
    pool = TxPool(
        ledger,
        chain_id="chain0",
        group_id="group0",
        now_ms=lambda: clock[0],
        import_time_ms=lambda: 1_700_000_000_123,
        limit=pool_limit,
        expiration_ms=600_000,
        on_dropped=lambda tx_hash, status: dropped.append((tx_hash, status)),
    )
    return World(ledger, BlockExecutor(ledger), pool, clock, dropped)
