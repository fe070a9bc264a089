"""Full traces are judged by taking every step again: clean ones are consistent, each planted difference is found, told and named."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
import pytest

from fiscotool.check.replay import ReplayVerdict, TraceFile, Verdict, replay_chain
from fiscotool.mutants.plant import mutated
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.codec_life import Birth, Record, Step, Synced
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.messages import Commit, Message, Prepare
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from tests.check.lives import Lives, restless, written


@cache
def clean(dialect: str = "fisco3") -> Lives:
    return restless(dialect, seed=1)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_clean_lives_are_consistent(dialect: str) -> None:
    for lives in (clean(dialect), restless(dialect, seed=2, weights=(1,) * 5)):
        verdict = replay_chain(lives.files())
        assert verdict.findings == ()
        assert verdict.verdict is Verdict.CONSISTENT
        assert verdict.counters["lives"] > verdict.counters["nodes"], "one was restarted"
        assert verdict.counters["CommitBlock"] > 0
        assert verdict.counters["found sent"] > 0


PLANTED = {
    "M1": ("step", "sends Commit"),
    "N17": ("step", "due and not done: lets its sealer"),
    "M28a": ("step", "the protocol sets timer view 3 to 4500 ms; the node sets timer view 3 to 3000 ms"),
    "M40a": ("step", "due and not done: makes its vote durable"),
    "N10": ("step", "in another order"),
    "M38": ("step", "sends CheckPoint"),
    "fisco2-M1": ("step", "sends Commit"),
    "classic-M40": ("step", "due and not done: makes its vote durable"),
}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_bug_is_found_told_and_named(name: str) -> None:
    mutant = MUTANTS[name]
    lives = restless(mutated(DIALECTS[mutant.dialect], mutant), seed=1, ticks=2_000)
    verdict = replay_chain(lives.files())
    rule, words = PLANTED[name]
    assert verdict.verdict is Verdict.VIOLATION
    assert any(finding.rule == rule and words in finding.text for finding in verdict.findings), verdict.findings
    assert verdict.behaves_as == name


def test_a_bug_in_one_node_is_found_there() -> None:
    mutant = MUTANTS["M40a"]
    verdict = replay_chain(restless(mutated(DIALECTS["fisco3"], mutant, replicas=(2,)), seed=1).files())
    assert {finding.node for finding in verdict.findings} == {"node2"}
    assert verdict.behaves_as == "M40a"


def test_a_hole_is_legal_only_where_it_is_declared() -> None:
    lives = restless(mutated(DIALECTS["fisco3"], MUTANTS["M40d"]), seed=1, ticks=2_000)
    assert replay_chain(lives.files()).behaves_as == "M40d"
    for each in lives.records.values():
        for life in each:
            assert isinstance(life[0], Birth)
            life[0] = replace(life[0], quirks=frozenset({Quirk.AMNESIA}))
    assert replay_chain(lives.files()).verdict is Verdict.CONSISTENT


def test_a_liar_is_not_judged_but_what_it_shows_is() -> None:
    mutant = MUTANTS["M40a"]
    files = restless(mutated(DIALECTS["fisco3"], mutant, replicas=(2,)), seed=1).files()
    verdict = replay_chain(files, faulty={"node2"})
    assert verdict.verdict is Verdict.CONSISTENT
    assert verdict.counters["believed"] > 0
    assert "not judged, for they may do anything: node2" in verdict.notes


def changed(lives: Lives, node: str, life: int, place: int, record: Record | None) -> ReplayVerdict:
    """The verdict when one record is another, or is left out and the others are renumbered."""
    files = []
    for name, each in lives.records.items():
        for number, records in enumerate(each):
            mine = list(records)
            if (name, number) == (node, life):
                mine[place : place + 1] = [] if record is None else [record]
                steps = iter(range(len(mine)))
                mine = [replace(one, sequence=next(steps)) if isinstance(one, Step) else one for one in mine]
            files.append(written(name, mine))
    return replay_chain(files, diagnose=False)


def place_of(lives: Lives, node: str, fits: Any, life: int = 0) -> tuple[int, Step]:
    records = lives.records[node][life]
    return next((place, record) for place, record in enumerate(records) if isinstance(record, Step) and fits(record))


def sends(kind: type[Message]) -> Any:
    return lambda step: any(isinstance(effect, do.Broadcast) and isinstance(effect.message, kind) for effect in step.effects)


def rules_of(verdict: ReplayVerdict) -> set[str]:
    assert verdict.verdict is Verdict.VIOLATION
    return {finding.rule for finding in verdict.findings}


def test_a_message_that_was_never_sent_is_found() -> None:
    lives = clean()
    place, step = place_of(lives, "node0", lambda one: isinstance(one.event, ev.Received) and isinstance(one.event.message, Commit))
    assert isinstance(step.event, ev.Received)
    assert isinstance(step.event.message, Commit)
    forged = replace(step, event=ev.Received(replace(step.event.message, digest=Digest(b"\x07" * 32))))
    verdict = changed(lives, "node0", 0, place, forged)
    assert "sent" in rules_of(verdict)
    assert any("which node" in finding.text and "never sent" in finding.text for finding in verdict.findings)


def test_a_circle_is_found() -> None:
    """Every life for itself is right, but each of two votes is heard before it was sent: the sender's steps are told in another order."""
    lives = clean()
    votes = [Prepare(View(0), Height(90), Digest(bytes([k]) * 32), NodeIndex(k)) for k in range(2)]
    for k, (vote, other) in enumerate(zip(votes, reversed(votes), strict=True)):
        records = lives.records[f"node{k}"][-1]
        last = next(record for record in reversed(records) if isinstance(record, Step))
        heard = Step(last.sequence + 1, last.at_ms, ev.Received(other), (), None)
        records += [heard, Step(last.sequence + 2, last.at_ms, ev.PoolSize(0), (do.Broadcast(vote),), None)]
    verdict = replay_chain(lives.files(), diagnose=False)
    clean.cache_clear()
    assert "before" in rules_of(verdict)


def test_a_status_that_is_not_so_is_found() -> None:
    lives = clean()
    place, step = place_of(lives, "node1", lambda one: one.told is not None and one.told[0] == 1)
    assert step.told is not None
    verdict = changed(lives, "node1", 0, place, replace(step, told=(2, *step.told[1:])))
    assert rules_of(verdict) == {"status"}
    assert "it says height 2" in verdict.findings[0].text


@pytest.mark.parametrize(
    ("fits", "words"),
    [
        (lambda step: any(isinstance(effect, do.Execute) for effect in step.effects), "that was not asked for"),
        (lambda step: any(isinstance(effect, do.CommitBlock) for effect in step.effects), "it did not ask to write this block"),
        (lambda step: any(isinstance(effect, do.SetTimer) for effect in step.effects), "it was never set"),
    ],
)
def test_what_happens_without_being_asked_for_is_found(fits: Any, words: str) -> None:
    lives = clean()
    place, step = place_of(lives, "node2", fits)
    verdict = changed(lives, "node2", 0, place, replace(step, effects=()))
    assert "asked" in rules_of(verdict)
    assert any(words in finding.text for finding in verdict.findings), verdict.findings


def test_what_is_never_answered_is_found_once_the_life_went_on() -> None:
    lives = clean()
    place, _ = place_of(lives, "node3", lambda one: isinstance(one.event, ev.Executed))
    records = [record for at, record in enumerate(lives.records["node3"][0]) if at < place]
    last = records[-1]
    assert isinstance(last, Step)
    steps = [Step(last.sequence + k, last.at_ms + k * 1000, ev.PoolSize(1), (), None) for k in range(1, 150)]
    files = [*(file for file in lives.files() if file.node != "node3"), written("node3", [*records, *steps])]
    found = replay_chain(files, diagnose=False).findings
    assert any(finding.rule == "answered" and "executes 1" in finding.text for finding in found), found


def reborn(lives: Lives, **more: Any) -> ReplayVerdict:
    """The verdict when the restarted replica was born otherwise."""
    birth = lives.records["node1"][1][0]
    assert isinstance(birth, Birth)
    return changed(lives, "node1", 1, 0, replace(birth, **more))


def test_a_disk_that_forgets_or_invents_is_found() -> None:
    lives = clean()
    birth = lives.records["node1"][1][0]
    assert isinstance(birth, Birth)
    assert birth.height > 0
    lost = reborn(lives, height=Height(birth.height - 1), block_hash=Digest(b"\x01" * 32))
    assert any(finding.rule == "durable" and "had block" in finding.text for finding in lost.findings)
    vote = do.VoteRecord(Height(birth.height + 1), View(1), Digest(b"\x02" * 32))
    invented = reborn(lives, votes=(*birth.votes, vote))
    assert any(finding.rule == "durable" and "was never written" in finding.text for finding in invented.findings)


def test_a_durable_vote_that_is_gone_is_found() -> None:
    """The replica dies between its vote and the block: what it heard of itself was durable."""
    lives = clean()
    place, step = place_of(lives, "node2", sends(Prepare))
    heard = next(
        at for at, one in enumerate(lives.records["node2"][0]) if at > place and isinstance(one, Step) and isinstance(one.event, ev.Received)
        and isinstance(one.event.message, Prepare) and one.event.message.sender == 2
    )  # fmt: skip
    birth, *_ = lives.records["node2"][0]
    assert isinstance(birth, Birth)
    again = replace(birth, started_ms=birth.started_ms + step.at_ms + 1)
    records = lives.records["node2"][0][: heard + 1]
    others = [file for file in lives.files() if file.node != "node2"]
    found = replay_chain([*others, written("node2", records), written("node2", [again])], diagnose=False).findings
    assert any(finding.rule == "durable" and "is gone" in finding.text and finding.life == 1 for finding in found), found
    kept = tuple(effect.record for effect in step.effects if isinstance(effect, do.Persist) and isinstance(effect.record, do.VoteRecord))
    found = replay_chain([*others, written("node2", records), written("node2", [replace(again, votes=kept)])], diagnose=False).findings
    assert not any(finding.rule == "durable" for finding in found), found


def test_rules_that_are_not_the_chains_are_found() -> None:
    lives = clean()
    birth = lives.records["node1"][0][0]
    assert isinstance(birth, Birth)
    verdict = changed(lives, "node1", 0, 0, replace(birth, seal_ms=5_000))
    assert any(finding.rule == "rules" and "5001 is due" in finding.text for finding in verdict.findings)
    verdict = changed(lives, "node1", 0, 0, replace(birth, rules=replace(birth.rules, weights=(1, 1, 1, 9))))
    assert "agreement" in rules_of(verdict)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda one: replace(one, signatures=one.signatures[:1]), "signed with weight 1"),
        (lambda one: replace(one, signatures=one.signatures[:1] * 3), "no distinct sealers"),
        (lambda one: replace(one, signatures=tuple((who, b"x") for who, _ in one.signatures)), "never made the signature"),
        (lambda one: replace(one, block_hash=Digest(b"\x03" * 32)), "is for"),
    ],
)
def test_a_fetched_block_needs_signatures_that_were_made(spoil: Any, words: str) -> None:
    lives = clean()
    records = lives.records["node1"][1]
    place, synced = next((place, record) for place, record in enumerate(records) if isinstance(record, Synced))
    verdict = changed(lives, "node1", 1, place, spoil(synced))
    assert any(finding.rule == "synced" and words in finding.text for finding in verdict.findings), verdict.findings


def test_ledgers_that_differ_are_found() -> None:
    lives = clean()
    place, step = place_of(lives, "node1", lambda one: isinstance(one.event, ev.LedgerAdvanced), 1)
    assert isinstance(step.event, ev.LedgerAdvanced)
    other = replace(step, event=replace(step.event, block_hash=Digest(b"\x04" * 32)))
    assert "agreement" in rules_of(changed(lives, "node1", 1, place, other))


def test_what_is_lost_of_a_file_makes_no_violation() -> None:
    files = clean().files()
    cut = [TraceFile(file.node, [*file.lines[:-1], file.lines[-1][:20]]) for file in files]
    assert replay_chain(cut).verdict is Verdict.CONSISTENT
    torn = [TraceFile(files[0].node, [*files[0].lines[:40], b"\xff{[\n", *files[0].lines[41:]]), *files[1:]]
    verdict = replay_chain(torn)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert any("line 41" in note for note in verdict.notes)
    mixed = [TraceFile(file.node, [*file.lines[:9], b"what is this\n", *file.lines[9:]]) for file in files]
    verdict = replay_chain(mixed)
    assert verdict.verdict is Verdict.CONSISTENT
    assert any("1 lines are no records" in note for note in verdict.notes)
    headless = [TraceFile(files[0].node, files[0].lines[1:]), *files[1:]]
    assert replay_chain(headless).verdict is Verdict.INCONCLUSIVE
    assert replay_chain(files[1:]).verdict is Verdict.CONSISTENT, "a node without traces is believed"
    assert replay_chain([]).verdict is Verdict.VACUOUS
    assert replay_chain([TraceFile("node0", [])]).verdict is Verdict.INCONCLUSIVE
    assert replay_chain([written("node0", clean().records["node0"][0][:1])]).verdict is Verdict.VACUOUS


def test_no_edit_of_a_trace_stops_the_judge() -> None:
    rng = random.Random(5)
    files = clean().files()
    for _ in range(8):
        file = rng.choice(files)
        lines = list(file.lines)
        place = rng.randrange(len(lines))
        plain = orjson.loads(lines[place])
        _spoil(plain, rng)
        lines[place] = orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)
        verdict = replay_chain([TraceFile(file.node, lines), *(each for each in files if each is not file)], diagnose=False)
        assert verdict.verdict in set(Verdict)


def _spoil(plain: list[Any], rng: random.Random) -> None:
    """Change one number, flag or text somewhere inside."""
    inner = [each for each in plain if isinstance(each, list) and each]
    if inner and rng.random() < 0.8:
        _spoil(rng.choice(inner), rng)
        return
    place = rng.randrange(len(plain))
    now = plain[place]
    plain[place] = (
        (not now) if isinstance(now, bool) else now + rng.choice([-1, 1, 10**9]) if isinstance(now, int) else "ab" if now != "ab" else None
    )
