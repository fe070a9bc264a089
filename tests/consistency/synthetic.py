"""A small believable chain on paper: four sealers, blocks, faults, clients, and what an observer would have recorded of it.

It follows the rules that the judge checks (leader formula, quorum certificates, views that restart at 0, time-outs that back off), and
nothing else: no messages, no cryptography. Every planted bug in the tests is an edit of a run made here.
"""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from fiscotool.consistency.observations import (
    BlockSeen,
    FaultSeen,
    Incarnation,
    NodeIdentity,
    Observations,
    RunInfo,
    Sample,
    SignatureSeen,
    TxSeen,
)

N, QUORUM = 4, 3
IDS = ("9" * 128, "1" * 128, "f" * 128, "5" * 128)
"""node0 … node3; their sorted order, which makes the indices, is another."""
ORDER = sorted(range(N), key=lambda node: IDS[node])
"""Which node has which index."""
BLOCK_S, POLL_S, TIMEOUT_S = 0.5, 0.25, 3.0
EPOCH_S = 1_800_000_000.0


@dataclass(frozen=True)
class Fault:
    kind: str
    node: int
    at_s: float
    heal_s: float | None


@dataclass
class Steps:
    """A value over time."""

    times: list[float] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def put(self, at_s: float, value: int) -> None:
        at_s = max(at_s, self.times[-1] if self.times else at_s)
        self.times.append(at_s)
        self.values.append(value)

    def at(self, at_s: float) -> int:
        index = bisect_right(self.times, at_s)
        return self.values[index - 1] if index else 0


@dataclass
class Made:
    number: int
    sealed_s: float
    sealer: int
    txs: list[str]
    signers: list[int]
    commits: dict[int, float]


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class Chain:
    def __init__(self, *, seed: int, length_s: float, faults: tuple[Fault, ...], rate_per_s: float) -> None:
        self.random = random.Random(seed)
        self.length_s, self.faults, self.rate_per_s = length_s, faults, rate_per_s
        self.heights = [Steps() for _ in range(N)]
        self.views = [Steps() for _ in range(N)]
        self.timeouts = [Steps() for _ in range(N)]
        self.cycles = [Steps() for _ in range(N)]
        self.blocks: list[Made] = []
        self.view, self.height = 3, 0
        self.sent = [(0.4 + i / rate_per_s, digest("tx", seed, i)) for i in range(int((length_s - 3) * rate_per_s))] if rate_per_s else []
        for node in range(N):
            self.views[node].put(0.0, self.view)
        self._make()

    def fault_at(self, node: int, at_s: float, ready_s: float = 0.0) -> Fault | None:
        for fault in self.faults:
            slack_s = ready_s if fault.kind == "kill" else 0.3 * bool(ready_s)
            if fault.node == node and fault.at_s <= at_s and (fault.heal_s is None or at_s < fault.heal_s + slack_s):
                return fault
        return None

    def voting(self, at_s: float) -> list[int]:
        return [node for node in range(N) if self.fault_at(node, at_s, TIMEOUT_S) is None]

    def _make(self) -> None:
        at_s, pending, used = 1.0, list(self.sent), 0
        returns = sorted(
            {(f.heal_s + (TIMEOUT_S if f.kind == "kill" else 0.3), f.node, f.kind) for f in self.faults if f.heal_s is not None}
        )
        while at_s < self.length_s - 1.0:
            while returns and returns[0][0] <= at_s:
                self._rejoin(*returns.pop(0))
            voting = self.voting(at_s)
            if len(voting) < QUORUM:
                if not returns:
                    self._cycle(voting, at_s, self.length_s)
                    return
                if pending[used:] or self.rate_per_s:
                    self._cycle(voting, at_s, returns[0][0])
                at_s = returns[0][0]
                continue
            leader = ORDER[(self.height + 1 + self.view) % N]
            if leader not in voting:
                fault = self.fault_at(leader, at_s)
                cost_s = TIMEOUT_S if fault is None or fault.kind == "pause" or at_s - fault.at_s < TIMEOUT_S else 0.2
                self._view_change(voting, at_s, cost_s)
                at_s += cost_s
                continue
            txs = [tx for sent_s, tx in pending[used : used + 1000] if sent_s < at_s]
            if not txs:
                at_s += 0.05
                continue
            used += len(txs)
            self._commit(at_s, leader, txs, voting)
            at_s += BLOCK_S

    def _commit(self, at_s: float, leader: int, txs: list[str], voting: list[int]) -> None:
        self.height += 1
        signers = sorted(self.random.sample([ORDER.index(node) for node in voting], QUORUM))
        commits = {node: at_s + 0.1 + self.random.random() * 0.04 for node in voting}
        for node in range(N):
            if node not in commits and self.fault_at(node, at_s) is None:
                commits[node] = at_s + 0.3  # A restarted node follows by block sync until it votes again.
        for node, when_s in commits.items():
            if self.fault_at(node, when_s) is None:
                self.heights[node].put(when_s, self.height)
                self.cycles[node].put(when_s, 0)
        self.blocks.append(Made(self.height, at_s, ORDER.index(leader), txs, signers, commits))

    def _view_change(self, voting: list[int], at_s: float, cost_s: float) -> None:
        self.view += 1
        for node in voting:
            done_s = at_s + cost_s - self.random.random() * 0.02
            self.timeouts[node].put(done_s - 0.05, 1)
            self.timeouts[node].put(done_s, 0)
            self.views[node].put(done_s, self.view)

    def _cycle(self, voting: list[int], from_s: float, to_s: float) -> None:
        """No quorum: the others time out, ever more slowly."""
        for node in voting:
            cycle, when_s = self.cycles[node].at(from_s), from_s + TIMEOUT_S
            while when_s < to_s:
                cycle += 1
                self.timeouts[node].put(when_s, 1)
                self.cycles[node].put(when_s, cycle)
                when_s += TIMEOUT_S * 1.5**cycle

    def _rejoin(self, at_s: float, node: int, kind: str) -> None:
        cycles = max(self.cycles[other].at(at_s) for other in range(N))
        was_lost = len(self.voting(at_s - 0.001)) < QUORUM <= len(self.voting(at_s))
        if was_lost:
            self.view += cycles + 1
            for other in self.voting(at_s):
                self.views[other].put(at_s, self.view)
                self.timeouts[other].put(at_s, 0)
                self.cycles[other].put(at_s, 0)
        self.views[node].put(at_s, self.view)
        self.timeouts[node].put(at_s, 0)
        self.heights[node].put(at_s, self.height)
        if len(self.voting(at_s)) >= QUORUM:
            for other in range(N):
                if self.fault_at(other, at_s) is None:
                    self.heights[other].put(at_s, self.height)


class Recorder:
    """Polls the paper chain as the observer polls a real one."""

    def __init__(self, chain: Chain, poll_s: float) -> None:
        self.chain = chain
        self.poll_s = poll_s
        self.random = random.Random(17)

    def observations(self, run: RunInfo) -> Observations:
        blocks, samples, txs = self._blocks(), self._samples(), self._txs()
        faults = [
            FaultSeen(f"{f.kind}-node{f.node}-{i}", f.kind, f"node{f.node}", f.at_s, 0, f.heal_s, role="leader" if i == 0 else "follower")
            for i, f in enumerate(self.chain.faults)
        ]
        timed: list[tuple[float, int, int]] = []
        groups: list[list[object]] = [list(blocks), list(samples), list(txs), list(faults)]
        for which, group in enumerate(groups):
            timed += [(_when(item), which, index) for index, item in enumerate(group)]
        for line, (_, which, index) in enumerate(sorted(timed), start=2):
            groups[which][index] = replace(groups[which][index], line=line)  # type: ignore[type-var]
        return Observations(
            run=run,
            blocks=tuple(item for item in groups[0] if isinstance(item, BlockSeen)),
            samples=tuple(sorted((item for item in groups[1] if isinstance(item, Sample)), key=lambda s: s.sent_s)),
            txs=tuple(item for item in groups[2] if isinstance(item, TxSeen)),
            faults=tuple(item for item in groups[3] if isinstance(item, FaultSeen)),
            ended_s=self.chain.length_s + 0.5,
        )

    def _samples(self) -> list[Sample]:
        found = []
        for node in range(N):
            at_s = 0.01 * node
            while at_s < self.chain.length_s:
                sample = self._sample(node, at_s)
                found.append(sample)
                at_s = max(at_s + self.poll_s, sample.got_s + 0.01)
        return found

    def _sample(self, node: int, at_s: float) -> Sample:
        chain, name = self.chain, f"node{node}"
        fault = chain.fault_at(node, at_s)
        if fault is not None:
            took_s = 1.0 if fault.kind == "pause" else 0.001
            return Sample(name, at_s, at_s + took_s, 0, error="timed out" if fault.kind == "pause" else "connection refused")
        got_s = at_s + 0.002 + self.random.random() * 0.006
        moment_s = at_s + (got_s - at_s) * self.random.random()
        starts = [f.heal_s for f in chain.faults if f.node == node and f.kind == "kill" and f.heal_s is not None and f.heal_s <= at_s]
        is_joining = bool(starts) and moment_s < max(starts) + TIMEOUT_S
        height = chain.heights[node].at(moment_s)
        view = 0 if is_joining else chain.views[node].at(moment_s)
        return Sample(
            name,
            at_s,
            got_s,
            0,
            Incarnation(1000 + node * 10 + len(starts), EPOCH_S + max(starts, default=-10.0)),
            height=height,
            block_hash=block_hash(height),
            view=view,
            timeout=is_joining or bool(chain.timeouts[node].at(moment_s)),
            change_cycle=0 if is_joining else chain.cycles[node].at(moment_s),
            leader_index=(height + 1 + view) % N,
            node_index=ORDER.index(node),
            connected_count=sum(chain.fault_at(other, moment_s) is None for other in range(N)),
            consensus_height=height,
            node_count=N,
            quorum_weight=QUORUM,
            faulty_weight_max=1,
            is_syncing=False,
            known_height=max(steps.at(moment_s) for steps in chain.heights),
        )

    def _blocks(self) -> list[BlockSeen]:
        found = [told(node, Made(0, 0.0, 0, [], [], {}), 0.3 + 0.01 * node) for node in range(N)]
        for made in self.chain.blocks:
            for node in range(N):
                has_s = self._has_from(node, made.number)
                if has_s is not None:
                    found.append(told(node, made, has_s + POLL_S))
        return found

    def _has_from(self, node: int, number: int) -> float | None:
        steps = self.chain.heights[node]
        for index in range(bisect_left(steps.values, number), len(steps.values)):
            if self.chain.fault_at(node, steps.times[index]) is None:
                return steps.times[index]
        return None

    def _txs(self) -> list[TxSeen]:
        where = {tx: made for made in self.chain.blocks for tx in made.txs}
        found = []
        for index, (sent_s, tx) in enumerate(self.chain.sent):
            up = [node for node in range(N) if self.chain.fault_at(node, sent_s) is None] or [0]
            node = up[index % len(up)]
            made = where.get(tx)
            commit_s = made.commits.get(node) if made else None
            if made is None or commit_s is None or self.chain.fault_at(node, commit_s) is not None or commit_s > sent_s + 30:
                found.append(TxSeen(tx, f"node{node}", sent_s, sent_s + 30.0, 0, "unknown", error="no answer within 30 s"))
            else:
                found.append(TxSeen(tx, f"node{node}", sent_s, commit_s + 0.01, 0, "committed", made.number, 0))
        return found


def _when(item: object) -> float:
    for name in ("got_s", "seen_s", "injected_s"):
        if hasattr(item, name):
            return float(getattr(item, name))
    raise AssertionError(item)


def block_hash(number: int) -> str:
    return digest("block", number)


def told(node: int, made: Made, seen_s: float) -> BlockSeen:
    number = made.number
    return BlockSeen(
        node=f"node{node}",
        seen_s=seen_s,
        line=0,
        number=number,
        block_hash=block_hash(number),
        recomputed_hash=block_hash(number),
        parent_number=number - 1 if number else None,
        parent_hash=block_hash(number - 1) if number else "",
        sealer=made.sealer,
        sealer_list=tuple(IDS[each] for each in ORDER) if number else (),
        weights=(1,) * N if number else (),
        signatures=tuple(SignatureSeen(index, is_valid=True) for index in made.signers),
        timestamp_ms=int((EPOCH_S + made.sealed_s) * 1000) if number else 0,
        tx_hashes=tuple(made.txs),
        txs_root=digest("txs", number),
        receipts_root=digest("receipts", number),
        state_root=digest("state", number),
        gas_used=str(44 * len(made.txs)),
    )


KILL_LEADER = (Fault("kill", 1, 15.0, 30.0),)
KILL_TWO = (Fault("kill", 1, 15.0, 32.0), Fault("kill", 2, 15.2, 33.0))
PAUSE = (Fault("pause", 3, 15.0, 27.0),)


def run(
    *,
    seed: int = 1,
    length_s: float = 60.0,
    faults: tuple[Fault, ...] = KILL_LEADER,
    rate_per_s: float = 5.0,
    byzantine: dict[int, str] | None = None,
    poll_s: float = POLL_S,
) -> Observations:
    """What an observer recorded of a chain that did nothing wrong."""
    chain = Chain(seed=seed, length_s=length_s, faults=faults, rate_per_s=rate_per_s)
    nodes = tuple(
        NodeIdentity(
            f"node{k}", IDS[k], "127.0.0.1", 20200 + k, 30300 + k, 8545 + k, f"nodes/127.0.0.1/node{k}", (byzantine or {}).get(k, "")
        )
        for k in range(N)
    )
    info = RunInfo(
        nodes=nodes,
        chain_id="chain0",
        group_id="group0",
        engine="embedded",
        node_version="3.16.4",
        tool_version="0.1.0",
        command=f"fiscotool drill run kill-leader --seed {seed}",
        drill="kill-leader",
        started_wall="2027-01-15T08:00:00+00:00",
        config={"block_tx_count_limit": 1000, "consensus_timeout": 3000},
        started_epoch_s=EPOCH_S,
    )
    return Recorder(chain, poll_s).observations(info)
