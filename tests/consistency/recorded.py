"""The recorded timelines of real chains as Observations. Hashes and signatures of these headers were verified when they were recorded."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fiscotool.consistency.observations import (
    BlockSeen,
    FaultSeen,
    Incarnation,
    NodeIdentity,
    Observations,
    RunInfo,
    Sample,
    SignatureSeen,
    TxSeen,
)

KINDS = {"SIGKILL": "kill", "SIGSTOP": "pause"}


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            yield number, json.loads(line)


def clean(value: str) -> str:
    return value.lower().removeprefix("0x")


def headers(path: Path) -> list[dict[str, Any]]:
    return [row | {"line": line} for line, row in rows(path) if "result" in row.get("response", {})]


def load(timeline: Path, told: list[dict[str, Any]]) -> Observations:
    reader = _Reader()
    told_rows = list(rows(timeline))
    # Which process answered is known only from the events, some of which are written after its first answers.
    for line, row in sorted(told_rows, key=lambda each: "method" in each[1]):
        reader.read(line, row)
    txs = reader.transactions(timeline.with_name(timeline.name.replace(".jsonl", ".txs.jsonl")))
    heights = [s.height for s in reader.samples if s.height]
    low, high = min(heights, default=0), max(heights, default=0)
    end_s = max(s.got_s for s in reader.samples)
    blocks = tuple(block(row, end_s) for row in told if max(0, low - 60) <= row["height"] <= high)
    return Observations(
        run=RunInfo(
            nodes=tuple(NodeIdentity(f"node{k}", v) for k, v in reader.ids.items()), started_epoch_s=reader.start_s, drill=timeline.stem
        ),
        samples=tuple(sorted(reader.samples, key=lambda s: s.sent_s)),
        blocks=blocks,
        txs=txs,
        faults=tuple(reader.faults),
        ended_s=end_s,
    )


def block(row: dict[str, Any], seen_s: float) -> BlockSeen:
    header = row["response"]["result"]
    parents = header["parentInfo"]
    return BlockSeen(
        node=f"node{row['node']}",
        seen_s=seen_s,
        line=row["line"],
        number=header["number"],
        block_hash=clean(header["hash"]),
        recomputed_hash=clean(header["hash"]),
        parent_number=parents[0]["blockNumber"] if parents else None,
        parent_hash=clean(parents[0]["blockHash"]) if parents else "",
        sealer=header["sealer"],
        sealer_list=tuple(clean(each) for each in header["sealerList"]),
        weights=tuple(header["consensusWeights"]),
        signatures=tuple(SignatureSeen(each["sealerIndex"], is_valid=True) for each in header["signatureList"]),
        timestamp_ms=header["timestamp"],
        tx_hashes=(),
        txs_root=clean(header["txsRoot"]),
        receipts_root=clean(header["receiptsRoot"]),
        state_root=clean(header["stateRoot"]),
        gas_used=header["gasUsed"],
        tx_hashes_known=False,
    )


class _Reader:
    def __init__(self) -> None:
        self.start_s = 0.0
        self.ids: dict[str, str] = {}
        self.pids: dict[int, list[tuple[float, int]]] = {}
        self.samples: list[Sample] = []
        self.faults: list[FaultSeen] = []

    def read(self, line: int, row: dict[str, Any]) -> None:
        at_s = row["t"] - self.start_s
        if "method" in row:
            self.samples.append(self._sample(line, row, at_s))
            return
        event, node = row["event"], int(row.get("node") or 0)
        if event == "begin":
            self.start_s, self.ids = row["t"], {k: v for k, v in row["node_ids"].items() if v}
            for key, pid in (row.get("pids") or {}).items():
                self.pids[int(key)] = [(0.0, pid or 0)]
        elif event.startswith("signal SIGCONT") or event == "start.sh begin":
            self._heal(node, at_s)
        elif event == "start.sh end":
            self._heal(node, at_s)
            self.pids.setdefault(node, []).append((at_s - 2.0, row.get("pid") or 0))
        elif event.startswith("signal "):
            self._fault(line, node, KINDS[event.split()[1]], at_s)
        elif event == "stop.sh begin":
            self._fault(line, node, "stop", at_s)
        elif event == "moved data dir away":
            self._heal(node, at_s)
            self._fault(line, node, "wipe", at_s)
        elif event == "stop_all.sh begin":
            for key in self.ids:
                self._fault(line, int(key), "stop", at_s)
        elif event == "start_all.sh end":
            for key, pid in row["pids"].items():
                self._heal(int(key), at_s)
                self.pids[int(key)].append((at_s - 2.0, pid))

    def _fault(self, line: int, node: int, kind: str, at_s: float) -> None:
        self.faults.append(FaultSeen(f"{kind}-{line}-{node}", kind, f"node{node}", at_s, line))

    def _heal(self, node: int, at_s: float) -> None:
        for index in reversed(range(len(self.faults))):
            fault = self.faults[index]
            if fault.node == f"node{node}" and (fault.healed_s is None or fault.healed_s > at_s - 3.0):
                self.faults[index] = FaultSeen(fault.fault_id, fault.kind, fault.node, fault.injected_s, fault.line, at_s)
                return

    def _sample(self, line: int, row: dict[str, Any], at_s: float) -> Sample:
        node = f"node{row['node']}"
        got_s = at_s + row["ms"] / 1000
        result = (row.get("response") or {}).get("result")
        if result is None:
            return Sample(node, at_s, got_s, line, error=row.get("error") or str(row.get("response")))
        started = [each for each in self.pids.get(row["node"], []) if each[0] <= at_s]
        life = Incarnation(started[-1][1], started[-1][0]) if started else None
        if row["method"] == "getPbftView":
            return Sample(node, at_s, got_s, line, life, view=result)
        if row["method"] == "getBlockNumber":
            return Sample(node, at_s, got_s, line, life, height=result)
        status = json.loads(result)
        return Sample(
            node,
            at_s,
            got_s,
            line,
            life,
            block_hash=status["hash"],
            consensus_height=status["blockNumber"],
            timeout=status["timeout"],
            change_cycle=status["changeCycle"],
            leader_index=status["leaderIndex"],
            node_index=status["index"],
            connected_count=status["connectedNodeList"],
            node_count=status["consensusNodesNum"],
            quorum_weight=status["minRequiredQuorum"],
            faulty_weight_max=status["maxFaultyQuorum"],
        )

    def transactions(self, path: Path) -> tuple[TxSeen, ...]:
        if not path.exists():
            return ()
        found = []
        for line, row in rows(path):
            at_s = row["t"] - self.start_s
            result = ((row.get("response") or {}).get("result")) or None
            outcome = "committed" if result else ("refused" if row.get("response") else "unknown")
            found.append(
                TxSeen(
                    clean(row["hash"]),
                    f"node{row['node']}",
                    at_s,
                    at_s + row["ms"] / 1000,
                    line,
                    outcome,
                    result["blockNumber"] if result else None,
                    result["status"] if result else None,
                    str(row.get("error") or ""),
                )
            )
        return tuple(found)
