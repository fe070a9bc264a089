"""A run as a story: from the acts of its replicas to chapters of facts, in no language yet.

Rule 1. A fact is a kind and plain values (node names, numbers, digests); `story_words` puts it into sentences, so every language tells the
        same facts.
Rule 2. Acts of several replicas that are the same (they prepare one block) are one fact, told at the time of the first of them.
Rule 3. A quorum is told with who is in it and what they weigh. Votes are counted here once more, from what the replica received.
Rule 4. Heights at which nothing remarkable happened are folded into one chapter, unless everything is asked for.

The acts come from a simulated run (`sim.tracing`) or from nodes' logs (`observer.logs.trace`); this module does not know which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fiscotool.pbft.quorum import quorum_weight, weight_of
from fiscotool.pbft.trace import Act, TraceRecord
from fiscotool.pbft.types import NodeIndex

Weights = Callable[[int], tuple[int, ...]]
"""The sealers' weights at a height."""


@dataclass(slots=True)
class Fact:
    """Something that happened first at `at_s`. `nodes` did it, in the order in which they did."""

    at_s: float
    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Chapter:
    """Facts that belong together: a height in a view, the way into a view, what the world did."""

    at_s: float
    kind: str
    values: dict[str, Any]
    facts: list[Fact] = field(default_factory=list)


VOTES: Final = {Act.RECEIVE_PREPARE: "prepare", Act.RECEIVE_COMMIT: "commit", Act.RECEIVE_CHECKPOINT: "checkpoint"}
QUORUMS: Final = {Act.PREPARED: "prepare", Act.COMMITTED_LOCAL: "commit", Act.STABLE: "checkpoint"}
SHARED: Final = {
    Act.ACCEPT_PROPOSAL: "accepts",
    Act.EXECUTED: "executes",
    Act.LEDGER_COMMIT: "writes",
    Act.SYNCED_BLOCK: "fetches",
}
"""Acts of a height that need no quorum of their own."""
ENTRIES: Final = {Act.ENTER_VIEW: "enters", Act.RECOVER: "recovers"}
REMARKABLE: Final = frozenset({"fetches", "equivocates"})
"""Facts that keep a height from being folded."""


class Teller:
    """Collects acts and notes, in the order of their times, into chapters."""

    def __init__(self, weights: Weights, *, dialect: str = "fisco3") -> None:
        self._weights = weights
        self._leader_votes = dialect == "classic"
        self._chapters: dict[tuple[Any, ...], Chapter] = {}
        self._facts: dict[tuple[Any, ...], Fact] = {}
        self._votes: dict[tuple[Any, ...], dict[int, str]] = {}
        self._proposed: dict[tuple[int, int], str] = {}
        self._worlds = 0
        self._world_at_s = -1.0
        self._last: tuple[Any, ...] = ()

    def note(self, at_s: float, kind: str, **values: Any) -> None:
        """Something the world did, or a property that was broken: a fact of its own, in a chapter with its neighbours."""
        if self._last[:1] != ("world",) and at_s != self._world_at_s:
            self._worlds += 1
        self._world_at_s = at_s
        chapter = ("world", self._worlds)
        self._add(chapter, at_s, kind, None, (kind, at_s, str(sorted(values.items()))), **values)
        self._last = chapter

    def reason(self, at_s: float, who: str, target: int, kind: str, **values: Any) -> None:
        """Why `node` asks for `view`: something about its leader."""
        self._add(("view", target), at_s, kind, who, (kind, str(sorted(values.items()))), **values)

    def act(self, record: TraceRecord) -> None:
        """One act of one replica."""
        act, height, view = record.act, record.height, record.view
        life = (record.replica, record.life)
        if act in VOTES and record.sender is not None:
            bound = None if act is Act.RECEIVE_CHECKPOINT else view  # A result is the same in every view.
            self._votes.setdefault((*life, VOTES[act], bound, height), {})[record.sender] = record.digest
        elif act is Act.RECEIVE_VIEW_CHANGE and record.sender is not None:
            self._votes.setdefault((*life, "view-change", view), {})[record.sender] = ""
        elif act is Act.RECEIVE_RECOVER and record.sender is not None:
            self._votes.setdefault((*life, "recover", view), {})[record.sender] = ""
        elif height is None or view is None:
            if act in SHARED and height is not None:
                self._height_act(record, height, self._view_of(height))
        elif act in QUORUMS or act in SHARED or act is Act.PROPOSE:
            self._height_act(record, height, view)
        else:
            self._view_act(record, height, view)

    def chapters(self, *, fold: bool = True) -> list[Chapter]:
        """All chapters in the order of their beginnings."""
        found = sorted(self._chapters.values(), key=lambda chapter: chapter.at_s)
        return _folded(found) if fold else found

    # Heights

    def _height_act(self, record: TraceRecord, height: int, view: int) -> None:
        act, node, life = record.act, record.replica, (record.replica, record.life)
        chapter = ("height", height, view)
        values: dict[str, Any] = {"height": height, "view": view}
        if act is Act.PROPOSE:
            self._propose(record, height, view)
        elif act in QUORUMS:
            kind = QUORUMS[act]
            votes = self._votes.get((*life, kind, None if act is Act.STABLE else view, height), {})
            voters = _voters(votes, record.digest)
            fact = self._add(chapter, record.at_s, f"{kind}-quorum", node, (height, view, record.digest), block=record.digest[:8], **values)
            if "voters" not in fact.values and voters:
                fact.values |= self._weighed(voters, height)
        else:
            fact = self._add(chapter, record.at_s, SHARED[act], node, (height, view, record.digest), block=record.digest[:8], **values)
            if act is Act.ACCEPT_PROPOSAL and record.sender is not None:
                fact.values["sender"] = f"node{record.sender}"
                if self._leader_votes:
                    self._votes.setdefault((*life, "prepare", view, height), {})[record.sender] = record.digest

    def _propose(self, record: TraceRecord, height: int, view: int) -> None:
        known = self._proposed.setdefault((height, view), record.digest)
        kind = "proposes" if known == record.digest else "equivocates"
        what = {"height": height, "view": view, "block": record.digest[:8]}
        self._add(("height", height, view), record.at_s, kind, record.replica, (height, view, record.digest), **what)

    def _view_of(self, height: int) -> int:
        """The latest view in which something is known of a height: a ledger does not tell views."""
        return max((key[2] for key in self._chapters if key[0] == "height" and key[1] == height), default=0)

    # Views

    def _view_act(self, record: TraceRecord, height: int, view: int) -> None:
        act, node, at_s = record.act, record.replica, record.at_s
        life = (record.replica, record.life)
        if act is Act.TIMEOUT:
            target = view + 1 if record.to_view is None else record.to_view
            self._add(("view", target), at_s, "times-out", node, (view, target), view=view, target=target)
        elif act is Act.FAST_VIEW_CHANGE:
            own = view if record.own_view is None else record.own_view
            if view > own:
                self._add(("view", view), at_s, "joins", node, (view,), target=view)
            else:
                self._add(("view", own + 1), at_s, "misses-leader", node, (own + 1,), view=own)
        elif act is Act.SEND_VIEW_CHANGE:
            self._add(("view", view), at_s, "asks", node, (view,), target=view, height=height)
        elif act is Act.SEND_NEW_VIEW:
            voters = sorted(self._votes.get((*life, "view-change", view), {}))
            fact = self._add(("view", view), at_s, "new-view", node, (view,), view=view)
            fact.values |= self._weighed(voters, height + 1)
        elif act is Act.REPROPOSE:
            self._proposed.setdefault((height, view), record.digest)
            self._add(("view", view), at_s, "reproposes", node, (height, view), height=height, view=view, block=record.digest[:8])
        elif act in ENTRIES:
            fact = self._add(("view", view), at_s, ENTRIES[act], node, (view,), view=view)
            if act is Act.RECOVER and fact.nodes == [node]:
                fact.values |= self._weighed(sorted(self._votes.get((*life, "recover", view), {})), height + 1)

    # Both

    def _weighed(self, voters: Sequence[int], height: int) -> dict[str, Any]:
        weights = self._weights(height)
        total = sum(weights)
        return {
            "voters": ", ".join(f"node{voter}" for voter in voters) or "-",
            "weight": weight_of((NodeIndex(voter) for voter in voters), weights),
            "total": total,
            "quorum": quorum_weight(total),
        }

    def _add(self, key: tuple[Any, ...], at_s: float, kind: str, who: str | None, same: tuple[Any, ...], /, **values: Any) -> Fact:
        """Another replica does what others did, or a new fact."""
        self._last = key
        fact = self._facts.get((key, kind, same))
        if fact is None:
            fact = self._facts[(key, kind, same)] = Fact(at_s, kind, values)
            chapter = self._chapters.get(key)
            if chapter is None:
                names = {"height": ("height", "view"), "view": ("view",)}.get(key[0], ())
                chapter = self._chapters[key] = Chapter(at_s, key[0], dict(zip(names, key[1:], strict=True) if names else ()))
            chapter.facts.append(fact)
        if who is not None and who not in fact.nodes:
            fact.nodes.append(who)
        return fact


def _voters(votes: dict[int, str], digest: str) -> list[int]:
    """Who voted for `digest`; in fisco2 votes name the result, not the proposal, and those who agree on one are the quorum."""
    if digest not in votes.values() and votes:
        named = list(votes.values())
        digest = max(sorted(set(named)), key=named.count)
    return sorted(voter for voter, named in votes.items() if named == digest)


def _is_ordinary(chapter: Chapter) -> bool:
    """A height at which one block was proposed, agreed on and written, and nothing else happened."""
    kinds = {fact.kind for fact in chapter.facts}
    blocks = {fact.values["block"] for fact in chapter.facts if fact.kind in ("proposes", "accepts", "prepare-quorum")}
    return chapter.kind == "height" and {"proposes", "writes"} <= kinds and not kinds & REMARKABLE and len(blocks) == 1


def _folded(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Neighbouring ordinary heights of one view as one chapter."""
    told: list[Chapter] = []
    for chapter in chapters:
        if not _is_ordinary(chapter):
            told.append(chapter)
            continue
        height, view = chapter.values["height"], chapter.values["view"]
        proposers = next(fact.nodes for fact in chapter.facts if fact.kind == "proposes")
        last = told[-1] if told else None
        if last is not None and last.kind == "quiet" and last.values["view"] == view:
            last.values["last"] = max(last.values["last"], height)
            last.values["first"] = min(last.values["first"], height)
            last.values["count"] += 1
            fact = last.facts[0]
            fact.nodes += [node for node in proposers if node not in fact.nodes]
            fact.values |= {"count": last.values["count"]}
        else:
            values = {"first": height, "last": height, "view": view, "count": 1}
            told.append(Chapter(chapter.at_s, "quiet", values, [Fact(chapter.at_s, "all-well", {"count": 1}, list(proposers))]))
    return told
