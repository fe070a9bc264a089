"""Block 0 of a 2.x chain: what group.N.genesis makes of an empty ledger.

Rule 1. Its header carries the configuration as text (the mark), the sealers sorted by id as releases from 2.9.0 on write them, and the
        timestamp of the file; everything else is zero, the list of sealers empty (checked against the recorded genesis block).
Rule 2. The mark is the identity of a group: a ledger begun with another one is refused at start.

Sources: spec 2.x 3.3, 4.6; libledger `LedgerParam.cpp` `initMark`; recordings v2/deploy, v2/rpc.
"""

from __future__ import annotations

from typing import Final

from fiscotool.devnet.settings import GenesisSettings
from fiscotool.devnet.state import NodeRecord, Setting, StateChanges
from fiscotool.ledger.header2 import BlockHeader2

__all__ = ["block_zero2", "genesis_mark", "initial_state2"]

_NO_HASH: Final = bytes(32)
_NO_BLOOM: Final = bytes(256)
_EVM_FLAGS: Final = 0


def genesis_mark(genesis: GenesisSettings) -> str:
    """The text in the extraData of block 0."""
    ids = "".join(f"{sealer.node_id.hex()}," for sealer in sorted(genesis.sealers, key=lambda one: one.node_id))
    limits = f"{genesis.tx_count_limit}-{genesis.gas_limit}-{genesis.consensus_timeout_s}"
    return f"{genesis.group_id}-{ids}-pbft-storage-{_EVM_FLAGS}-{limits}"


def block_zero2(genesis: GenesisSettings) -> BlockHeader2:
    """The header of block 0."""
    return BlockHeader2(
        parent_hash=_NO_HASH,
        state_root=_NO_HASH,
        txs_root=_NO_HASH,
        receipts_root=_NO_HASH,
        db_hash=_NO_HASH,
        logs_bloom=_NO_BLOOM,
        number=0,
        gas_limit=0,
        gas_used=0,
        timestamp_ms=genesis.timestamp_ms,
        extra_data=(genesis_mark(genesis).encode(),),
        sealer=0,
        sealer_list=(),
    )


def initial_state2(genesis: GenesisSettings) -> StateChanges:
    """The state after block 0: configuration and sealers."""
    settings = {
        "tx_count_limit": str(genesis.tx_count_limit),
        "tx_gas_limit": str(genesis.gas_limit),
        "consensus_timeout": str(genesis.consensus_timeout_s),
    }
    return StateChanges(
        settings={key: Setting(value, 0) for key, value in settings.items()},
        nodes={sealer.node_id: NodeRecord(is_sealer=True, weight=1, enable_number=0) for sealer in genesis.sealers},
    )
