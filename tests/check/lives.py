"""Full traces of simulated replicas, written as an embedded node writes its own."""

from __future__ import annotations

from typing import Any

import orjson

from fiscotool.check.replay import TraceFile
from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.codec_life import FORMAT_VERSION, Birth, End, LifeEncoder, Record, Step, Synced, Told, abridged, told_status
from fiscotool.pbft.dialects import DIALECTS, Dialect
from fiscotool.pbft.messages import CheckPoint, Commit
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import NodeIndex
from fiscotool.sim import chain
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.replica import Replica

NODE_IDS = tuple(bytes([k + 1]) * 64 for k in range(7))


class Lives:
    """A listener of a `Cluster`; `records[name]` are the lives of a replica, each a list of records."""

    def __init__(self, cluster: Cluster) -> None:
        self.records: dict[str, list[list[Record]]] = {}
        self._cluster = cluster
        self._began: dict[str, tuple[int, int]] = {}
        self._told: dict[str, Told] = {}
        cluster.listeners.append(self.on_step)

    def on_step(self, name: str, event: ev.Event, before: Any, after: Any, effects: tuple[do.Effect, ...]) -> None:
        replica = self._cluster.replicas[int(name.removeprefix("node"))]
        if self._began.get(name, (0, 0))[0] != replica.life:
            self._began[name] = (replica.life, self._cluster.now)
            self._told.pop(name, None)
            self.records.setdefault(name, []).append([self._birth(name, replica, before)])
        life = self.records[name][-1]
        if isinstance(event, ev.LedgerAdvanced) and event.by_sync:
            block = replica.ledger[event.index - 1]
            vote = Commit if self._cluster.dialect.is_commit_signed else CheckPoint
            digest = block.proposal.digest if self._cluster.dialect.name == "classic" else block.block_hash
            signed = [chain.sign(vote(before.view, event.index, digest, NodeIndex(who)), replica.rules) for who in block.signers]
            life.append(Synced(event.index, event.block_hash, tuple((one.sender, one.signature) for one in signed)))  # type: ignore[union-attr]  # votes
        status = told_status(after)
        told = None if self._told.get(name) == status else status
        self._told[name] = status
        at_ms = self._cluster.now - self._began[name][1]
        steps = sum(isinstance(record, Step) for record in life[-1:]) and life[-1].sequence + 1  # type: ignore[union-attr]  # a Step
        steps = steps or sum(isinstance(record, Step) for record in life)
        life.append(Step(steps, at_ms, event, abridged(event, effects), told))

    def _birth(self, name: str, replica: Replica, state: Any) -> Birth:
        return Birth(
            version=FORMAT_VERSION,
            dialect=self._cluster.dialect.name,
            node=name,
            node_id=NODE_IDS[replica.index],
            genesis=b"\0" * 32,
            started_ms=self._cluster.now,
            rules=replica.rules,
            me=replica.me,
            height=state.height,
            block_hash=state.block_hash,
            votes=tuple(replica.votes.values()),
            executed=tuple(replica.executed.values()),
            stand=replica.stand,
            quirks=frozenset(),
            byzantine="sim" if replica.index in self._cluster.strategies else "",
            seal_ms=500,
        )

    def files(self) -> list[TraceFile]:
        """As they would be read from disk."""
        return [written(name, records) for name, lives in self.records.items() for records in lives]


def written(node: str, records: list[Record], *, is_ended: bool = False) -> TraceFile:
    """A life's file."""
    encode = LifeEncoder()
    ended: list[Record] = [*records, End(sum(isinstance(record, Step) for record in records))] if is_ended else records
    return TraceFile(node, [orjson.dumps(encode(record), option=orjson.OPT_APPEND_NEWLINE) for record in ended])


def lives_of(dialect: Dialect | str, *, seed: int = 1, weights: tuple[int, ...] = (1, 1, 1, 1), **more: Any) -> tuple[Cluster, Lives]:
    """A cluster that is about to start, and its traces."""
    spoken = DIALECTS[dialect] if isinstance(dialect, str) else dialect
    rules = Rules(weights=weights, members=NODE_IDS[: len(weights)])
    cluster = Cluster(rules, seed=seed, dialect=spoken, **more)
    return cluster, Lives(cluster)


def restless(dialect: Dialect | str, *, seed: int = 1, ticks: int = 3_000, **more: Any) -> Lives:
    """Load, a crash of the first replica and its return, load."""
    cluster, lives = lives_of(dialect, seed=seed, **more)
    cluster.start()
    for turn in range(4):
        if turn == 2:
            cluster.crash(seed % len(cluster.replicas))
        elif turn == 3:
            cluster.start([seed % len(cluster.replicas)])
        cluster.submit(*(f"tx{turn}.{k}" for k in range(3)))
        cluster.run(ticks)
    return lives
