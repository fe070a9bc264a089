"""A client for a node whose dialect nobody said: it asks once, at the first call, and is the client of that dialect from then on.

Rule 1. Asking costs the first call two or three exchanges; a node that does not answer is asked again at the next call.
Rule 2. A refusal to the second dialect's words after a restart with another binary (a node upgraded from 2.x to 3.x on the same port)
        is a refusal as any other; `forget` makes it ask again.
Rule 3. The Ethereum port has neither views nor sealers: who meets it here is told to use the native port.

Safe from several threads: two may ask at once, to the same end.
"""

from __future__ import annotations

from typing import Any, Final, Self

from fiscotool.errors import UsageError
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.detect import Detected, detect_dialect
from fiscotool.rpc.dialect import Dialect, is_group_number
from fiscotool.rpc.neutral import NodeReader, NodeVersion
from fiscotool.rpc.replies_consensus import ConsensusStatus, Sealer, SyncStatus
from fiscotool.rpc.replies_group import Peers
from fiscotool.rpc.replies_ledger import Block, Transaction
from fiscotool.rpc.replies_receipt import CallResult, Receipt, SystemConfig, TransactionCount
from fiscotool.rpc.tls import TlsFiles
from fiscotool.rpc.typed_client import READ_S, SEND_S

_ASK_S_MAX: Final = 3.0


class AnyClient:
    """Talks to one node of either generation. Implements rpc.neutral.NodeReader.

    `address`: a URL, or HOST:PORT. `group`: "" for the node's first group.
    """

    def __init__(
        self,
        address: str,
        *,
        group: str = "",
        timeout_s: float = READ_S,
        send_timeout_s: float = SEND_S,
        tls: TlsFiles | None = None,
        name: str = "",
    ) -> None:
        self.url = address
        self.group = group
        self.name = name or address
        self._timeout_s = timeout_s
        self._send_timeout_s = send_timeout_s
        self._tls = tls
        self._known: tuple[Detected, NodeReader] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop kept connections; the client can be used again."""
        if self._known is not None:
            self._known[1].close()

    def forget(self) -> None:
        """Ask for the dialect again at the next call."""
        self.close()
        self._known = None

    def detected(self) -> Detected:
        """What the node said it is. Asks if it was not asked yet."""
        return self._ask()[0]

    @property
    def node(self) -> NodeReader:
        """The client of the node's own dialect."""
        return self._ask()[1]

    def _ask(self) -> tuple[Detected, NodeReader]:
        known = self._known
        if known is None:
            found = detect_dialect(self.url, tls=self._tls, name=self.name, timeout_s=min(_ASK_S_MAX, self._timeout_s))
            known = self._known = (found, self._client_of(found))
        return known

    def _client_of(self, found: Detected) -> NodeReader:
        given: dict[str, Any] = {
            "timeout_s": self._timeout_s,
            "send_timeout_s": self._send_timeout_s,
            "tls": self._tls,
            "name": self.name,
        }
        groups = found.version.groups
        group = self.group or (groups[0] if groups else "")
        if found.dialect is Dialect.ETHEREUM:
            raise UsageError(
                f"{self.name} is the Ethereum RPC of a 3.x node, which knows neither views nor sealers",
                hint="give the address of the native RPC (20200 …)",
            )
        if found.dialect is Dialect.FISCO2:
            if not is_group_number(group or "1"):
                raise UsageError(
                    f"{self.name} is a 2.x node, and {group!r} is no group of one: groups there are numbers",
                    hint=f"it has the groups {', '.join(groups)}",
                )
            return NodeClient2(found.url, group=group or "1", **given)
        return NodeClient(found.url, group=group or "group0", **given)

    @property
    def dialect(self) -> Dialect:
        """What the node speaks."""
        return self.detected().dialect

    def call(self, method: str, params: list[Any] | tuple[Any, ...] = (), *, timeout_s: float | None = None) -> Any:
        """See NodeReader."""
        return self.node.call(method, params, timeout_s=timeout_s)

    def typed_call(self, method: str, params: tuple[Any, ...] = (), *, tx_hash: str = "", timeout_s: float | None = None) -> Any:
        """See NodeReader."""
        return self.node.typed_call(method, params, tx_hash=tx_hash, timeout_s=timeout_s)

    def version(self) -> NodeVersion:
        """See NodeReader."""
        return self.node.version()

    def block_number(self, *, timeout_s: float | None = None) -> int:
        """See NodeReader."""
        return self.node.block_number(timeout_s=timeout_s)

    def pbft_view(self) -> int:
        """See NodeReader."""
        return self.node.pbft_view()

    def consensus_status(self, *, timeout_s: float | None = None) -> ConsensusStatus:
        """See NodeReader."""
        return self.node.consensus_status(timeout_s=timeout_s)

    def sync_status(self) -> SyncStatus:
        """See NodeReader."""
        return self.node.sync_status()

    def sealers(self) -> tuple[Sealer, ...]:
        """See NodeReader."""
        return self.node.sealers()

    def observers(self) -> tuple[str, ...]:
        """See NodeReader."""
        return self.node.observers()

    def peers(self) -> Peers:
        """See NodeReader."""
        return self.node.peers()

    def group_peers(self) -> tuple[str, ...]:
        """See NodeReader."""
        return self.node.group_peers()

    def pending_count(self) -> int:
        """See NodeReader."""
        return self.node.pending_count()

    def total_count(self) -> TransactionCount:
        """See NodeReader."""
        return self.node.total_count()

    def system_config(self, key: str) -> SystemConfig:
        """See NodeReader."""
        return self.node.system_config(key)

    def block(self, number: int, *, only_header: bool = False, only_hashes: bool = True) -> Block:
        """See NodeReader."""
        return self.node.block(number, only_header=only_header, only_hashes=only_hashes)

    def block_by_hash(self, block_hash: str, *, only_header: bool = False, only_hashes: bool = True) -> Block:
        """See NodeReader."""
        return self.node.block_by_hash(block_hash, only_header=only_header, only_hashes=only_hashes)

    def block_hash(self, number: int) -> str:
        """See NodeReader."""
        return self.node.block_hash(number)

    def transaction(self, tx_hash: str) -> Transaction:
        """See NodeReader."""
        return self.node.transaction(tx_hash)

    def receipt(self, tx_hash: str) -> Receipt:
        """See NodeReader."""
        return self.node.receipt(tx_hash)

    def call_contract(self, to: str, data: str) -> CallResult:
        """See NodeReader."""
        return self.node.call_contract(to, data)

    def code(self, address: str) -> str:
        """See NodeReader."""
        return self.node.code(address)

    def submit(self, raw_hex: str, *, tx_hash: str = "", timeout_s: float | None = None) -> Receipt | None:
        """See NodeReader."""
        return self.node.submit(raw_hex, tx_hash=tx_hash, timeout_s=timeout_s)
