"""Reads timelines of real 2.x chains recorded by another observer (recordings/v2/timeline) as observations, so that they can be judged.

A timeline is JSON Lines. `ev: begin` says which sealer each node is and its pid; `poll`: view, number and consensus status of one node,
asked one after the other from `t` on, each with its milliseconds, up to the first that failed (`_neterr`); `fault`: what was done (kill9,
sigstop, sigcont, start, stopall, startall) from `t` to `t_done`; `tx`: a sendRawTransaction and its answer; `end`. The headers of all nodes
were read after all timelines and are in headers_all_nodes.jsonl.xz.

Rule 1. Every question is a sample of its own, with its own times: nothing is put together that was not asked together.
Rule 2. A life of a process lasts from one start to the next; whoever recorded started every process, so that no other lives exist.
Rule 3. sendRawTransaction answers when the pool has a transaction: what became of it is unknown, unless a block lists it.

Source: recordings/README.md.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from fiscotool.consistency.observations import BlockSeen, FaultSeen, Incarnation, NodeIdentity, Observations, RunInfo, Sample, TxSeen
from fiscotool.errors import UsageError
from fiscotool.observer.blocks import BlockReader, ToldBlock, is_block, words_of
from fiscotool.observer.foreign import kind_of, name_of, passed_through, rows_of
from fiscotool.observer.questions import Values, WrongShape, read_consensus2
from fiscotool.rpc.members import UnexpectedShape, as_quantity

_KINDS: Final = {"kill9": "kill", "sigstop": "pause", "stop": "stop"}
_HEALS: Final = ("start", "sigcont")
_ACTION: Final = re.compile(r"(?P<what>\w+)(?:=(?P<role>\w*)@\w+)?")
_POLLED: Final = (("view", "view"), ("number", "height"), ("consensus", ""))


@dataclass(slots=True)
class _Timeline:
    """A timeline while it is read; times are seconds since its first `begin`."""

    began_epoch_s: float
    begin: dict[str, Any]
    polls: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    faults: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    txs: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    ended_s: float | None = None

    def at(self, epoch_s: float) -> float:
        """A wall-clock time as seconds since the beginning."""
        return epoch_s - self.began_epoch_s


def load_timeline2(path: Path, blocks: Iterable[BlockSeen] = ()) -> Observations:
    """The observations in one timeline, with those of `blocks` (load_headers2) whose heights it passed through.

    Raises UsageError when it is not such a timeline.
    """
    timeline = _read(path)
    lives = _lives(timeline)
    samples = sorted(
        (sample for number, row in timeline.polls for sample in _samples(timeline, number, row, lives)),
        key=lambda sample: (sample.sent_s, sample.line),
    )
    ended_s = timeline.ended_s if timeline.ended_s is not None else max((sample.got_s for sample in samples), default=0.0)
    return Observations(
        run=_run_info(timeline, path),
        samples=tuple(samples),
        blocks=tuple(passed_through(blocks, samples, ended_s)),
        txs=tuple(sorted((_tx(timeline, number, row) for number, row in timeline.txs), key=lambda tx: (tx.sent_s, tx.line))),
        faults=tuple(sorted(_faults(timeline), key=lambda fault: (fault.injected_s, fault.line))),
        ended_s=ended_s,
    )


def _read(path: Path) -> _Timeline:
    timeline: _Timeline | None = None
    for number, row in rows_of(path):
        what = row.get("ev")
        if what == "begin" and isinstance(row.get("sealer_index_of_node"), dict):
            timeline = _Timeline(row["t"], row)
        elif timeline is None:
            if what != "machine":
                break
        elif what in ("poll", "fault", "tx"):
            {"poll": timeline.polls, "fault": timeline.faults, "tx": timeline.txs}[what].append((number, row))
        elif what == "end":
            timeline.ended_s = timeline.at(row["t"])
    if timeline is None:
        raise UsageError(f"{path} is not a timeline of a 2.x chain: it does not begin with what it is about")
    return timeline


def _run_info(timeline: _Timeline, path: Path) -> RunInfo:
    ids: dict[int, str] = {}
    for _, row in timeline.polls:
        told = row.get("consensus")
        if isinstance(told, list) and row["node"] not in ids:
            ids[row["node"]] = str(told[0].get("nodeId", ""))
    nodes = tuple(NodeIdentity(name_of(int(index)), ids.get(int(index), "")) for index in sorted(timeline.begin["sealer_index_of_node"]))
    drill = path.name.partition(".")[0]
    return RunInfo(nodes, "1", "1", "fisco", "2.9.1", drill=drill, started_epoch_s=timeline.began_epoch_s, generation=2)


# Lives and samples

_Lives = dict[int, tuple[list[float], list[Incarnation]]]


def _lives(timeline: _Timeline) -> _Lives:
    lives: _Lives = {int(index): ([0.0], [Incarnation(pid or 0, 0.0)]) for index, pid in timeline.begin["pids"].items()}
    for _, row in timeline.faults:
        what, _ = _action(row)
        started: dict[str, int] = row["pids"] if what == "startall" else ({str(row["node"]): row["pid"]} if what == "start" else {})
        for index, pid in started.items():
            starts, incarnations = lives[int(index)]
            starts.append(timeline.at(row["t"]))
            incarnations.append(Incarnation(pid, row["t"]))
    return lives


def _samples(timeline: _Timeline, line: int, row: dict[str, Any], lives: _Lives) -> Iterator[Sample]:
    sent_s = timeline.at(row["t"])
    starts, incarnations = lives[row["node"]]
    for told_name, value_name in _POLLED:
        if told_name not in row:
            return
        told, got_s = row[told_name], sent_s + row.get(f"{told_name}_ms", 0.0) / 1e3
        error, values = "", {}
        if isinstance(told, dict) and "_neterr" in told:
            error = kind_of(str(told["_neterr"]))
        else:
            try:
                values = _values(value_name, told)
            except (UnexpectedShape, WrongShape) as problem:
                error = f"malformed: {problem}"
        life = None if error else incarnations[bisect_right(starts, sent_s) - 1]
        yield Sample(name_of(row["node"]), sent_s, got_s, line, life, error, **values)
        sent_s = got_s


def _values(name: str, told: Any) -> Values:
    return {name: as_quantity(told, name)} if name else read_consensus2(told)


# Faults and transactions


def _action(row: dict[str, Any]) -> tuple[str, str]:
    """What was done, and to which role."""
    found = _ACTION.fullmatch(str(row.get("action", "")))
    return (found["what"], found["role"] or "") if found else ("", "")


def _faults(timeline: _Timeline) -> list[FaultSeen]:
    open_faults: dict[int, FaultSeen] = {}
    done: list[FaultSeen] = []
    everyone = [int(index) for index in timeline.begin["sealer_index_of_node"]]
    for index, pid in timeline.begin["pids"].items():
        if pid is None:
            fault_id = f"crash-{name_of(int(index))}"
            open_faults[int(index)] = FaultSeen(
                fault_id, "crash", name_of(int(index)), 0.0, 1, detail="it was dead before the timeline began"
            )
    for line, row in timeline.faults:
        what, role = _action(row)
        at_s = timeline.at(row.get("t_done", row["t"]))
        if what in _HEALS or what == "startall":
            healed = [node for node in (everyone if what == "startall" else [row["node"]]) if node in open_faults]
            done += [replace(open_faults.pop(node), healed_s=at_s) for node in healed]
        else:
            kind = "stop" if what == "stopall" else _KINDS.get(what, what)
            for node in everyone if what == "stopall" else [row["node"]]:
                name = name_of(node)
                open_faults[node] = FaultSeen(
                    f"{kind}-{name}-{line}", kind, name, at_s, line, role=role, detail=str(row.get("signal", what))
                )
    return done + list(open_faults.values())


def _tx(timeline: _Timeline, line: int, row: dict[str, Any]) -> TxSeen:
    error = kind_of(str(row["err"].get("_neterr", row["err"]))) if isinstance(row.get("err"), dict) else ""
    sent_s = timeline.at(row["t"])
    return TxSeen(
        tx_hash=str(row.get("hash", f"unknown-{line}")).lower().removeprefix("0x"),
        node=name_of(row["node"]),
        sent_s=sent_s,
        got_s=sent_s + row["ms"] / 1e3,
        line=line,
        outcome="refused" if error.startswith("refused") else "unknown",
        error=error,
    )


# Blocks


def load_headers2(headers: Path, full_blocks: Path | None = None) -> tuple[BlockSeen, ...]:
    """Every block in a headers file (one line a node and height), with hashes and signatures computed.

    `full_blocks`: a file of whole blocks; where a block of this hash is in it, its transactions are known.
    """
    listed: dict[str, list[Any]] = {}
    if full_blocks is not None:
        for _, row in rows_of(full_blocks):
            block = row["block"]["result"]
            listed[block["hash"]] = [item["hash"] if isinstance(item, dict) else item for item in block["transactions"]]
    told: list[ToldBlock] = []
    for number, row in rows_of(headers):
        header = row["response"].get("result")
        if is_block(header):
            block = header | ({"transactions": listed[header["hash"]]} if header["hash"] in listed else {})
            told.append(ToldBlock(name_of(row["node"]), 0.0, number, block, words_of(block)))
    return BlockReader().read_all(told)
