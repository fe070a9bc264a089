"""One node's lives, step by step: the same steps again, and what they mean for the others.

Rule 1. Up to its first difference a life is taken again on the protocol's own replica (`replay_step`).
Rule 2. What the node asked for and was answered, sent and heard, made durable and wrote is noted to the end of its lives.
Rule 3. A liar is not judged. What it wrote and made durable is nobody's concern.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from fiscotool.check.replay_durable import Disk
from fiscotool.check.replay_duties import Duties
from fiscotool.check.replay_ledgers import Ledgers
from fiscotool.check.replay_lives import Life
from fiscotool.check.replay_sent import Book, Move
from fiscotool.check.replay_step import Replica, Trouble
from fiscotool.check.replay_verdict import Finding
from fiscotool.check.replay_words import difference, event_words, told_words
from fiscotool.pbft.codec_life import Birth, Refused, Step, Synced, told_status
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.effects import Broadcast, Persist, Remember, Send
from fiscotool.pbft.events import LedgerAdvanced, Received
from fiscotool.pbft.messages import CheckPoint, Commit
from fiscotool.pbft.rules import Rules, timeout_for

__all__ = ["NodeJudge", "Run"]


@dataclass(slots=True)
class Run:
    """What all nodes of a run have in common."""

    dialect: Dialect
    book: Book
    ledgers: Ledgers
    counters: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    first: dict[tuple[str, int], int] = field(default_factory=dict)
    """(node, life) → the step of its first difference."""
    notes: list[str] = field(default_factory=list)
    is_complete: bool = True


class NodeJudge:
    """Judges the lives of one honest node, or takes note of those of a liar."""

    def __init__(self, run: Run, node_id: bytes, *, is_liar: bool) -> None:
        self._run = run
        self._node_id = node_id
        self._is_liar = is_liar
        self._disk = Disk(run.dialect.retained_blocks)

    def live(self, life: Life) -> None:
        """All records of a life."""
        run, birth = self._run, life.birth
        if birth is None:
            run.is_complete = run.is_complete and self._is_liar
            run.notes.append(f"{life.title} cannot be judged: {life.bad_text}")
            self._disk.forget()
            return
        if not self._is_liar:
            self._born(life, birth)
        walk = _Walk(run, life, birth, self._node_id, is_liar=self._is_liar, disk=self._disk)
        for record in life.records():
            walk.take(record)
        walk.end()
        self._report(life)

    def _born(self, life: Life, birth: Birth) -> None:
        """What can be said of the durable state and the rules a life begins with."""
        run = self._run
        wrong = [("durable", text) for text in self._disk.born(birth)]
        wrong += [("rules", text) for text in _rules_against(birth)]
        run.findings += [Finding(rule, life.node, life.number, 0, f"is born, and {text}") for rule, text in wrong]
        run.findings += run.ledgers.block(life.node, life.number, 0, birth.height, birth.block_hash)
        run.findings += run.ledgers.config(life.node, life.number, 0, birth.height, birth.rules)

    def _report(self, life: Life) -> None:
        """What was lost of the file."""
        run = self._run
        if life.bad_lines:
            run.notes.append(f"{life.title}: {life.bad_lines} lines are no records of a trace, {life.bad_text}")
        if not life.is_whole:
            self._disk.forget()
            run.notes.append(f"{life.title}: steps are missing; it is judged up to the first of them")
            run.is_complete = run.is_complete and self._is_liar


def _rules_against(birth: Birth) -> Iterator[str]:
    rules = birth.rules
    if birth.dialect == "fisco3" or rules.timeout_base_ticks != timeout_for(birth.seal_ms):
        due = timeout_for(birth.seal_ms, birth.quirks)
        if rules.timeout_base_ticks != due:
            yield f"its time-out is {rules.timeout_base_ticks} ms where its sealer may wait {birth.seal_ms} ms, {due} is due"
    if birth.me is not None and rules.members and rules.members[birth.me : birth.me + 1] != (birth.node_id,):
        yield f"it takes itself for sealer {birth.me}, which is another node"
    if rules.members != tuple(sorted(rules.members)):
        yield "its sealers are not in the order of their node ids"


class _Walk:
    """One life."""

    def __init__(self, run: Run, life: Life, birth: Birth, node_id: bytes, *, is_liar: bool, disk: Disk) -> None:
        self._run = run
        self._life = life
        self._node_id = node_id
        self._is_liar = is_liar
        self._disk = disk
        self._rules: Rules = birth.rules
        self._me = birth.me
        self._duties = Duties()
        self._last: Step | None = None
        self._replica: Replica | None = None
        self._told: set[str] = set()
        if not is_liar:
            try:
                self._replica = Replica(birth, run.dialect)
            except Trouble as trouble:
                self._find("step", 0, str(trouble))

    def take(self, record: Step | Synced) -> None:
        """One record, in order."""
        if isinstance(record, Synced):
            self._duties.synced(record)
            if not self._is_liar:
                at = 0 if self._last is None else self._last.sequence
                self._run.ledgers.synced(self._life.node, self._life.number, at, record, self._rules)
            return
        self._last = record
        if self._replica is not None:
            if self._life.is_whole:
                self._again(self._replica, record)
            else:
                self._replica = None
        self._note(record)
        if not self._is_liar:
            for rule, text in self._duties.step(record) if self._life.is_whole else ():
                self._find(rule, record.sequence, text, at_ms=record.at_ms)

    def end(self) -> None:
        """The life is over, or is not over yet."""
        if self._last is not None and not self._is_liar and self._life.is_whole:
            for sequence, text in self._duties.overdue(self._last):
                self._find("answered", sequence, text)
        if not self._life.is_whole:
            self._run.book.partial.add(self._node_id)

    def _again(self, replica: Replica, step: Step) -> None:
        """Rule 1."""
        self._run.counters["steps"] += 1
        try:
            due = replica.take(step.event)
        except Trouble as trouble:
            self._differs(step, str(trouble), (), ())
            return
        if due != step.effects and tuple(due) != tuple(step.effects):
            self._differs(step, *difference(due, step.effects))
            return
        if step.told is not None:
            replica.told = step.told
        if replica.told is not None and told_status(replica.state) != replica.told:
            text = f"it says {told_words(replica.told)}; the protocol is at {told_words(told_status(replica.state))}"
            self._differs(step, text, (), (), rule="status")

    def _differs(self, step: Step, text: str, due: tuple[str, ...], done: tuple[str, ...], *, rule: str = "step") -> None:
        self._replica = None
        event = event_words(step.event)
        self._run.first[self._life.node, self._life.number] = step.sequence
        self._find(rule, step.sequence, f"{event}: {text}", event=event, due=due, done=done, at_ms=step.at_ms)

    def _find(
        self, rule: str, sequence: int, text: str, *, event: str = "", due: tuple[str, ...] = (), done: tuple[str, ...] = (), at_ms: int = 0
    ) -> None:
        """The first finding of each rule in a life; others follow from it, or are told by it."""
        if rule not in self._told:
            self._told.add(rule)
            self._run.findings.append(Finding(rule, self._life.node, self._life.number, sequence, text, event, due, done, at_ms))

    def _note(self, step: Step) -> None:
        """Rule 2."""
        event, book, place = step.event, self._run.book, (self._life.number, step.sequence)
        heard = key = None
        if type(event) is Received:
            message = event.message
            heard = book.heard(self._node_id, place, message, self._rules.members)
            key = heard[1] if heard is not None else None
            if isinstance(message, CheckPoint | Commit) and 0 <= message.sender < len(self._rules.members):
                self._run.ledgers.vote(self._rules.members[message.sender], message)
        elif type(event) is LedgerAdvanced:
            self._rules, self._me = event.rules, event.me
            if not self._is_liar:
                where = (self._life.node, self._life.number, step.sequence, event.index)
                self._run.findings += self._run.ledgers.block(*where, event.block_hash)
                self._run.findings += self._run.ledgers.config(*where, event.rules)
        self._disk.step(step, self._me, key)
        sent: tuple[int, ...] = ()
        for effect in step.effects:
            if isinstance(effect, Broadcast | Send):
                keys = book.sent(effect.message)
                sent += keys
                if type(effect) is Broadcast:
                    self._disk.done(effect, keys[0])
            elif isinstance(effect, Persist | Remember):
                self._disk.done(effect, None)
            self._count(effect)
        if heard is not None or sent:
            book.moved(self._node_id, Move(place, heard, sent))

    def _count(self, effect: object) -> None:
        if not isinstance(effect, Refused):
            self._run.counters[type(effect).__name__] += 1
