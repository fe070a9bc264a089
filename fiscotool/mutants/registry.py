"""All mutants, by name. M numbers are those of observables 4.1, F those of 2.2, H those of 2.1; N are further ones.

Numbers that 4.1 does not list (M5, M9, M18, ...) do not exist. A mutant of another dialect has the dialect's name in its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fiscotool.mutants import blocks, of_classic, of_fisco2, views, votes
from fiscotool.mutants.mutant import Kind, Mutant, Step
from fiscotool.mutants.planter import Planter
from fiscotool.pbft.rules import Quirk

S, L, D, C = Kind.SAFETY, Kind.LIVENESS, Kind.DURABILITY, Kind.CONFORMANCE


def _of(
    name: str,
    title: str,
    kind: Kind,
    source: str,
    how: Callable[[Planter], None] | Quirk | str,
    *,
    dialect: str = "fisco3",
    lying: bool = False,
) -> Mutant:
    """One entry; `lying` when nothing can come of it without a Byzantine replica."""
    if isinstance(how, Quirk):
        return Mutant(name, title, kind, source, dialect, lying, switch=how)
    if isinstance(how, str):
        return Mutant(name, title, kind, source, dialect, lying, wire_switch=how)
    return Mutant(name, title, kind, source, dialect, lying, apply=how)


def _around(name: str, title: str, kind: Kind, source: str, wrap: Callable[[Step], Step]) -> Mutant:
    return Mutant(name, title, kind, source, wrap=wrap)


_VOTES = (
    _of("M1", "prepared with q-1", S, "classic", votes.prepare_quorum),
    _of("M2", "committed with q-1", S, "classic", votes.commit_quorum),
    _of("M3", "a block is stable with f+1 checkpoints", S, "FISCO phase 4", votes.checkpoint_quorum),
    _of("M4", "the quorum is 2f+1 whatever n is", S, "quorum formula", votes.quorum_formula),
    _of("M6", "duplicate votes are counted", S, "H3", votes.duplicate_votes, lying=True),
    _of("M7", "votes of strangers and of an old list are counted", S, "F7, F8", votes.strangers, lying=True),
    _of("M8", "votes for different blocks are pooled", S, "classic", votes.pooled_hashes),
    _of("M10", "anyone may propose", S, "classic", votes.anyone_leads, lying=True),
    _of("M11", "a second pre-prepare replaces the first", S, "Twins", votes.second_replaces_first, lying=True),
    _of("M12", "the lock is not asked", S, "FISCO lock", votes.no_lock),
    _of("M13", "a lock is never released", L, "H1", Quirk.LOCK_NEVER_RELEASED),
    _of("M17", "prepared certificates are not verified", S, "F3", votes.certificates_unverified, lying=True),
    _of("M23", "a message's hash is not recomputed on decoding", S, "F3", "f3-hash-not-recomputed", lying=True),
    _of("M34", "pre-prepares above the high water mark are accepted", C, "water marks", votes.far_proposals, lying=True),
    _of("M46a", "the leader's height is left out", C, "leader formula", votes.leader_by_view),
    _of("M46b", "the leader is computed from the last height", C, "leader formula of 2.x", votes.leader_of_last),
    _of("M50", "proposals are not validated", L, "F4", votes.invalid_accepted, lying=True),
    _of("N1", "every quorum is one less", S, "classic", votes.every_quorum),
    _of("N2", "votes of different views are pooled", S, "H5", votes.pooled_views),
)

_VIEWS = (
    _of("M14", "a NewView takes the certificate of the lowest view", S, "Howard, GetDigest", views.lowest_view_wins),
    _of("M15", "a NewView ignores certificates", S, "H6", views.ignores_certificates),
    _of("M16", "backups do not verify what a NewView proposes", S, "H6, FIB-124", views.new_view_unverified, lying=True),
    _of("M19", "q-1 view changes make a NewView", S, "classic", views.new_view_with_less),
    _of("M20", "a repeated view change is counted again", S, "H3", views.view_changes_repeated, lying=True),
    _of("M21", "one view change for a far view drags everyone", L, "F1, CVE-2022-26534", views.joins_different_views, lying=True),
    _of("M24", "gaps are skipped", L, "NewView", views.gaps_skipped),
    _of("M26", "what is committed is proposed again", S, "maxCommittedIndex", views.committed_ignored),
    _of("M30a", "a view is recovered from f+1 answers", C, "recovery", views.recovers_with_f_plus_1),
    _of("M30b", "a view is recovered from one answer", C, "recovery", views.recovers_with_one),
    _around("M32", "a block sets the view back", C, "views", views.view_goes_back),
    _of("M35", "pre-prepares of far views are kept", L, "F13", views.far_views_kept, lying=True),
    _of("N3", "view changes do not say what was prepared", S, "classic", views.certificates_hidden),
    _of("N4", "entering a view forgets the lock", S, "classic", views.lock_lost_on_entry),
    _of("N5", "f+1 that ask for a view are not followed", L, "fast view change", views.never_joins),
    _of("N6", "no NewView is good enough", L, "F16", views.never_enters),
    _of("N7", "votes count while asking for another view", S, "spec 6.2", views.votes_in_timeout),
    _of("N8", "anyone may issue a NewView", C, "FIB-124", views.first_leader_only, lying=True),
    _of("N9", "the view asked for skips one", C, "views", views.own_view_change_twice),
)

_BLOCKS = (
    _of("M28a", "the timeout does not grow", L, "F12, timer", blocks.timeout_constant),
    _of("M28b", "the timeout is never reset", L, "timer", blocks.timeout_never_reset),
    _of("M29", "the timer fires while executing", L, "FISCO timer", blocks.timer_impatient),
    _of("M37", "blocks are executed out of order", S, "execution", blocks.executes_out_of_order),
    _of("M38", "execution is not deterministic", L, "Chord", blocks.result_differs),
    _of("M40a", "prepares are not durable", D, "amnesia", blocks.prepares_not_durable),
    _of("M40b", "locks are not durable", D, "amnesia", blocks.locks_not_durable),
    _of("M40c", "votes of an earlier life are not asked", D, "amnesia", votes.votes_again),
    _of("M40d", "nothing is durable", D, "amnesia", Quirk.AMNESIA),
    _of("M41", "the ledger is written without stable checkpoint", S, "FISCO phase 4", blocks.commits_without_checkpoints),
    _of("M42", "empty synced blocks are not checked", S, "H2", "empty-sync-unchecked", lying=True),
    _around("M44", "a membership change is in force a block too late", C, "F9", blocks.membership_late),
    _of("N10", "a vote leaves before it is durable", D, "amnesia", blocks.sends_before_record),
    _of("N11", "results are not durable before the checkpoint leaves", D, "spec 1.13", blocks.results_not_durable),
    _of("N12", "a prepared block is executed without Commits", S, "classic", blocks.executes_prepared),
    _of("N13", "checkpoints count whatever result they name", S, "FISCO phase 4", blocks.checkpoints_pooled),
    _of("N14", "a Commit leaves with the Prepare", S, "classic", blocks.commits_unprepared),
    _of("N15", "accepting a proposal does not restart the timer", L, "FISCO timer", blocks.timer_not_restarted),
    _of("N16", "the timer dies with the first block", L, "F16", blocks.timer_dies),
    _of("N17", "the sealer is never told", L, "F16", views.silent_sealer),
    _of("N18", "a leader seals where it is locked", L, "D10", blocks.seals_everything),
    _of("FIB-127", "a pulled proposal is trusted", S, "FIB-127", blocks.pulled_trusted, lying=True),
    _of("FIB-133", "a pre-prepare of a later view is handled at once", L, "FIB-133", Quirk.HIGHER_VIEW_PREPREPARE, lying=True),
    _of("FIB-134", "a signature does not cover the packet type", S, "FIB-134", "type-unsigned", lying=True),
    _of("H4", "certificates do not bind the view", S, "H4", Quirk.PROOF_WITHOUT_VIEW, lying=True),
    _of("H5", "the older view's vote is kept", L, "H5", Quirk.STALE_VOTE_KEPT),
)

_PUBLIC = (
    _of("F2", "no largest view", L, "PR #2311", Quirk.VIEW_OVERFLOW, lying=True),
    _of("F5", "an invalid proposal occupies its height", L, "FISCO 2206", Quirk.INVALID_KEPT, lying=True),
    _of("F6", "expired view changes are counted", L, "PR #2190", Quirk.EXPIRED_COUNTED),
    _of("F7", "certificates are weighed with the new list", L, "PR #2191", Quirk.OLD_CERTIFICATES),
    _of("F8", "f+1 is not computed again for a new list", L, "PR #2175", Quirk.THRESHOLDS_KEPT),
    _of("F9", "what follows a system block does not wait for it", S, "PR #2200", Quirk.EXECUTES_PAST_SYSTEM),
    _of("F10", "a syncing replica changes views", L, "PR #3114", Quirk.SYNCING_CHANGES_VIEW),
    _of("F11", "a NewView is entered again", L, "PR #3168", Quirk.NEW_VIEW_AGAIN, lying=True),
    _of("F14", "a failed execution is not tried again", L, "PR #4598", Quirk.FAILED_NOT_RETRIED),
    _of("M33", "the low water mark is not reset by a new view", L, "F15, PR #4890", Quirk.LOW_MARK_KEPT),
    _of("F16a", "a leader put in by a NewView is silent", L, "PR #2276", Quirk.LEADER_SILENT),
    _of("F16b", "a block stops the timer although transactions wait", L, "PR #3107", Quirk.TIMER_STOPPED),
    _of("F16c", "a quorum of view changes is ignored", L, "PR #1794", Quirk.QUORUM_IGNORED),
)

_FISCO2 = tuple(
    _of(f"fisco2-{name}", title, kind, source, how, dialect="fisco2", lying=lying)
    for name, title, kind, source, how, lying in (
        ("M1", "q-1 signs and commits decide", S, "classic", of_fisco2.quorum, False),
        ("M8", "votes for different results are pooled", S, "classic", of_fisco2.pooled_hashes, True),
        ("M10", "everyone believes to lead", S, "classic", of_fisco2.all_lead, False),
        ("M12", "the lock is not asked", S, "FISCO lock", of_fisco2.lock_not_asked, False),
        ("M19", "a view is entered by q-1", S, "classic", of_fisco2.view_quorum, False),
        ("M21", "one far view drags all", L, "F1", of_fisco2.joins_one, False),
        ("M28", "the timeout does not grow", L, "timer", of_fisco2.timeout_constant, False),
        ("M29", "the timer fires while executing", L, "timer", of_fisco2.timer_impatient, False),
        ("M32", "the view survives a block", C, "spec 2.x 1.8", of_fisco2.view_survives, False),
        ("M40", "the lock is not durable", D, "spec 2.x 1.11", of_fisco2.lock_not_durable, False),
        ("M41", "two Commits write a block", S, "classic", of_fisco2.written_early, False),
        ("N19", "empty proposals are signed", C, "spec 2.x 1.10", of_fisco2.empty_signed, False),
        ("N20", "entering a view gives up the lock", S, "spec 2.x 1.11", of_fisco2.lock_moves, False),
        ("H5", "early Signs are lost", L, "spec 2.x 1.9", Quirk.EARLY_SIGNS_LOST, False),
    )
)

_CLASSIC = tuple(
    _of(f"classic-{name}", title, kind, source, how, dialect="classic")
    for name, title, kind, source, how in (
        ("M1", "q-1 prepare and commit", S, "classic", of_classic.quorum),
        ("M3", "a checkpoint of one is stable", S, "classic", of_classic.checkpoint_of_one),
        ("M6", "repeated votes are counted", S, "H3", of_classic.duplicates),
        ("M11", "a second pre-prepare replaces the first", S, "Twins", of_classic.second_replaces_first),
        ("M14", "a NewView takes the certificate of the lowest view", S, "Howard, GetDigest", of_classic.lowest_view_wins),
        ("M15", "view changes do not say what was prepared", S, "classic", of_classic.certificates_hidden),
        ("M16", "a NewView is not verified", S, "classic", of_classic.new_view_unverified),
        ("M19", "q-1 view changes make a NewView", S, "classic", of_classic.new_view_quorum),
        ("M28", "the timeout does not grow", L, "timer", of_classic.timeout_constant),
        ("M32", "the view asked for is not durable", D, "classic", of_classic.view_not_durable),
        ("M38", "one replica's state is another", C, "Chord", of_classic.states_differ),
        ("M40", "votes are not durable", D, "classic", of_classic.votes_not_durable),
        ("N7", "the phases go on in a view change", S, "OSDI'99 4.4", of_classic.votes_in_view_change),
        ("N21", "an earlier view than the one asked for is entered", S, "OSDI'99 4.4", of_classic.enters_earlier),
    )
)

MUTANTS: Final[dict[str, Mutant]] = {mutant.name: mutant for mutant in (*_VOTES, *_VIEWS, *_BLOCKS, *_PUBLIC, *_FISCO2, *_CLASSIC)}
"""By name, in the order of the page."""


def mutant_named(name: str) -> Mutant | None:
    """The mutant of this name, whatever the case; None when there is none."""
    return next((mutant for known, mutant in MUTANTS.items() if known.lower() == name.lower()), None)
