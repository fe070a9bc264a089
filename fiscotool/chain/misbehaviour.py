"""How an embedded node can be deployed to misbehave: the words of `--byzantine`, and of `byzantine=` in config.ini.

What each of them does is `devnet.byzantine`; docs/embedded.md tells it. A module of its own, because every node process reads it.
"""

from __future__ import annotations

from typing import Final

BYZANTINE_MODES: Final = (
    "equivocate",
    "forge-block",
    "double-sign",
    "drop-commits",
    "lie-height",
    "stutter",
    "far-view",
    "usurp",
    "babble",
    "parrot",
    "early",
    "impostor",
    "hasty",
    "far-block",
    "eager",
    "topmost",
    "repeater",
    "forger",
    "redater",
    "puller",
    "rotten",
    "isolate",
    "saboteur",
    "fickle",
    "gaps",
    "retype",
    "forge-signature",
    "forge-empty",
)
"""In the order in which they were thought of."""
