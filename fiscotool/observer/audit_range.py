"""Verifying a range of blocks at some nodes: fetched by a few threads, verified by one. Runs in a process of its own.

Rule 1. The block below the range is read too, at each node, so that links do not end at ranges.
Rule 2. A node that is lost is left out from there on; the others go on.
Rule 3. Equal signatures of several nodes' tellings are verified once (ledger.signatures).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from fiscotool.ledger.anyheader import Generation, NationalCrypto
from fiscotool.ledger.evidence import Examined, examine
from fiscotool.observer.audit_source import NodeSource, Told
from fiscotool.observer.audit_words import AuditedNode, NodeAddress, RangeResult, RangeTask, SealerChange

CONNECTIONS: Final = 4
"""Questions one process has under way; nodes answer from a pool of about as many threads."""

_AHEAD: Final = 32
_BACK_MAX: Final = 1000
_MISSING_MAX: Final = 50
"""A node that claims any height and has nothing there must not keep an audit busy for ever."""

_NODE_ID: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{128}(?![0-9a-f])")


@dataclass(slots=True)
class _Kept:
    """What a process keeps from one range to the next: threads, and with them their open connections."""

    sources: dict[NodeAddress, NodeSource] = field(default_factory=dict)
    threads: ThreadPoolExecutor | None = None
    must_stop: Callable[[], bool] = field(default=lambda: False)

    def source(self, address: NodeAddress) -> NodeSource:
        """The source of a node, which may have come back."""
        source = self.sources.get(address)
        if source is None:
            source = self.sources[address] = NodeSource(address)
        source.begin()
        return source

    def pool(self) -> ThreadPoolExecutor:
        """The threads that ask."""
        if self.threads is None:
            self.threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="audit")
        return self.threads


_kept = _Kept()


def let_go() -> None:
    """Close the connections and end the threads that are kept for further ranges."""
    for source in _kept.sources.values():
        source.close()
    if _kept.threads is not None:
        _kept.threads.shutdown(wait=True, cancel_futures=True)
    _kept.sources.clear()
    _kept.threads = None


@dataclass(slots=True)
class _Walk:
    """One node's blocks on the way up."""

    node: AuditedNode
    source: NodeSource
    before: Examined | None = None
    sealers: tuple[bytes, ...] = ()
    weights: tuple[int, ...] = ()
    genesis_ids: frozenset[bytes] | None = None
    missing_count: int = 0
    asked: deque[Future[Told]] = field(default_factory=deque)
    told: Iterator[Told] = field(default_factory=lambda: iter(()))

    @property
    def name(self) -> str:
        return self.node.address.name


def audit_range(task: RangeTask) -> RangeResult:
    """Verify the blocks of a task. Raises nothing: what cannot be verified is in the result."""
    result = RangeResult(task.first, task.last)
    pool = _kept.pool()
    walks = [_Walk(node, _kept.source(node.address)) for node in task.nodes]
    try:
        for walk in walks:
            _begin(walk, task, result)
            walk.told = _fetched(pool, walk, task)
        for number in range(task.first, task.last + 1):
            if _kept.must_stop():
                break
            _verify_height(number, [walk for walk in walks if walk.name not in result.lost], task, result)
    except NationalCrypto as reason:
        result.national = reason.message
    finally:
        for walk in walks:
            for question in walk.asked:
                question.cancel()
    return result


def stop_when(condition: Callable[[], bool]) -> None:
    """From now on, give a range up as soon as this is true; nobody takes its result then."""
    _kept.must_stop = condition


def _begin(walk: _Walk, task: RangeTask, result: RangeResult) -> None:
    """Read the block below the range, and further below until one names its sealers (spec 3.x 1.11)."""
    number = min(task.first, walk.node.height + 1) - 1
    if number < 0 or number != task.first - 1:
        return
    for below in range(number, max(-1, number - _BACK_MAX), -1):
        told = walk.source.told(below)
        if told.is_lost:
            result.lost[walk.name] = (below, told.problem)
            return
        seen = examine(told.block or {}, known_roots=False)
        if below == number:
            walk.before = seen
            if seen.header is not None:
                result.before[walk.name] = (below, seen.block_hash.hex())
        if below == 0 and seen.header is not None:
            walk.genesis_ids = _ids_in(seen)
        if seen.header is None or seen.header.header.sealer_list or below == 0:
            walk.sealers, walk.weights = _sealers(seen)
            return


def _fetched(pool: ThreadPoolExecutor, walk: _Walk, task: RangeTask) -> Iterator[Told]:
    """The node's tellings in order, a bounded number of them under way."""
    numbers = range(task.first, min(task.last, walk.node.height) + 1)
    for ahead in numbers[:_AHEAD]:
        walk.asked.append(pool.submit(walk.source.told, ahead, task.depth))
    for number in numbers:
        yield walk.asked.popleft().result()
        if number + _AHEAD in numbers:
            walk.asked.append(pool.submit(walk.source.told, number + _AHEAD, task.depth))


def _verify_height(number: int, walks: list[_Walk], task: RangeTask, result: RangeResult) -> None:
    hashes: dict[bytes, list[str]] = {}
    for walk in walks:
        if number > walk.node.height:
            continue
        told = next(walk.told)
        if told.is_lost:
            result.lost[walk.name] = (number, told.problem)
            continue
        result.telling_count += 1
        if told.block is None:
            result.find(told.kind, number, (walk.name,), told.problem)
            result.verified[walk.name] = (number, "")
            walk.before = None
            walk.missing_count += 1
            if walk.missing_count > _MISSING_MAX:
                result.lost[walk.name] = (number, f"it says its height is {walk.node.height}, and has no blocks there")
            continue
        seen = _examine(walk, told, task)
        _judge(number, walk, seen, result)
        hashes.setdefault(seen.block_hash, []).append(walk.name)
    if len(hashes) > 1:
        groups = "; ".join(f"{', '.join(names)}: 0x{block_hash.hex()[:16]}…" for block_hash, names in hashes.items())
        others = list(hashes.values())[1:]
        result.differ(number, tuple(name for names in others for name in names), groups)


def _examine(walk: _Walk, told: Told, task: RangeTask) -> Examined:
    receipts = told.receipts
    if receipts is not None and not task.has_remain_gas:
        receipts = [{name: value for name, value in receipt.items() if name != "remainGas"} for receipt in receipts]
    return examine(
        told.block or {}, receipts=receipts, sealers_before=walk.sealers, weights_before=walk.weights, known_roots=task.known_roots
    )


def _judge(number: int, walk: _Walk, seen: Examined, result: RangeResult) -> None:
    name = (walk.name,)
    result.signature_count += seen.signature_count
    result.tx_count += seen.tx_count
    result.receipts_count += seen.receipts_verified
    result.verified[walk.name] = (number, seen.block_hash.hex())
    for fault in seen.faults:
        result.find(fault.kind, number, name, fault.text)
    before, walk.before = walk.before, seen
    if seen.header is None:
        return
    if seen.header.number != number:
        result.find("malformed", number, name, f"asked for block {number}, the node told block {seen.header.number}")
        return
    if number == 0:
        walk.genesis_ids = _ids_in(seen)
        return
    if before is not None and before.header is not None and not _is_parent(number, walk, before, seen):
        text = f"it names 0x{seen.parent_hash.hex()[:16]}… as its parent, block {number - 1} is 0x{before.block_hash.hex()[:16]}…"
        result.find("parent", number, name, text)
    _follow_sealers(number, walk, seen, result)


def _is_parent(number: int, walk: _Walk, before: Examined, seen: Examined) -> bool:
    if seen.header is None or tuple(parent for parent, _ in seen.header.header.parents) != (number - 1,):
        return False
    if seen.parent_hash == before.block_hash:
        return True
    # On 3.x, block 1 names the hash under which the node keeps the genesis block, not that of the header it tells.
    return number == 1 and seen.header.generation is Generation.FISCO3 and seen.parent_hash.hex() == walk.source.stored_genesis_hash()


def _sealers(seen: Examined) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    return (seen.header.header.sealer_list, seen.header.header.weights) if seen.header is not None else ((), ())


def _ids_in(seen: Examined) -> frozenset[bytes]:
    """Node ids in the configuration text of the genesis block."""
    extra = seen.header.header.extra_data if seen.header is not None else b""
    return frozenset(bytes.fromhex(found.decode()) for found in _NODE_ID.findall(extra if isinstance(extra, bytes) else b",".join(extra)))


def _follow_sealers(number: int, walk: _Walk, seen: Examined, result: RangeResult) -> None:
    sealers, weights = _sealers(seen)
    if not sealers:
        return
    if number == 1 and walk.genesis_ids and (strangers := set(sealers) - walk.genesis_ids):
        listed = ", ".join(f"{stranger.hex()[:8]}…" for stranger in sorted(strangers))
        result.find("genesis", number, (walk.name,), f"the genesis block does not name its sealers {listed}")
    if walk.sealers and set(walk.sealers) != set(sealers):
        change = SealerChange(
            number,
            tuple(sorted(one.hex() for one in set(sealers) - set(walk.sealers))),
            tuple(sorted(one.hex() for one in set(walk.sealers) - set(sealers))),
        )
        if change not in result.changes:
            result.changes.append(change)
    walk.sealers, walk.weights = sealers, weights
