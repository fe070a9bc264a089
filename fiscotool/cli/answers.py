"""A node's answers for people: names instead of keys of 128 digits, tables instead of lists in lists, long texts cut.

Rule. Nothing is lost: `--json` prints everything a node said. What is cut here says so by an ellipsis.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fiscotool.cli.output import jsonable, table

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain
    from fiscotool.rpc.replies_consensus import ConsensusStatus, SyncStatus
    from fiscotool.rpc.replies_group import GroupInfo, Peers
    from fiscotool.rpc.replies_ledger import Block

_SHORT = 8
_LINE_MAX = 140
_HIDDEN = {"extra", "told"}
"""Members that repeat others or are of no use to people."""


def short(text: str) -> str:
    """The first digits of a key or hash."""
    return text if len(text) <= 2 * _SHORT else f"{text[:_SHORT]}…"


def cut(value: Any) -> str:
    """A value on one line of bounded length."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LINE_MAX else f"{text[: _LINE_MAX - _SHORT]}… ({len(text)} characters; --json shows all)"


def lines(rows: Iterable[tuple[str, Any]]) -> str:
    """A name and a value a line."""
    found = [(key, "-" if value in (None, "") else value) for key, value in rows]
    width = max((len(key) for key, _ in found), default=0)
    return "\n".join(f"{key:<{width}}  {value if isinstance(value, int) else cut(value)}" for key, value in found)


class Names:
    """What this chain's directory calls the nodes an answer speaks of."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._ids = chain.genesis.sorted_ids

    def of_id(self, node_id: str) -> str:
        """The node's name, or the first digits of its key."""
        node = self._chain.node_of_id(node_id)
        return node.name if node is not None else short(node_id)


def as_text(answer: Any, chain: Chain) -> str:
    """An answer for people."""
    show = _SHOWS.get(type(answer).__name__)
    names = Names(chain)
    if show is not None:
        return show(answer, names)
    if isinstance(answer, Sequence) and not isinstance(answer, str) and answer:
        show_all = _SHOWS_MANY.get(type(answer[0]).__name__)
        if show_all is not None:
            return show_all(answer, names)
    return _plain(answer, names)


def _plain(answer: Any, names: Names) -> str:
    plain = jsonable(answer)
    if isinstance(plain, dict):
        return lines((key, value) for key, value in plain.items() if key not in _HIDDEN and value not in (None, "", []))
    if isinstance(plain, list):
        return "\n".join(names.of_id(item) if isinstance(item, str) else cut(item) for item in plain) or "(none)"
    return str(plain)


def _consensus(status: ConsensusStatus, names: Names) -> str:
    by_index: dict[int | None, str] = {node.index: names.of_id(node.node_id) for node in status.nodes}
    head = lines(
        (
            ("node", names.of_id(status.node_id)),
            ("node_id", status.node_id),
            ("index", status.index),
            ("is a sealer", "yes" if status.is_consensus_node else "no"),
            ("height", status.height),
            ("block_hash", status.block_hash),
            ("view", status.view),
            ("leader", _leader(status, by_index)),
            ("in timeout", _timeout(status)),
            ("connected", f"{status.connected_count} of {status.node_count} nodes, itself included"),
            ("quorum weight", f"{status.quorum_weight} (tolerates {status.faulty_weight_max})"),
        )
    )
    rows = [(node.index, names.of_id(node.node_id), node.weight, short(node.node_id)) for node in status.nodes]
    return f"{head}\n\n{table(('index', 'node', 'weight', 'node id'), rows)}"


def _leader(status: ConsensusStatus, by_index: dict[int | None, str]) -> str:
    if status.leader_index is None:
        return "none, as this node sees it"
    return f"{status.leader_index} ({by_index.get(status.leader_index, 'unknown')})"


def _timeout(status: ConsensusStatus) -> str:
    if not status.timeout:
        return "no"
    return "yes, it asks for another view" if status.change_cycle is None else f"yes, change cycle {status.change_cycle}"


def _sync(status: SyncStatus, names: Names) -> str:
    head = lines(
        (
            ("node", names.of_id(status.node_id)),
            ("is syncing", "yes" if status.is_syncing else "no"),
            ("height", status.height),
            ("latest hash", status.latest_hash),
            ("highest known", status.known_highest),
            ("genesis hash", status.genesis_hash),
        )
    )
    rows = [(names.of_id(peer.node_id), peer.height, short(peer.latest_hash)) for peer in status.peers]
    return f"{head}\n\n{table(('peer', 'height', 'latest hash'), rows)}" if rows else f"{head}\n\nno peers"


def _peers(peers: Peers, names: Names) -> str:
    rows = [
        (", ".join(names.of_id(each) for each in peer.node_ids), peer.end_point, ", ".join(sorted(peer.groups)), note)
        for peer, note in ((peers.me, "itself"), *((peer, "") for peer in peers.peers))
    ]
    return table(("node", "address", "groups", ""), [(*row[:3], row[3] or " ") for row in rows])


def _block(block: Block, names: Names) -> str:
    sealer_ids = [each.removeprefix("0x") for each in block.sealer_list]
    sealers = [names.of_id(each) for each in sealer_ids]
    signers = [sealers[each.sealer_index] if each.sealer_index < len(sealers) else str(each.sealer_index) for each in block.signatures]
    when = datetime.fromtimestamp(block.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds") if block.timestamp_ms else "-"
    hashes = block.tx_hashes if block.tx_hashes is not None else tuple(each.tx_hash for each in block.transactions or ())
    shown = 10
    head = lines(
        (
            ("number", block.number),
            ("hash", block.block_hash),
            ("parent", block.parents[0].block_hash if block.parents else "-"),
            ("time", when),
            ("proposed by", f"{block.sealer} ({sealers[block.sealer]})" if block.sealer < len(sealers) else block.sealer),
            ("signed by", ", ".join(signers) or "nobody"),
            ("sealers", ", ".join(sealers) or "-"),
            ("txs root", block.txs_root),
            ("receipts root", block.receipts_root),
            ("state root", block.state_root),
            ("gas used", block.gas_used),
            ("extra data", block.extra_data),
            ("transactions", len(hashes)),
        )
    )
    more = [f"    … and {len(hashes) - shown} more (--json shows all)"] if len(hashes) > shown else []
    return "\n".join([head, *(f"    {each}" for each in hashes[:shown]), *more])


def _sealers(sealers: Sequence[Any], names: Names) -> str:
    return table(("node", "weight", "node id"), [(names.of_id(each.node_id), each.weight, each.node_id) for each in sealers])


def _groups(groups: Sequence[GroupInfo], names: Names) -> str:
    rows = []
    for group in groups:
        for node in group.nodes:
            binary = node.ini_config.get("binaryInfo")
            told = binary if isinstance(binary, dict) else {}
            low = node.compatibility_version
            compatible = f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}"
            rows.append((names.of_id(node.node_id), node.version, compatible, group.chain_id, group.group_id, told.get("buildTime")))
    return table(("node", "version", "compatible with", "chain", "group", "built"), rows)


_SHOWS: dict[str, Callable[[Any, Names], str]] = {"ConsensusStatus": _consensus, "SyncStatus": _sync, "Peers": _peers, "Block": _block}
_SHOWS_MANY: dict[str, Callable[[Any, Names], str]] = {"Sealer": _sealers, "GroupInfo": _groups}
"""By name of the reply's class, so that no reply has to be imported to show another."""
