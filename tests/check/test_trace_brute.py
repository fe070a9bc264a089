"""Judging every replica by itself and happens-before gives the verdicts of looking for a run of all replicas together.

The cases are small runs of one height, drawn from a seed, clean and edited; both judges see the same records. Their times do not bind
(`slack_s` is larger than any), so that the order between replicas is as free for one as for the other.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from fiscotool.check.trace import Members, Mode, TraceContext, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.brute_trace import explainable
from tests.check.traces import Scribe

VIEW, LEADER_OFFSET = 3, 1
DIGESTS = ("aaaa0001", "bbbb0002")


def draw_run(rng: random.Random, count: int, length: int) -> list[TraceRecord]:
    """A random run of one height: at each step some replica does something it can do."""
    leader = (1 + VIEW) % count
    scribe = Scribe(count)
    accepted: set[int] = set()
    sent: dict[str, set[int]] = {"P": set(), "C": set()}
    got: dict[tuple[str, int], set[int]] = {(kind, index): set() for kind in "PC" for index in range(count)}
    done: set[tuple[int, Act]] = set()
    about = {"height": 1, "view": VIEW, "digest": DIGESTS[0]}
    scribe.tell(leader, Act.PROPOSE, **about)
    for _ in range(length):
        index = int(rng.random() * count)
        options: list[tuple[Act, int | None]] = []
        if index not in accepted:
            options.append((Act.ACCEPT_PROPOSAL, leader))
        elif index not in sent["P"]:
            options.append((Act.SEND_PREPARE, None))
        options += [(Act.RECEIVE_PREPARE, sender) for sender in sorted(sent["P"] - got["P", index])]
        if index in accepted and len(got["P", index]) >= 3 and (index, Act.PREPARED) not in done:
            options.append((Act.PREPARED, None))
        if (index, Act.PREPARED) in done and index not in sent["C"]:
            options.append((Act.SEND_COMMIT, None))
        options += [(Act.RECEIVE_COMMIT, sender) for sender in sorted(sent["C"] - got["C", index])]
        if (index, Act.PREPARED) in done and len(got["C", index]) >= 3 and (index, Act.COMMITTED_LOCAL) not in done:
            options.append((Act.COMMITTED_LOCAL, None))
        if not options:
            continue
        act, sender = options[int(rng.random() * len(options))]
        scribe.tell(index, act, **about, **({} if sender is None else {"sender": sender}))
        done.add((index, act))
        accepted |= {index} if act is Act.ACCEPT_PROPOSAL else set()
        for kind, send, receive in (("P", Act.SEND_PREPARE, Act.RECEIVE_PREPARE), ("C", Act.SEND_COMMIT, Act.RECEIVE_COMMIT)):
            if act is send:
                sent[kind].add(index)
            if act is receive and sender is not None:
                got[kind, index].add(sender)
    return scribe.records


def edited(rng: random.Random, records: list[TraceRecord], count: int) -> list[TraceRecord]:
    """One thing changed: a record dropped, doubled, moved, about another digest, or of another sender."""
    place = int(rng.random() * len(records))
    record, kind = records[place], int(rng.random() * 5)
    rest = records[:place] + records[place + 1 :]
    if kind == 0:
        return rest
    if kind == 1:
        return [*records[:place], record, *records[place:]]
    if kind == 2:
        target = int(rng.random() * (len(rest) + 1))
        return [*rest[:target], record, *rest[target:]]
    if kind == 3:
        return [*records[:place], replace(record, digest=DIGESTS[1]), *records[place + 1 :]]
    other = None if record.sender is None else (record.sender + 1 + int(rng.random() * (count - 1))) % count
    return [*records[:place], replace(record, sender=other), *records[place + 1 :]]


def numbered(records: list[TraceRecord], prologue: list[TraceRecord]) -> list[TraceRecord]:
    """The prologue and the records, each replica's in sequence."""
    sequences: Counter[str] = Counter()
    found = []
    for place, record in enumerate([*prologue, *records]):
        found.append(replace(record, life=0, sequence=sequences[record.replica], at_s=place / 1000))
        sequences[record.replica] += 1
    return found


def compare(seed: int, *, count: int, silent: bool) -> tuple[bool, bool]:
    """(explainable by the global search, not a violation for the checker)."""
    rng = random.Random(seed)
    length = int(rng.random() * (10 if silent else 34)) + 4
    records = draw_run(rng, count, length)
    if silent:
        records = [r for r in records if r.act not in {Act.RECEIVE_PREPARE, Act.RECEIVE_COMMIT} or rng.random() < 0.3]
    for _ in range(int(rng.random() * 3)):
        if records:
            records = edited(rng, records, count)
    faulty = frozenset({int(rng.random() * count)}) if rng.random() < 0.3 else frozenset[int]()
    leader = (1 + VIEW) % count
    expected = explainable(records, leader, count=count, faulty=faulty, silent=silent)
    opening = Scribe(count)
    opening.start()
    context = TraceContext(
        members=(Members(0, (1,) * count),),
        mode=Mode.TEXTBOOK,
        faulty=frozenset(f"node{index}" for index in faulty),
        tells_receives=not silent,
        slack_s=1e6,
    )
    verdict = check_trace(numbered(records, opening.records), context=context)
    assert verdict.verdict in {Verdict.CONSISTENT, Verdict.VIOLATION}
    return expected, verdict.verdict is Verdict.CONSISTENT


def check_all(seeds: range, *, count: int, silent: bool) -> Counter[bool]:
    outcomes: Counter[bool] = Counter()
    for seed in seeds:
        expected, found = compare(seed, count=count, silent=silent)
        assert expected == found, f"seed {seed}, {count} replicas, silent={silent}: the search says {expected}"
        outcomes[expected] += 1
    return outcomes


def test_three_replicas_with_every_receive_told() -> None:
    outcomes = check_all(range(300), count=3, silent=False)
    assert min(outcomes[True], outcomes[False]) > 60


def test_four_replicas_with_every_receive_told() -> None:
    outcomes = check_all(range(1000, 1060), count=4, silent=False)
    assert min(outcomes[True], outcomes[False]) > 10


def test_three_replicas_with_silent_receives() -> None:
    outcomes = check_all(range(2000, 2200), count=3, silent=True)
    assert min(outcomes[True], outcomes[False]) > 30
