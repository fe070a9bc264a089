"""A trace as text: one JSON object a line, first what the judge must know, then the records.

    {"trace": 1, "dialect": "fisco3", "members": [{"since": 0, "weights": [1, 1, 1, 1], "leader_period_blocks": 1}], "faulty": []}
    {"replica": "node0", "life": 0, "sequence": 0, "at_s": 0.1, "act": "start", "index": 1}

Rule 1. The first line is the header; `trace` is the version of the format. Members, and what else of it is left out, have their defaults.
Rule 2. A record has the fields of `pbft.trace.TraceRecord` by their names; what is None or empty is left out.
Rule 3. A line that is not like this is an error that names the line and what is wrong with it; nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from fiscotool.check.trace_context import DIALECT_NAMES, Members, TraceContext
from fiscotool.errors import UsageError
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["FORMAT_VERSION", "read_trace", "write_trace"]

FORMAT_VERSION: Final = 1

_ACTS: Final = {act.value: act for act in Act}
_NUMBERS: Final = ("height", "view", "sender", "weight", "index", "own_view", "to_view", "head", "change_cycle")
_NEEDED: Final = ("replica", "life", "sequence", "at_s", "act")
_KNOWN: Final = frozenset({*_NEEDED, *_NUMBERS, "digest", "error_s"})
_OPTIONS: Final[dict[str, Any]] = {"tells_receives": bool, "ends_open": bool, "missing_max": int, "slack_s": int | float}
_FAR_S: Final = 1e12
_DIGITS: Final = frozenset("0123456789abcdef")


def write_trace(records: Iterable[TraceRecord], context: TraceContext | None = None) -> Iterator[str]:
    """The lines of a trace, without line ends."""
    context = context or TraceContext()
    members = [{"since": m.since, "weights": list(m.weights), "leader_period_blocks": m.leader_period_blocks} for m in context.members]
    head: dict[str, Any] = {"trace": FORMAT_VERSION, "dialect": context.dialect, "members": members, "faulty": sorted(context.faulty)}
    head |= {name: getattr(context, name) for name in _OPTIONS if getattr(context, name) != getattr(TraceContext(), name)}
    yield json.dumps(head)
    for record in records:
        line: dict[str, Any] = {
            "replica": record.replica,
            "life": record.life,
            "sequence": record.sequence,
            "at_s": record.at_s,
            "act": record.act.value,
        }
        for name in _NUMBERS:
            value = getattr(record, name)
            if value is not None:
                line[name] = value
        if record.digest:
            line["digest"] = record.digest
        if record.error_s:
            line["error_s"] = record.error_s
        yield json.dumps(line)


def read_trace(lines: Iterable[str]) -> tuple[list[TraceRecord], TraceContext]:
    """The records and what the header says. Raises UsageError for a line that is not of the format."""
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        raise UsageError("the trace is empty", hint="write one: fiscotool simulate --seed 7 --trace run.trace.jsonl")
    context = _header(_object(*first), first[0])
    return [_record(_object(number, line), number) for number, line in numbered], context


def _wrong(number: int, what: str) -> UsageError:
    return UsageError(f"line {number} of the trace: {what}", hint="the format is described in docs/trace-checking.md")


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as problem:
        raise _wrong(number, f"no JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise _wrong(number, "no JSON object")
    return found


def _header(found: dict[str, Any], number: int) -> TraceContext:
    if found.get("trace") != FORMAT_VERSION:
        raise _wrong(number, f'no header of a trace of version {FORMAT_VERSION} ("trace": {FORMAT_VERSION})')
    dialect = found.get("dialect", "fisco3")
    if dialect not in DIALECT_NAMES:
        raise _wrong(number, f"dialect {dialect!r} is none of {', '.join(DIALECT_NAMES)}")
    faulty = found.get("faulty", [])
    if not isinstance(faulty, list) or not all(isinstance(name, str) for name in faulty):
        raise _wrong(number, "faulty is no list of names")
    context = TraceContext(dialect=dialect, faulty=frozenset(faulty))
    for name, wanted in _OPTIONS.items():
        if name in found:
            value = found[name]
            if not isinstance(value, wanted) or (wanted is not bool and (isinstance(value, bool) or value < 0)):
                raise _wrong(number, f"{name} is {value!r}")
            context = replace(context, **{name: value})
    if "members" in found:
        told = found["members"]
        if not isinstance(told, list) or not told:
            raise _wrong(number, "members is no list")
        context = replace(context, members=tuple(sorted((_members(each, number) for each in told), key=lambda each: each.since)))
    return context


def _members(found: Any, number: int) -> Members:
    if not isinstance(found, dict):
        raise _wrong(number, "an entry of members is no object")
    weights, since, period = found.get("weights"), found.get("since", 0), found.get("leader_period_blocks", 1)
    if not isinstance(weights, list) or not weights or not all(_is_number(weight) and weight > 0 for weight in weights):
        raise _wrong(number, "weights is no list of numbers above 0")
    if not _is_number(since) or not _is_number(period) or since < 0 or period < 1:
        raise _wrong(number, "since is at least 0, leader_period_blocks at least 1")
    return Members(since, tuple(weights), period)


def _record(found: dict[str, Any], number: int) -> TraceRecord:
    for name in _NEEDED:
        if name not in found:
            raise _wrong(number, f"{name} is missing")
    unknown = sorted(found.keys() - _KNOWN)
    if unknown:
        raise _wrong(number, f"unknown field {unknown[0]!r}")
    act = _ACTS.get(found["act"]) if isinstance(found["act"], str) else None
    if act is None:
        raise _wrong(number, f"no act {found['act']!r}")
    if not isinstance(found["replica"], str) or not found["replica"]:
        raise _wrong(number, "replica is no name")
    for name in ("life", "sequence", *_NUMBERS):
        value = found.get(name)
        if value is not None and not _is_number(value):
            raise _wrong(number, f"{name} is no whole number: {value!r}")
    for name in ("at_s", "error_s"):
        value = found.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -_FAR_S < value < _FAR_S:
            raise _wrong(number, f"{name} is no number: {value!r}")
    digest = found.get("digest", "")
    if not isinstance(digest, str) or not set(digest) <= _DIGITS:
        raise _wrong(number, f"digest is not lower-case hexadecimal: {digest!r}")
    return TraceRecord(**{**found, "act": act, "at_s": float(found["at_s"]), "digest": digest, "error_s": float(found.get("error_s", 0.0))})


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
