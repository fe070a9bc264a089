"""What the chain knows: accounts, system configuration, member nodes. Layers of it, so that execution may run ahead of the disk.

    BlockState of N+2 ──▶ BlockState of N+1 ──▶ committed state (the ledger)

Rule 1. A layer holds what its block changed and asks its parent for everything else; reading never changes anything.
Rule 2. A member or configuration change made in block N has enable number N+1: it is in force for the next block (spec 3.x 1.19).
Rule 3. The state root is a function of the changed entries alone, in one order on all nodes; a block that changes nothing has 32 zero
        bytes (recorded: blocks of failed and of plain calls).

Deviation: upstream's root is the XOR of per-entry hashes over its tables; it cannot be recomputed from outside, so ours is a keccak over
the sorted entries, which, unlike a XOR, nobody can steer.

Sources: spec 3.x 1.19, 3.4, 3.7; bcos-framework `ledger/SystemConfigs.h`; bcos-table `StateStorage.h` `hash`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from fiscotool.devnet.contracts import ChainConfig, Sealer
from fiscotool.ledger.crypto import keccak256

__all__ = ["EMPTY_ACCOUNT", "Account", "BlockState", "NodeRecord", "Setting", "StateChanges", "StateReader", "chain_config", "state_root"]

_NO_CHANGE_ROOT: Final = bytes(32)
_LENGTH_BYTES: Final = 4


class Account(NamedTuple):
    """An account: `balance` in wei, `nonce` the number of Web3 transactions it has sent."""

    balance: int
    nonce: int


EMPTY_ACCOUNT: Final = Account(0, 0)


class Setting(NamedTuple):
    """A system configuration value and the first block it is in force for."""

    value: str
    enable_number: int


class NodeRecord(NamedTuple):
    """A member of the group. `weight` is 0 for an observer."""

    is_sealer: bool
    weight: int
    enable_number: int


@dataclass(frozen=True, slots=True)
class StateChanges:
    """What one block changed. A node of None was removed; `failed_count` transactions have a status other than 0.

    `nonces` are the digests (nonces.py) of the block's native nonces, one after another.
    """

    accounts: Mapping[bytes, Account] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    nodes: Mapping[bytes, NodeRecord | None] = field(default_factory=dict)
    failed_count: int = 0
    nonces: bytes = b""


class StateReader(Protocol):
    """The state after some block."""

    def account(self, address: bytes) -> Account:
        """The account of a 20-byte address; EMPTY_ACCOUNT for an unknown one."""

    def setting(self, key: str) -> Setting | None:
        """A system configuration value, or None."""

    def nodes(self) -> Mapping[bytes, NodeRecord]:
        """All members by node id. Not to be changed."""


class BlockState:
    """The state after a block in work: its changes over a parent."""

    __slots__ = ("_nodes", "_parent", "accounts", "changed_nodes", "number", "settings")

    def __init__(self, number: int, parent: StateReader) -> None:
        self.number = number
        self.accounts: dict[bytes, Account] = {}
        self.settings: dict[str, Setting] = {}
        self.changed_nodes: dict[bytes, NodeRecord | None] = {}
        self._parent = parent
        self._nodes: dict[bytes, NodeRecord] | None = None

    def rebase(self, parent: StateReader) -> None:
        """The former parent is part of `parent` now."""
        self._parent = parent

    def account(self, address: bytes) -> Account:
        """As StateReader."""
        found = self.accounts.get(address)
        return self._parent.account(address) if found is None else found

    def setting(self, key: str) -> Setting | None:
        """As StateReader."""
        return self.settings.get(key) or self._parent.setting(key)

    def nodes(self) -> Mapping[bytes, NodeRecord]:
        """As StateReader."""
        return self._parent.nodes() if self._nodes is None else self._nodes

    def set_account(self, address: bytes, account: Account) -> None:
        """Change an account."""
        self.accounts[address] = account

    def set_setting(self, key: str, value: str) -> None:
        """Change a configuration value, in force from the next block on."""
        self.settings[key] = Setting(value, self.number + 1)

    def set_node(self, node_id: bytes, *, is_sealer: bool, weight: int) -> None:
        """Add or change a member, in force from the next block on."""
        record = NodeRecord(is_sealer, weight, self.number + 1)
        self._own_nodes()[node_id] = record
        self.changed_nodes[node_id] = record

    def remove_node(self, node_id: bytes) -> None:
        """Remove a member."""
        del self._own_nodes()[node_id]
        self.changed_nodes[node_id] = None

    def _own_nodes(self) -> dict[bytes, NodeRecord]:
        if self._nodes is None:
            self._nodes = dict(self._parent.nodes())
        return self._nodes


def _entry(table: bytes, key: bytes, value: bytes) -> bytes:
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in (table, key, value))


def state_root(accounts: Mapping[bytes, Account], settings: Mapping[str, Setting], nodes: Mapping[bytes, NodeRecord | None]) -> bytes:
    """Digest of the changed entries (Rule 3): 32 bytes."""
    if not accounts and not settings and not nodes:
        return _NO_CHANGE_ROOT
    entries = [_entry(b"account", address, b"%d,%d" % account) for address, account in accounts.items()]
    entries += [_entry(b"setting", key.encode(), f"{value},{enabled}".encode()) for key, (value, enabled) in settings.items()]
    entries += [
        _entry(b"node", node_id, b"" if record is None else b"%d,%d,%d" % (record.is_sealer, record.weight, record.enable_number))
        for node_id, record in nodes.items()
    ]
    return keccak256(b"".join(sorted(entries)))


def _number(state: StateReader, key: str, default: int) -> int:
    setting = state.setting(key)
    return default if setting is None else int(setting.value)


def _version(state: StateReader) -> int:
    setting = state.setting("compatibility_version")
    parts = [int(part) for part in (setting.value if setting else "3.16.0").split(".")]
    major, minor, patch = [*parts, 0][:3]
    return major << 24 | minor << 16 | patch << 8


def chain_config(state: StateReader) -> ChainConfig:
    """The configuration in force for the block after `state` (Rule 2)."""
    nodes = state.nodes()
    return ChainConfig(
        sealers=tuple(Sealer(node_id, nodes[node_id].weight) for node_id in sorted(nodes) if nodes[node_id].is_sealer),
        observers=tuple(node_id for node_id in sorted(nodes) if not nodes[node_id].is_sealer),
        tx_count_limit=_number(state, "tx_count_limit", 1000),
        leader_period_blocks=_number(state, "consensus_leader_period", 1),
        gas_limit=_number(state, "tx_gas_limit", 3_000_000_000),
        block_version=_version(state),
    )
