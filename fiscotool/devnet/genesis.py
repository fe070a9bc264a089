"""Block 0: what config.genesis makes of an empty ledger.

Rule 1. Its header carries the configuration as text in extraData, byte for byte what the real node writes (checked against the recorded
        genesis block), with the nodes sorted by id: neither the order of node.N lines nor the directory a file lies in matters.
Rule 2. The text is the identity of a chain: a ledger begun with another text is refused at start (`store.open_ledger`). As upstream, it
        does not cover the Web3 chain id, executor version, block limit and balances.
Rule 3. Block 0 has one hash, that of its header as getBlockByNumber tells it.

Deviation from the recorded chain: there getBlockHashByNumber(0) and the parent of block 1 tell another hash than block 0 itself, one
that cannot be computed from the header. Nobody could check such a chain of parents, so Rule 3.

Sources: spec 3.x 3.4, 4.7; bcos-tool `NodeConfig.cpp` `generateGenesisData`; bcos-ledger `Ledger.cpp` `buildGenesisBlock`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fiscotool.devnet.rpc_features import FEATURE_KEYS
from fiscotool.devnet.settings import GenesisSettings
from fiscotool.devnet.state import Account, NodeRecord, Setting, StateChanges
from fiscotool.ledger.header3 import BlockHeader, genesis_header

__all__ = ["block_zero", "genesis_text", "initial_state"]

# bcos-framework ledger/Features.h: corrections that a chain has switched on from its start (recorded: "1"), but for the two latest ones.
_BUGFIXES: Final = tuple(
    key for key in FEATURE_KEYS if key.startswith("bugfix_") and key not in {"bugfix_v1_timestamp", "bugfix_revert_logs"}
)


def genesis_text(genesis: GenesisSettings) -> str:
    """The text in the extraData of block 0, misspellings of the real node included: they are hashed."""
    nodes = sorted(genesis.sealers, key=lambda sealer: sealer.node_id)
    lines = [
        "[chain]",
        "sm_crypto:0",
        f"chainID: {genesis.chain_id}",
        f"grouID: {genesis.group_id}",
        "[consensys]",
        "consensus_type: pbft",
        f"block_tx_count_limit:{genesis.tx_count_limit}",
        f"leader_period:{genesis.leader_period_blocks}",
        "[version]",
        f"compatibility_version:{genesis.compatibility_version}",
        "[tx]",
        f"gaslimit:{genesis.gas_limit}",
        "[executor]",
        "iswasm: 0",
        f"isAuthCheck:{int(genesis.is_auth_check)}",
        f"authAdminAccount:{genesis.auth_admin_account}",
        f"isSerialExecute:{int(genesis.is_serial_execute)}",
        "epochSealerNum:4",
        "epochBlockNum:1000",
        *(f"node.{index}:{sealer.node_id.hex()},{sealer.weight}" for index, sealer in enumerate(nodes)),
    ]
    return "\n".join(lines) + "\n"


def block_zero(genesis: GenesisSettings) -> BlockHeader:
    """The header of block 0."""
    return genesis_header(genesis.version, genesis_text(genesis).encode())


def _settings(genesis: GenesisSettings) -> Mapping[str, str]:
    return {
        "tx_count_limit": str(genesis.tx_count_limit),
        "consensus_leader_period": str(genesis.leader_period_blocks),
        "tx_gas_limit": str(genesis.gas_limit),
        "tx_gas_price": "0x0",
        "auth_check_status": str(int(genesis.is_auth_check)),
        "compatibility_version": genesis.compatibility_version,
        "web3_chain_id": str(genesis.web3_chain_id),
        "executor_version": str(genesis.executor_version),
        "balance_transfer": "1",
        **dict.fromkeys(_BUGFIXES, "1"),
        **dict.fromkeys(genesis.features, "1"),
    }


def initial_state(genesis: GenesisSettings) -> StateChanges:
    """The state after block 0: configuration, sealers, balances."""
    return StateChanges(
        accounts={address: Account(wei, 0) for address, wei in genesis.balances},
        settings={key: Setting(value, 0) for key, value in _settings(genesis).items()},
        nodes={sealer.node_id: NodeRecord(is_sealer=True, weight=sealer.weight, enable_number=0) for sealer in genesis.sealers},
    )
