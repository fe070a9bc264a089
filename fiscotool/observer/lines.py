"""One line of a recording as a value: which members it must have, and what they mean. Pure.

Rule 1. What makes a line useless is an UnusableLine with the reason; a member that is not needed and of the wrong type counts as absent.
Rule 2. Hashes and ids become lower-case hex without 0x here, whatever the recording has.

The format is described in docs/observer.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from fiscotool.consistency.observations import EventSeen, FaultSeen, Incarnation, NodeIdentity, RunInfo, Sample, TxSeen
from fiscotool.observer.blocks import ToldBlock, is_block, words_of

_COUNTS: Final = (
    "height",
    "view",
    "change_cycle",
    "leader_index",
    "node_index",
    "connected_count",
    "consensus_height",
    "node_count",
    "quorum_weight",
    "faulty_weight_max",
    "pending_count",
    "to_view",
    "known_height",
)
_FLAGS: Final = ("timeout", "is_syncing")
_OUTCOMES: Final = frozenset({"committed", "refused", "unknown"})
PHASES: Final = ("planned", "injected", "healed")


class UnusableLine(Exception):
    """This line says nothing usable; the message says why."""


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One phase of one fault. `kind`, `node` and `role` are told when it is planned only."""

    fault_id: str
    phase: str
    at_s: float
    line: int
    kind: str
    node: str
    role: str
    detail: str
    confirmed: bool


def seconds(line: dict[str, Any], name: str) -> float:
    """Member `name`, a time; UnusableLine without."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableLine(f"{name} is missing or no number")
    return float(value)


def _text(line: dict[str, Any], name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str) or not value:
        raise UnusableLine(f"{name} is missing or no text")
    return value


def _text_or_empty(line: dict[str, Any], name: str) -> str:
    value = line.get(name, "")
    return value if isinstance(value, str) else ""


def _count_or_none(line: dict[str, Any], name: str) -> int | None:
    value = line.get(name)
    return value if type(value) is int else None


def run_info_of(line: dict[str, Any]) -> RunInfo:
    """The RunInfo in a `run` line; members of the wrong type are left at their defaults."""
    told = line.get("nodes")
    named = (item for item in (told if isinstance(told, list) else []) if isinstance(item, dict) and isinstance(item.get("name"), str))
    nodes = tuple(_identity(item) for item in named)
    values: dict[str, Any] = {}
    for member in fields(RunInfo):
        value = line.get(member.name)
        wanted: tuple[type, ...] = {
            "str": (str,),
            "int": (int,),
            "float": (int, float),
            "float | None": (int, float),
            "dict[str, Any]": (dict,),
        }.get(str(member.type), ())
        if wanted and isinstance(value, wanted) and not isinstance(value, bool):
            values[member.name] = value
    return RunInfo(nodes=nodes, **values)


def _identity(item: dict[str, Any]) -> NodeIdentity:
    texts = {name: _text_or_empty(item, name) for name in ("node_id", "host", "directory", "byzantine")}
    ports = {name: _count_or_none(item, name) or 0 for name in ("rpc_port", "p2p_port", "web3_port")}
    return NodeIdentity(
        name=item["name"],
        node_id=texts["node_id"].lower().removeprefix("0x"),
        host=texts["host"],
        directory=texts["directory"],
        byzantine=texts["byzantine"],
        **ports,
    )


def sample_of(line: dict[str, Any], number: int) -> Sample:
    """A `poll` line."""
    pid, started = line.get("pid"), line.get("started")
    incarnation = None
    if type(pid) is int and isinstance(started, int | float) and not isinstance(started, bool):
        incarnation = Incarnation(pid, float(started))
    values: dict[str, Any] = {name: line[name] for name in _COUNTS if type(line.get(name)) is int}
    values |= {name: line[name] for name in _FLAGS if type(line.get(name)) is bool}
    if isinstance(line.get("block_hash"), str):
        values["block_hash"] = line["block_hash"].lower().removeprefix("0x")
    sent_s, got_s = seconds(line, "sent_s"), seconds(line, "got_s")
    if got_s < sent_s:
        raise UnusableLine("the answer came before the question")
    error = _text_or_empty(line, "error")
    return Sample(_text(line, "node"), sent_s, got_s, number, incarnation, error, **values)


def told_block_of(line: dict[str, Any], number: int) -> tuple[ToldBlock, int | None]:
    """A `block` line, and the height it names. Its `words` are as written, and `told` is empty when they are on another line."""
    told, words = line.get("block"), line.get("words")
    node, seen_s = _text(line, "node"), seconds(line, "seen_s")
    if told is not None:
        if not is_block(told):
            raise UnusableLine("it has no number and hash")
        return ToldBlock(node, seen_s, number, told, words if isinstance(words, str) else words_of(told)), told["number"]
    if not isinstance(words, str):
        raise UnusableLine("it has neither a block nor a reference to one")
    return ToldBlock(node, seen_s, number, {}, words), _count_or_none(line, "number")


def tx_of(line: dict[str, Any], number: int) -> TxSeen:
    """A `tx` line."""
    outcome = line.get("outcome")
    if not isinstance(outcome, str) or outcome not in _OUTCOMES:
        raise UnusableLine(f"the outcome {outcome!r} is none of {', '.join(sorted(_OUTCOMES))}")
    return TxSeen(
        tx_hash=_text(line, "tx_hash").lower().removeprefix("0x"),
        node=_text_or_empty(line, "node"),
        sent_s=seconds(line, "sent_s"),
        got_s=seconds(line, "got_s"),
        line=number,
        outcome=outcome,
        block_number=_count_or_none(line, "block_number"),
        status=_count_or_none(line, "status"),
        error=_text_or_empty(line, "error"),
    )


def event_of(line: dict[str, Any], number: int) -> EventSeen:
    """An `event` line: a line of a node's log."""
    counts = {
        name: _count_or_none(line, name)
        for name in ("height", "view", "to_view", "sender", "weight", "own_index", "own_view", "head", "change_cycle")
    }
    texts = {name: _text_or_empty(line, name) for name in ("digest", "text")}
    return EventSeen(_text(line, "node"), seconds(line, "at_s"), number, _text(line, "event"), **counts, **texts)  # type: ignore[arg-type]


def fault_line_of(line: dict[str, Any], number: int) -> FaultLine:
    """A `fault` line."""
    phase = line.get("phase")
    if not isinstance(phase, str) or phase not in PHASES:
        raise UnusableLine(f"the phase {phase!r} is none of {', '.join(PHASES)}")
    is_planned = phase == "planned"
    return FaultLine(
        fault_id=_text(line, "id"),
        phase=phase,
        at_s=seconds(line, "at_s"),
        line=number,
        kind=_text(line, "fault") if is_planned else "",
        node=_text(line, "node") if is_planned else "",
        role=_text_or_empty(line, "role"),
        detail=_text_or_empty(line, "detail"),
        confirmed=line.get("confirmed", True) is True,
    )


def faults_of(lines: list[FaultLine]) -> tuple[list[FaultSeen], list[str]]:
    """The faults told by these lines, in whatever order they came, and what is wrong with them."""
    faults: list[FaultSeen] = []
    problems: list[str] = []
    for fault_id in dict.fromkeys(line.fault_id for line in lines):
        told = {phase: [line for line in lines if line.fault_id == fault_id and line.phase == phase] for phase in PHASES}
        if not told["planned"]:
            problems.append(f"line {next(iter(told['injected'] or told['healed'])).line}: fault {fault_id} was never planned")
            continue
        planned = told["planned"][0]
        injected = told["injected"][0] if told["injected"] else None
        if injected is None:
            problems.append(f"line {planned.line}: fault {fault_id} on {planned.node} was planned, and nothing says that it was injected")
        details = (line.detail for phase in PHASES for line in told[phase][:1])
        faults.append(
            FaultSeen(
                fault_id=fault_id,
                kind=planned.kind,
                node=planned.node,
                injected_s=injected.at_s if injected else planned.at_s,
                line=injected.line if injected else planned.line,
                healed_s=told["healed"][-1].at_s if told["healed"] else None,
                role=planned.role,
                confirmed=injected is not None and injected.confirmed,
                detail="; ".join(detail for detail in details if detail),
            )
        )
    return faults, problems
