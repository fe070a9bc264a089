"""Why a mutant that a method cannot see is not seen: argued, not dropped."""

from __future__ import annotations

from typing import Final

from fiscotool.mutants.mutant import Kind

ARGUED: Final[dict[str, str]] = {
    "N18": "a leader that does not propose its lock again costs a view; the next NewView proposes it (upstream does the same: D10)",
}
"""What no method or only a test by hand shows, and why. Each has a test in tests/pbft."""

UNREACHED: Final[dict[str, str]] = {
    "M7": "the envelope of an embedded node refuses who is no sealer before the core hears it; the simulator lets strangers speak",
    "M26": "needs view changes of different heights with a certificate between them; a long run of the simulator has some",
    "M29": "an embedded node executes within one turn of its loop, so no timer can run out meanwhile; the simulator executes slowly",
    "F7": "a barrier keeps heights above a system block from being prepared, so an old certificate above one is rare; set up by hand there",
    "F14": "executions do not fail by themselves in an embedded node; the simulator lets them",
    "fisco2-M29": "an embedded node executes within one turn of its loop, so no timer can run out meanwhile; the simulator executes slowly",
    "classic-M6": "votes come again only when messages are sent again over a lossy network, and links between processes lose nothing",
    "classic-M14": "needs certificates of two views for one height; a leader that stays as long as its view leaves one",
    "classic-N21": "needs a NewView that comes after the next view was asked for, from the one leader that is late",
}
"""Why drills of embedded chains do not lead where these act differently."""

UNSEEN: Final[dict[str, dict[Kind, str]]] = {
    "simulator": {
        Kind.SAFETY: "not within the worlds and seeds that were tried",
        Kind.LIVENESS: "the chain gets on within the bound all the same",
        Kind.DURABILITY: "not within the worlds and seeds that were tried",
        Kind.CONFORMANCE: "not within the worlds and seeds that were tried",
    },
    "explorer": {
        Kind.SAFETY: "not within the moves and the bounds",
        Kind.LIVENESS: "a bounded search promises nothing about what must come",
        Kind.DURABILITY: "not within the moves and the bounds",
        Kind.CONFORMANCE: "not within the moves and the bounds",
    },
    "traces": dict.fromkeys(Kind, "the drill did not lead where the mutant acts differently"),
    "logs": {
        Kind.SAFETY: "logs tell what was decided, not each vote that was counted",
        Kind.LIVENESS: "every step that was logged is allowed; that none followed is no matter for a log",
        Kind.DURABILITY: "logs do not tell what was on the disk when a message left",
        Kind.CONFORMANCE: "the drill did not lead where the mutant logs something else",
    },
    "polls": {
        Kind.SAFETY: "polls and headers show results: where nodes do not differ and certificates are whole, a wrong step leaves no mark",
        Kind.LIVENESS: "what is slower than it should be, and within the bounds of observables L1, is not wrong for polls",
        Kind.DURABILITY: "only a restart that undoes a vote and a leader that uses it would show; disks are not polled",
        Kind.CONFORMANCE: "status replies and headers do not tell this; traces do",
    },
}
"""Why a method may miss a mutant of a class."""
