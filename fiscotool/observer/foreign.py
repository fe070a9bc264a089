"""Reads timelines of real chains recorded by another observer (recordings/v3/timeline) as observations, so that they can be judged.

A timeline is JSON Lines, one question a line: `t` (wall-clock second of the request), `ms` until its answer, `node` (a number), `method`,
and `response` or `error`. Lines with `event` say what was done: begin, signal SIGKILL | SIGSTOP | SIGCONT, start.sh, stop.sh, start_all.sh
and stop_all.sh (each with begin and end), "moved data dir away", leader, end. Beside it may lie `<name>.txs.jsonl.xz`: each transaction
with its answer. The blocks of all nodes were read after all timelines and are in headers_all_nodes.jsonl.xz.

Rule 1. Every question is a sample of its own, with its own times: nothing is put together that was not asked together.
Rule 2. A life of a process lasts from one start.sh to the next; whoever recorded started every process, so that no other lives exist.
Rule 3. A fault has taken effect when the signal was sent or the stop script had ended, and is healed when the start script has ended.

Source: recordings/README.md and v3/OBSERVED.md.
"""

from __future__ import annotations

import lzma
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import orjson

from fiscotool.consistency.observations import (
    BlockSeen,
    FaultSeen,
    Incarnation,
    NodeIdentity,
    Observations,
    RunInfo,
    Sample,
    TxSeen,
)
from fiscotool.errors import UsageError
from fiscotool.observer.blocks import BlockReader, ToldBlock, is_block, words_of
from fiscotool.observer.questions import Values, WrongShape, read_consensus
from fiscotool.rpc.aio.lane import judge_answer

_NOT_SENT: Final = ("ConnectionRefusedError",)
_SAMPLED: Final = {"getBlockNumber": "height", "getPbftView": "view"}


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line. Raises UsageError."""
    try:
        with lzma.open(path, "rb") if path.suffix == ".xz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield number, orjson.loads(line)
    except (OSError, EOFError, lzma.LZMAError, orjson.JSONDecodeError) as problem:
        raise UsageError(f"{path} cannot be read as a timeline: {problem}", hint="it must be JSON Lines, plain or .xz") from problem


def name_of(node: int) -> str:
    """The name of the node with this number."""
    return f"node{node}"


@dataclass(slots=True)
class _Timeline:
    """A timeline while it is read; times are seconds since its first line."""

    began_epoch_s: float
    events: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)
    questions: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)

    def at(self, epoch_s: float) -> float:
        """A wall-clock time as seconds since the beginning."""
        return epoch_s - self.began_epoch_s


def load_timeline(path: Path, blocks: Iterable[BlockSeen] = ()) -> Observations:
    """The observations in one timeline, with those of `blocks` (load_headers) whose heights it passed through.

    Raises UsageError when it is not such a timeline.
    """
    timeline: _Timeline | None = None
    for number, row in rows_of(path):
        if timeline is None:
            if row.get("event") != "begin" or not isinstance(row.get("node_ids"), dict):
                raise UsageError(f"{path} is not a timeline: it does not begin with what it is about")
            timeline = _Timeline(row["t"])
        (timeline.events if "event" in row else timeline.questions).append((timeline.at(row["t"]), number, row))
    if timeline is None:
        raise UsageError(f"{path} is empty")
    timeline.events.sort(key=lambda item: (item[0], item[1]))
    lives = _lives(timeline)
    samples = sorted((_sample(item, lives) for item in timeline.questions), key=lambda sample: (sample.sent_s, sample.line))
    ended_s = max(event[0] for event in timeline.events)
    return Observations(
        run=_run_info(timeline),
        samples=tuple(samples),
        blocks=tuple(passed_through(blocks, samples, ended_s)),
        txs=_txs(path, timeline),
        faults=tuple(sorted(_faults(timeline), key=lambda fault: (fault.injected_s, fault.line))),
        ended_s=ended_s,
    )


def _run_info(timeline: _Timeline) -> RunInfo:
    begin = timeline.events[0][2]
    nodes = tuple(NodeIdentity(name_of(int(index)), node_id) for index, node_id in sorted(begin["node_ids"].items()))
    return RunInfo(nodes, "chain0", "group0", "fisco", "3.16.4", drill=str(begin.get("drill", "")), started_epoch_s=timeline.began_epoch_s)


# Lives and samples

_Lives = dict[int, tuple[list[float], list[Incarnation | None]]]


def _lives(timeline: _Timeline) -> _Lives:
    """For every node the times its lives begin, and the lives. A pid that was not recorded is 0: it is one life all the same (Rule 2)."""
    begin = timeline.events[0][2]
    pids = begin.get("pids", dict.fromkeys(begin["node_ids"], 0))
    lives: _Lives = {
        int(index): ([0.0], [None if pids.get(index) is None else Incarnation(pids[index], 0.0)]) for index in begin["node_ids"]
    }
    started_s: dict[int, float] = {}
    for at_s, _, event in timeline.events:
        if event["event"] == "start.sh begin":
            started_s[event["node"]] = at_s
        elif event["event"] == "start_all.sh begin":
            started_s.update(dict.fromkeys(lives, at_s))
        ended = event["pids"] if event["event"] == "start_all.sh end" else {}
        if event["event"] == "start.sh end":
            ended = {str(event["node"]): event["pid"]}
        for index, pid in ended.items():
            starts, incarnations = lives.setdefault(int(index), ([0.0], [None]))
            starts.append(started_s[int(index)])
            incarnations.append(Incarnation(pid, timeline.began_epoch_s + started_s[int(index)]))
    return lives


def _sample(question: tuple[float, int, dict[str, Any]], lives: _Lives) -> Sample:
    sent_s, line, row = question
    values: Values = {}
    error = str(row.get("error") or "")
    response = row.get("response")
    if not error:
        try:
            values = _values(row["method"], response["result"]) if isinstance(response, dict) and "result" in response else {}
        except WrongShape as problem:
            error = f"malformed: {problem}"
        error = error or ("" if values else f"error: {response}"[:200])
    starts, incarnations = lives.get(row["node"], ([0.0], [None]))
    life = None if error else incarnations[bisect_right(starts, sent_s) - 1]
    return Sample(name_of(row["node"]), sent_s, sent_s + row["ms"] / 1e3, line, life, kind_of(error), **values)


def _values(method: str, result: Any) -> Values:
    if method == "getConsensusStatus":
        return read_consensus(result)
    name = _SAMPLED.get(method)
    if name is None or type(result) is not int:
        raise WrongShape(f"{method}: {str(result)[:60]}")
    return {name: result}


def kind_of(error: str) -> str:
    """The recorder's words for a failure in ours."""
    for start, kind in (("ConnectionRefusedError", "refused"), ("TimeoutError", "timeout"), ("ConnectionResetError", "closed")):
        if error.startswith(start):
            return f"{kind}: {error}"
    return error


# Faults


def _faults(timeline: _Timeline) -> list[FaultSeen]:
    open_faults: dict[int, FaultSeen] = {}
    done: list[FaultSeen] = []
    begin = timeline.events[0][2]
    leader: int | None = None

    def inject(kind: str, node: int, at_s: float, line: int, detail: str) -> None:
        role = "" if leader is None else ("leader" if node == leader else "follower")
        open_faults[node] = FaultSeen(f"{kind}-{name_of(node)}-{line}", kind, name_of(node), at_s, line, role=role, detail=detail)

    def heal(node: int, at_s: float) -> None:
        if node in open_faults:
            done.append(replace(open_faults.pop(node), healed_s=at_s))

    everyone = [int(index) for index in begin["node_ids"]]
    for index, pid in begin.get("pids", {}).items():
        if pid is None:
            inject("crash", int(index), 0.0, 1, "it was dead before the timeline began")
    for at_s, line, event in timeline.events:
        match event["event"]:
            case "leader":
                leader = event["node"]
            case "signal SIGKILL":
                inject("kill", event["node"], at_s, line, f"pid {event['pid']}")
            case "signal SIGSTOP":
                inject("pause", event["node"], at_s, line, f"pid {event['pid']}")
            case "stop.sh end":
                inject("stop", event["node"], at_s, line, "stop.sh")
            case "moved data dir away":
                inject("wipe", event["node"], at_s, line, "stopped, data directory removed")
            case "stop_all.sh end":
                for node in everyone:
                    inject("stop", node, at_s, line, "stop_all.sh")
            case "start.sh end" | "signal SIGCONT":
                heal(event["node"], at_s)
            case "start_all.sh end":
                for node in everyone:
                    heal(node, at_s)
    return done + list(open_faults.values())


# Transactions


def _txs(path: Path, timeline: _Timeline) -> tuple[TxSeen, ...]:
    beside = path.with_name(path.name.replace(".jsonl", ".txs.jsonl"))
    if beside == path or not beside.exists():
        return ()
    found = [_tx(number, row, timeline.at(row["t"])) for number, row in rows_of(beside)]
    return tuple(sorted(found, key=lambda tx: (tx.sent_s, tx.line)))


def _tx(number: int, row: dict[str, Any], sent_s: float) -> TxSeen:
    error = str(row.get("error") or "")
    if error:
        outcome, block_number, status = ("refused" if error.startswith(_NOT_SENT) else "unknown"), None, None
    else:
        outcome, block_number, status, _, error = judge_answer(orjson.dumps(row["response"]))
    return TxSeen(
        tx_hash=row["hash"].lower().removeprefix("0x"),
        node=name_of(row["node"]),
        sent_s=sent_s,
        got_s=sent_s + row["ms"] / 1e3,
        line=number,
        outcome=outcome,
        block_number=block_number,
        status=status,
        error=error,
    )


# Blocks


def load_headers(headers: Path, full_blocks: Path | None = None) -> tuple[BlockSeen, ...]:
    """Every block in a headers file (one line a node and height), with hashes and signatures computed.

    `full_blocks`: a file of whole blocks; where a node's block is in it, its transactions are known.
    """
    whole: dict[tuple[int, int], dict[str, Any]] = {}
    if full_blocks is not None:
        whole = {(row["node"], row["height"]): row["block"].get("result") for _, row in rows_of(full_blocks)}
    told: list[ToldBlock] = []
    for number, row in rows_of(headers):
        block = whole.get((row["node"], row["height"])) or row["response"].get("result")
        if is_block(block):
            told.append(ToldBlock(name_of(row["node"]), 0.0, number, block, words_of(block)))
    return BlockReader().read_all(told)


def passed_through(blocks: Iterable[BlockSeen], samples: list[Sample], ended_s: float) -> Iterator[BlockSeen]:
    """The blocks from one below the lowest height sampled to the highest; they were read after the end."""
    heights = [height for sample in samples for height in (sample.height, sample.consensus_height) if height is not None]
    if heights:
        low, high = min(heights) - 1, max(heights)
        for block in blocks:
            if low <= block.number <= high:
                yield replace(block, seen_s=ended_s)
