"""Conclusions about each node for itself: does it run, why not, does it answer, has it room on its disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fiscotool.chain.findings import Finding, found
from fiscotool.doctor.situation import NodeSeen, Situation
from fiscotool.doctor.words import WORDS

_MEGABYTE = 1 << 20
_FULL_BYTES = 100 * _MEGABYTE
_LOW_BYTES = 1024 * _MEGABYTE
_SHOWN_CHARACTERS = 220

# nohup.out of 3.x and 2.x: the end in order, and a start that failed (recordings/v3/deploy/port_in_use; spec 2.x 4.8).
_IN_ORDER = re.compile(r"program exit normally")
_REFUSED = re.compile(
    r"start fisco-bcos failed|Init failed|std::exception::what|does not exist|unrecognised|Throw in function|not found", re.IGNORECASE
)
_RAN = re.compile(r"is running\.\.\.")


def check_nodes(seen: Situation) -> Iterator[Finding]:
    """Everything about single nodes."""
    for node in seen.nodes:
        yield from _check_process(node, alone=bool(seen.answering) or any(each.state != "stopped" for each in seen.nodes))
        if node.disk_free_bytes is not None and node.disk_free_bytes < _LOW_BYTES:
            name = "disk-full" if node.disk_free_bytes < _FULL_BYTES else "disk-low"
            yield found(WORDS, name, node.name, free=node.disk_free_bytes // _MEGABYTE)
        if node.trouble:
            yield found(WORDS, "tls-trouble", node.name, line=node.trouble[-1][:_SHOWN_CHARACTERS])


def _check_process(node: NodeSeen, *, alone: bool) -> Iterator[Finding]:
    """`alone`: other nodes of the chain run, so that this one's absence is worth a word even where it ended in order."""
    if node.state == "paused":
        yield found(WORDS, "node-paused", node.name)
    elif node.state == "stopped" and not node.answers:
        yield from _check_stopped(node, alone=alone)
    elif not node.answers:
        yield found(WORDS, "node-silent", node.name, error=node.error or "-")


def _check_stopped(node: NodeSeen, *, alone: bool) -> Iterator[Finding]:
    words = " / ".join(line.strip() for line in node.last_words if line.strip())
    refusal = next((line.strip() for line in reversed(node.last_words) if _REFUSED.search(line)), "")
    if node.holders:
        yield found(WORDS, "port-held", node.name, holders=", ".join(node.holders))
    elif refusal:
        exact = next((line.strip() for line in node.last_words if "std::exception::what" in line), refusal)
        yield found(WORDS, "start-refused", node.name, words=exact[:_SHOWN_CHARACTERS])
    elif _RAN.search(words) and not _IN_ORDER.search(words):
        yield found(WORDS, "node-crashed", node.name, words=words[-_SHOWN_CHARACTERS:])
    elif alone:
        yield found(WORDS, "node-stopped", node.name, words=words[-_SHOWN_CHARACTERS:] or "-")
