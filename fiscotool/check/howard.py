"""The small published PBFT specification, transcribed set by set.

No Byzantine replica. Every message ever sent stays in `msgs`; a replica's log holds what it accepted. Two settings that the counts
depend on: a view change is possible only into a view that exists, and only the replicas of `acc` take the actions AcceptPrepare
and AcceptCommit. One repair: a backup takes the request of a pre-prepare from the messages, not from its own log, in which nothing
could ever put it; `is_repaired=False` gives the original, in which the primary's proposal is all that ever happens.

Sources: heidihoward/pbft-tlaplus at b051d12, pbft.tla and MCpbft.tla; Castro and Liskov, OSDI'99, sections 4.1 to 4.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fiscotool.check.howard_terms import (
    ACTIONS,
    NOTHING,
    WATER_MARKS,
    Bounds,
    Checkpoint,
    PrePrepare,
    Replica,
    Sent,
    State,
    ViewChange,
)
from fiscotool.check.model import Taken


class Howard:
    """The specification as a model."""

    actions = ACTIONS

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._n = bounds.replicas
        self._f = bounds.faulty_max
        self._numbers = range(1, bounds.tstamps + 1)
        self._views = range(bounds.view_max + 1)

    def initial(self) -> State:
        """Init."""
        return State(Sent(), (Replica(),) * self._n)

    def render(self, state: State) -> str:
        """Views, executed numbers and how many messages of each kind were sent."""
        sent = ", ".join(f"{len(messages)} {kind}" for kind, messages in zip(Sent._fields, state.sent, strict=True) if messages)
        replicas = " ".join(f"{i}:v{one.view}{'*' if one.is_changing else ''}/{one.state}" for i, one in enumerate(state.replicas))
        return f"{replicas}  {sent or 'nothing sent'}"

    def successors(self, state: State) -> Iterator[Taken[State]]:
        """Next."""
        for i in range(self._n):
            me = state.replicas[i]
            for action, label, sent, after in self._steps(i, me, state.sent):
                replicas = (*state.replicas[:i], after, *state.replicas[i + 1 :])
                yield Taken(action, f"{action}({i}) {label}".rstrip(), State(sent, replicas))

    def _steps(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        yield from self._preprepare(i, me, sent)
        if not me.is_changing:
            yield from self._prepare(i, me, sent)
            yield from self._accept_votes(i, me, sent)
            yield from self._commit(i, me, sent)
            yield from self._execute(i, me, sent)
        yield from self._checkpoints(me, sent)
        yield from self._view_change(i, me, sent)
        yield from self._new_view(i, me, sent)

    def _preprepare(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        number = max((n for _, _, n, _ in me.preprepare), default=0) + 1
        if i != me.view % self._n or number not in self._numbers:
            return
        for t in self._numbers:
            if t not in me.request:
                message = (me.view, i, number, t)
                after = me._replace(request=me.request | {t}, preprepare=me.preprepare | {message})
                yield "PrePrepare", f"n={number} d={t}", sent._replace(preprepare=sent.preprepare | {message}), after

    def _prepare(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        if i == me.view % self._n:
            return
        low = _number_of(me.stable)
        for message in sent.preprepare:
            v, p, n, d = message
            requests = self._numbers if self.bounds.is_repaired else me.request
            if d not in requests or p != v % self._n or v != me.view or not low < n <= low + WATER_MARKS:
                continue
            if any((ov, on) == (v, n) and od != d for ov, _, on, od in me.preprepare):
                continue
            vote = (v, n, d, i)
            after = me._replace(request=me.request | {d}, preprepare=me.preprepare | {message}, prepare=me.prepare | {vote})
            yield "Prepare", f"v={v} n={n} d={d}", sent._replace(prepare=sent.prepare | {vote}), after

    def _accept_votes(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        if i not in self.bounds.acc:
            return
        low = _number_of(me.stable)
        for vote in sent.prepare:
            if vote[0] == me.view and low < vote[1] <= low + WATER_MARKS:
                yield "AcceptPrepare", f"of {vote[3]} v={vote[0]} n={vote[1]}", sent, me._replace(prepare=me.prepare | {vote})
        for vote in sent.commit:
            if vote[0] == me.view:
                yield "AcceptCommit", f"of {vote[3]} v={vote[0]} n={vote[1]}", sent, me._replace(commit=me.commit | {vote})

    def _commit(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        for v, n, d in self.prepared(me):
            vote = (v, n, d, i)
            yield "Commit", f"v={v} n={n} d={d}", sent._replace(commit=sent.commit | {vote}), me._replace(commit=me.commit | {vote})

    def _execute(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        for v, n, d in self.committed_local(me):
            if me.state != n - 1:
                continue
            replied = sent._replace(reply=sent.reply | {(v, d, i, n)})
            if n not in self.bounds.checkpoints:
                yield "ExecuteNoCheckpoint", f"n={n} d={d}", replied, me._replace(state=n)
            else:
                proof = (n, n, i)
                told = replied._replace(checkpoint=sent.checkpoint | {proof})
                yield "ExecuteAndCheckpoint", f"n={n} d={d}", told, me._replace(state=n, checkpoint=me.checkpoint | {proof})

    def _checkpoints(self, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        for message in sent.checkpoint:
            n, d, _ = message
            matching = frozenset(one for one in me.checkpoint if one[:2] == (n, d)) | {message}
            if n > _number_of(me.stable) and len(matching) <= 2 * self._f:
                yield "UnstableCheckpoint", f"n={n}", sent, me._replace(checkpoint=me.checkpoint | {message})
            if len(matching) == 2 * self._f + 1 and me.state >= n:
                yield "StableCheckpoint", f"n={n}", sent, me._replace(
                    preprepare=frozenset(one for one in me.preprepare if one[2] > n),
                    prepare=frozenset(one for one in me.prepare if one[1] > n),
                    commit=frozenset(one for one in me.commit if one[1] > n),
                    checkpoint=frozenset(one for one in me.checkpoint if one[0] > n),
                    stable=matching,
                )  # fmt: skip

    def _view_change(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        following = me.view + 1
        if i != me.view % self._n and following in self._views:
            message = self._own_view_change(i, me)
            yield "ViewChange", f"to {following}", sent._replace(viewchange=sent.viewchange | {message}), me._replace(is_changing=True)
        if i != following % self._n:
            return
        have = [one for one in me.viewchange if one[0] == following]
        if len(have) < 2 * self._f:
            for message in sent.viewchange:
                if self._is_valid(message, following):
                    yield "AcceptViewChange", f"of {message[4]} to {following}", sent, me._replace(viewchange=me.viewchange | {message})

    def _new_view(self, i: int, me: Replica, sent: Sent) -> Iterator[tuple[str, str, Sent, Replica]]:
        following = me.view + 1
        have = frozenset(one for one in me.viewchange if one[0] == following)
        if i == following % self._n and len(have) == 2 * self._f:
            chosen = have | {self._own_view_change(i, me)}
            proposals = self._proposals(chosen, following)
            message = (following, chosen, proposals, i)
            after = me._replace(preprepare=me.preprepare | proposals, viewchange=frozenset(), view=following, is_changing=False)
            yield "NewView", f"{following}", sent._replace(newview=sent.newview | {message}), after
        for v, chosen, proposals, p in sent.newview:
            if v != following or p != v % self._n or len(chosen) != 2 * self._f + 1:
                continue
            if not all(self._is_valid(one, v) for one in chosen) or proposals != self._proposals(chosen, v):
                continue
            votes = frozenset((v, n, d, i) for _, _, n, d in proposals)
            after = me._replace(preprepare=me.preprepare | proposals, prepare=me.prepare | votes, view=v, is_changing=False)
            yield "AcceptNewView", f"{v}", sent._replace(prepare=sent.prepare | votes), after

    def prepared(self, me: Replica) -> Iterator[tuple[int, int, int]]:
        """All (v, n, d) for which Prepared holds at a replica."""
        for d in sorted(me.request):
            for n in self._numbers:
                for v in self._views:
                    has_proposal = any((one[0], one[2], one[3]) == (v, n, d) for one in me.preprepare)
                    if has_proposal and sum(vote[:3] == (v, n, d) for vote in me.prepare) >= 2 * self._f:
                        yield v, n, d

    def committed_local(self, me: Replica) -> Iterator[tuple[int, int, int]]:
        """All (v, n, d) for which CommittedLocal holds at a replica."""
        for what in self.prepared(me):
            if sum(vote[:3] == what for vote in me.commit) >= self.bounds.commits_needed:
                yield what

    def _own_view_change(self, i: int, me: Replica) -> ViewChange:
        """GenerateViewChangeMsg."""
        low = _number_of(me.stable)
        proofs = set()
        for v, n, d in self.prepared(me):
            if n > low:
                proposal = min(one for one in me.preprepare if (one[0], one[2], one[3]) == (v, n, d))
                proofs.add((proposal, frozenset(vote for vote in me.prepare if vote[:3] == (v, n, d))))
        return (me.view + 1, low, me.stable, frozenset(proofs), i)

    def _is_valid(self, message: ViewChange, view: int) -> bool:
        """ValidViewChange."""
        v, low, proof, prepared, _ = message
        if v != view or (proof != NOTHING if low == 0 else len(proof) != 2 * self._f + 1 or any(one[:2] != (low, low) for one in proof)):
            return False
        return all(
            n > low and p == pv % self._n and len(votes) == 2 * self._f and all(vote[:3] == (pv, n, d) for vote in votes)
            for (pv, p, n, d), votes in prepared
        )

    def _proposals(self, chosen: Iterable[ViewChange], view: int) -> frozenset[PrePrepare]:
        """GenerateO. The specification's CHOOSE takes the least proposal, that is one of the lowest view, not of the highest."""
        low = max((one[0] for message in chosen for one in message[2]), default=0)
        told = sorted(proposal for message in chosen for proposal, _ in message[3])
        high = max((n for _, _, n, _ in told), default=0)
        digests = {n: next((d for _, _, number, d in told if number == n), 0) for n in range(low + 1, high + 1)}
        return frozenset((view, view % self._n, n, d) for n, d in digests.items())

    def is_safe(self, state: State) -> bool:
        """SafetyInv: a timestamp has one result and a result one timestamp, as clients see it; and CommittedInv."""
        decided = {
            (t, r)
            for _, t, _, r in state.sent.reply
            if len({i for _, told, i, result in state.sent.reply if (told, result) == (t, r)}) > self._f
        }
        if len({t for t, _ in decided}) != len(decided) or len({r for _, r in decided}) != len(decided):
            return False
        prepared = [set(self.prepared(me)) for me in state.replicas]
        for me in state.replicas:
            for what in self.committed_local(me):
                holders = sum(what in at or _number_of(one.stable) >= what[1] for at, one in zip(prepared, state.replicas, strict=True))
                if holders <= self._f:
                    return False
        return True


def _number_of(stable: frozenset[Checkpoint]) -> int:
    """h(i): the number of the last stable checkpoint."""
    return max((n for n, _, _ in stable), default=0)
