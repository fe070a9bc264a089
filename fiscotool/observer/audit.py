"""`audit`: verify a chain's whole evidence from RPC alone, at one node or at all of them.

The chain is taken apart into ranges of heights. Each range is fetched and verified in a process of its own (observer.audit_range), as
many at once as there are cores; their results are put together in order of height, so that at any moment everything below
`next_height` is verified. That is what the state file says, and where the next run goes on.

Rule 1. What nodes told when the audit began is the chain: heights that grow meanwhile are the next audit's.
Rule 2. A node that does not answer is a problem (inconclusive), not a finding (violated), and never stops the others.
Rule 3. Before the blocks are verified, the nodes are compared at their common height, and a difference is named at once.

Sources: fiscotool.ledger.evidence has what is verified; docs/audit.md explains it to operators.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from fiscotool.errors import EnvironmentFailure, RpcError, Unreachable, UsageError
from fiscotool.ledger.anyheader import NationalCrypto, read_any_header
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.observer.audit_compare import first_difference
from fiscotool.observer.audit_range import audit_range, let_go
from fiscotool.observer.audit_source import NodeSource
from fiscotool.observer.audit_words import Audit, AuditedNode, AuditFinding, NodeAddress, NodeFacts, RangeResult, RangeTask
from fiscotool.observer.audit_workers import in_worker, workers
from fiscotool.rpc.dialect import Dialect

RANGE_BLOCKS: Final = 200
_FEW_BLOCKS: Final = 2 * RANGE_BLOCKS
"""Up to here processes cost more than they bring."""

_KNOWN_ROOTS_SINCE: Final = (2, 2, 0)
_REMAIN_GAS_SINCE: Final = (2, 9, 0)


@dataclass(slots=True)
class Surveyed:
    """The nodes as they were found: those that answered, and why the others did not."""

    facts: dict[str, NodeFacts] = field(default_factory=dict)
    addresses: dict[str, NodeAddress] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> NodeFacts:
        """The node that the others are compared with: the highest, the first of them."""
        return max(self.facts.values(), key=lambda facts: facts.height)

    def chain(self) -> dict[str, str]:
        """Which chain this is."""
        first = self.first
        return {
            "dialect": first.dialect,
            "chain_id": first.chain_id,
            "group": self.addresses[first.name].group,
            "genesis": first.genesis_hash,
        }


def survey(addresses: Sequence[NodeAddress]) -> Surveyed:
    """Ask every node what it is, all at once. Raises Unreachable when none answers."""
    found = Surveyed(addresses={address.name: address for address in addresses})

    def ask(address: NodeAddress) -> NodeFacts | str:
        with NodeSource(address) as source:
            try:
                return source.facts()
            except RpcError as problem:
                return problem.message

    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        for address, told in zip(addresses, pool.map(ask, addresses), strict=True):
            if isinstance(told, NodeFacts):
                found.facts[address.name] = told
            else:
                found.silent[address.name] = told
    if not found.facts:
        raise Unreachable(
            f"none of the {len(addresses)} nodes answers: {next(iter(found.silent.values()), 'there are none')}",
            hint="start them: fiscotool start --all",
        )
    return found


def _release(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(int(part) for part in parts[:3]) if all(part.isdigit() for part in parts[:3]) else ()


def _hash_at(source: NodeSource, number: int) -> str:
    """The recomputed hash of a block; where there is none, words that no other node's equal. Raises Unreachable for a lost node."""
    told = source.told(number)
    if told.is_lost:
        raise Unreachable(told.problem, node=source.address.name)
    if told.block is None:
        return f"nothing ({source.address.name}: {told.problem})"
    try:
        return read_any_header(told.block).block_hash.hex()
    except NationalCrypto:
        return str(told.block.get("hash")).lower().removeprefix("0x")
    except LedgerFormatError as problem:
        return f"nothing readable ({source.address.name}: {problem.message})"


def compare(found: Surveyed) -> list[AuditFinding]:
    """Where each node's chain parts from the first one's, by bisection of the recomputed hashes. Nodes that get lost become silent."""
    first = found.first
    differences: list[AuditFinding] = []
    with NodeSource(found.addresses[first.name]) as ours:
        for name, facts in list(found.facts.items()):
            if name == first.name:
                continue
            with NodeSource(found.addresses[name]) as theirs:
                try:
                    number = first_difference(partial(_agree_at, ours, theirs), 0, min(facts.height, first.height))
                    if number is not None:
                        told = " and ".join(f"{one.address.name} {_hash_at(one, number)[:16]}…" for one in (ours, theirs))
                        differences.append(AuditFinding("difference", number, (name,), f"the chains part here: {told}"))
                except Unreachable as problem:
                    found.silent[problem.node] = problem.message
                    if problem.node == first.name:
                        break
    return differences


def _agree_at(ours: NodeSource, theirs: NodeSource, number: int) -> bool:
    return _hash_at(ours, number) == _hash_at(theirs, number)


def plan_audit(found: Surveyed, *, full: Sequence[str], from_height: int, to_height: int | None, depth: str) -> Audit:
    """An audit that has not begun. `full`: the nodes whose blocks are all verified. Raises UsageError for heights that do not exist."""
    if not (heights := [found.facts[name].height for name in full if name in found.facts]):
        raise Unreachable(
            f"none of the nodes to be verified answers: {found.silent[full[0]]}", hint="start them, or name another with --node"
        )
    highest = max(heights)
    last = highest if to_height is None else to_height
    if not 0 <= from_height <= last:
        raise UsageError(f"there is nothing from block {from_height} to block {last}", hint="--from and --to are heights, the lower first")
    if last > highest:
        raise UsageError(f"block {last} does not exist yet: the chain's height is {highest}", hint="leave out --to to verify what there is")
    others = tuple(name for name in found.addresses if name not in full)
    audit = Audit(found.chain(), from_height, last, from_height, depth, tuple(full), others)
    audit.problems = [f"{name} does not answer: {reason}" for name, reason in found.silent.items()]
    release = _release(found.first.compatibility)
    if found.first.is_national:
        audit.problems.append("the chain uses national cryptography: hashes and signatures cannot be verified, only compared")
    elif found.first.dialect == Dialect.FISCO2 and release < _KNOWN_ROOTS_SINCE:
        audit.notes.append(f"roots are not verified: those of a chain of version {found.first.compatibility} are not documented")
    return audit


class Auditor:
    """Runs an audit to its end. `on_progress` is told after every range; `jobs` processes at most."""

    def __init__(
        self,
        found: Surveyed,
        audit: Audit,
        *,
        jobs: int | None = None,
        on_progress: Callable[[Audit], None] = lambda _: None,
    ) -> None:
        self.audit = audit
        self._found = found
        self._jobs = jobs or os.cpu_count() or 1
        self._on_progress = on_progress
        self._nodes = tuple(AuditedNode(found.addresses[name], found.facts[name].height) for name in audit.nodes if name in found.facts)

    def run(self) -> Audit:
        """Verify range after range. Raises EnvironmentFailure when a process of ours dies; KeyboardInterrupt leaves the audit usable."""
        if self._found.first.is_national:
            return self.audit
        block_count = self.audit.to_height + 1 - self.audit.next_height
        if self._jobs == 1 or block_count <= _FEW_BLOCKS:
            try:
                for task in self._tasks():
                    if not self._take(audit_range(replace(task, nodes=self._nodes))):
                        break
            finally:
                let_go()
            return self.audit
        try:
            with workers(self._jobs) as pool:
                self._run_in(pool)
        except BrokenProcessPool as problem:
            raise EnvironmentFailure(
                "a process of the audit died (killed, or out of memory)", hint="run it again with --jobs 1; with --resume it goes on"
            ) from problem
        return self.audit

    def _tasks(self) -> Iterator[RangeTask]:
        first = self._found.first
        release = _release(first.compatibility)
        is_two = first.dialect == Dialect.FISCO2
        for begin in range(self.audit.next_height, self.audit.to_height + 1, RANGE_BLOCKS):
            end = min(begin + RANGE_BLOCKS - 1, self.audit.to_height)
            yield RangeTask(
                begin,
                end,
                self._nodes,
                self.audit.depth,
                known_roots=not is_two or release >= _KNOWN_ROOTS_SINCE,
                has_remain_gas=not is_two or release >= _REMAIN_GAS_SINCE,
            )

    def _run_in(self, pool: ProcessPoolExecutor) -> None:
        tasks = self._tasks()
        running: set[Future[RangeResult]] = set()
        finished: dict[int, RangeResult] = {}
        while True:
            while len(running) < 2 * self._jobs and (task := next(tasks, None)) is not None:
                running.add(pool.submit(in_worker, replace(task, nodes=self._nodes)))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                finished[result.first] = result
            while (result_next := finished.pop(self.audit.next_height, None)) is not None:
                if not self._take(result_next):
                    return

    def _take(self, result: RangeResult) -> bool:
        """Put the next range's result to the others. Whether to go on."""
        audit = self.audit
        if result.national:
            audit.problems.append(result.national)
            return False
        audit.take(result)
        for name, (height, reason) in result.lost.items():
            if any(node.address.name == name for node in self._nodes):
                audit.problems.append(f"{name} stopped answering at block {height}: {reason}")
        self._nodes = tuple(node for node in self._nodes if node.address.name not in result.lost)
        self._on_progress(audit)
        return any(node.height >= audit.next_height for node in self._nodes)
