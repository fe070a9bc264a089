"""Why a mutant that a method cannot see is not seen: argued, not dropped."""

from __future__ import annotations

from typing import Final

from fiscotool.mutants.mutant import Kind

ARGUED: Final[dict[str, str]] = {
    "N18": "a leader that does not propose its lock again costs a view; the next NewView proposes it (upstream does the same: D10)",
    "H5": "a lost early vote costs one view change, after which the same block is agreed; nothing that is promised is broken",
    "fisco2-H5": "a lost early Sign costs one view change, after which the block is proposed again; nothing that is promised is broken",
    "M40c": "harm needs a crash, the same view again, and a leader that shows another block in it: three rare things in a row",
    "H4": "harm needs certificates of two views at one height, one of them in the hands of a liar, and a leader that collects both",
    "F7": "a barrier keeps heights above a system block from being prepared, so that an old certificate above one is rare",
    "F9": "harm needs a block that is executed while the system block below it is still on its way to the ledger",
    "F2": "only f+1 liars together can ask for the largest view; within f nothing can come of it",
    "F5": "no world proposes an invalid block and then leaves the height to its next leader for long; test_public_bugs does by hand",
    "F6": "needs a view change that a block overtakes while its leader lacks just one; test_public_bugs shows the NewView",
    "F8": "the worlds change weights, where f+1 is reached in the same step more often than not; test_public_bugs adds sealers",
    "F10": "needs a replica that fetches blocks while the next leader is gone, and that is in a view; test_public_bugs has one",
    "F14": "executions do not fail by themselves here, a block that was overtaken apart; test_public_bugs fails one by hand",
    "F16b": "the pool tells its size again and again, which starts the timer; only where it tells once does the chain stand",
    "classic-M28": "the property allows the first wait at any time, because a block resets it; test_classic catches a longer one",
}
"""What no method or only a test by hand shows, and why. Each has a test in tests/pbft."""

UNREACHED: Final[dict[str, str]] = {
    "M29": "an embedded node executes within one turn of its loop, so no timer can run out meanwhile; the simulator executes slowly",
    "fisco2-M29": "an embedded node executes within one turn of its loop, so no timer can run out meanwhile; the simulator executes slowly",
    "F14": "executions do not fail by themselves in an embedded node; the simulator lets them",
    "F7": "a barrier keeps heights above a system block from being prepared, so an old certificate above one is rare; set up by hand there",
    "M26": "needs view changes of different heights with a certificate between them; a long run of the simulator has some",
    "H4": "the liar's certificate is as good as any where signatures do not bind the view: each step is the protocol's under that rule",
    "M40c": "harm needs a crash, the same view again, and a leader that shows another block in it: three rare things in a row",
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
