"""The state file of an audit: what has been verified so far, so that the next run goes on there.

Rule 1. It is replaced as a whole (written beside, synced, renamed): a crash leaves the old one or the new one.
Rule 2. It belongs to one chain, one set of nodes and one depth; another's is refused, never mixed.
Rule 3. It holds height and hash of the last verified block of each node: a chain that was rewritten since is found, and a node that
        was lost or behind is verified from where it was.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson

from fiscotool.errors import EnvironmentFailure, UsageError
from fiscotool.observer.audit_words import Audit, AuditFinding, SealerChange

_FORMAT: Final = "fiscotool audit 1"


def save_audit(path: Path, audit: Audit) -> None:
    """Write the state. Raises EnvironmentFailure."""
    text = json.dumps({"format": _FORMAT, **audit.as_json()}, indent=1)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as problem:
        raise EnvironmentFailure(
            f"{path}: the state of the audit cannot be written: {problem.strerror}", hint="give another file"
        ) from problem


def load_audit(path: Path) -> Audit | None:
    """The state in a file, None if there is no such file. Raises UsageError for a file that is none."""
    try:
        told = orjson.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise _unusable(path, str(problem)) from problem
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise _unusable(path, f"it does not say {_FORMAT!r}")
    try:
        return _audit_of(told)
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise _unusable(path, f"a part of it is missing or of another type: {problem}") from problem


def _unusable(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path} is no state of an audit: {reason}", hint="give a file that does not exist to begin a new one")


def _audit_of(told: dict[str, Any]) -> Audit:
    audit = Audit(
        chain={str(key): str(value) for key, value in told["chain"].items()},
        from_height=int(told["from"]),
        to_height=int(told["to"]),
        next_height=0,
        depth=str(told["depth"]),
        nodes=tuple(map(str, told["nodes"])),
        compared=tuple(map(str, told["compared"])),
        telling_count=int(told["tellings"]),
        signature_count=int(told["signatures"]),
        tx_count=int(told["transactions"]),
        receipts_count=int(told["receipts"]),
        finding_counts=Counter({str(kind): int(count) for kind, count in told["finding_counts"].items()}),
        findings=[AuditFinding(item["kind"], int(item["height"]), tuple(item["nodes"]), item["text"]) for item in told["findings"]],
        changes=[SealerChange(int(item["height"]), tuple(item["added"]), tuple(item["removed"])) for item in told["sealer_changes"]],
        verified={str(name): (int(height), str(value)) for name, (height, value) in told["verified"].items()},
    )
    audit.next_height = audit.resume_height
    return audit


def continue_audit(path: Path, known: Audit, wanted: Audit, *, from_given: bool) -> Audit:
    """The known state, to be continued up to `wanted.to_height`. Raises UsageError when it is of something else (Rule 2)."""
    for what, before, now in (
        ("chain", dict(known.chain), dict(wanted.chain)),
        ("nodes", known.nodes, wanted.nodes),
        ("depth", known.depth, wanted.depth),
    ):
        if before != now:
            raise UsageError(
                f"{path} is the state of another audit: its {what} was {_plain(before)}, now it is {_plain(now)}",
                hint="give the same options as then, or another file to begin anew",
            )
    if from_given and wanted.from_height != known.from_height:
        raise UsageError(
            f"{path} is of an audit from block {known.from_height}, not {wanted.from_height}",
            hint="leave out --from: it goes on where it stopped",
        )
    known.to_height = wanted.to_height
    known.compared = wanted.compared
    known.notes = [*wanted.notes]
    known.problems = [*wanted.problems]
    return known


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)
