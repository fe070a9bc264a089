"""What observing four nodes ten times a second costs, in percent of one core. Goal: at most 5 %.

    python bench/observe_cpu.py [--every-ms 100] [--for-s 10] [--blocks-per-s 2]

The nodes are one other process that answers as a real node does (a consensus status of four sealers, blocks with signatures).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httptools
import orjson
import uvloop

from fiscotool.consistency.observations import Incarnation, NodeIdentity, RunInfo
from fiscotool.observer.poll import Poller, PollTarget
from fiscotool.observer.recording import RecordingWriter, load_recording

IDS = [f"{index:02x}" * 64 for index in range(4)]


def status(height: int) -> str:
    """The text inside getConsensusStatus."""
    nodes = [{"index": index, "nodeID": node_id, "termWeight": 0, "weight": 1} for index, node_id in enumerate(IDS)]
    told = {
        "blockNumber": height,
        "changeCycle": 0,
        "connectedNodeList": 4,
        "consensusNodeList": nodes,
        "consensusNodesNum": 4,
        "hash": "ab" * 32,
        "index": 1,
        "isConsensusNode": True,
        "leaderIndex": 0,
        "maxFaultyQuorum": 1,
        "minRequiredQuorum": 3,
        "nodeID": IDS[1],
        "timeout": False,
        "view": 3,
    }
    return json.dumps(told) + "\n"


def sync(height: int) -> str:
    """The text inside getSyncStatus."""
    peers = [
        {"archivedBlockNumber": 0, "blockNumber": height, "genesisHash": "cd" * 32, "latestHash": "ab" * 32, "nodeID": node_id}
        for node_id in IDS[1:]
    ]
    return (
        json.dumps({"blockNumber": height, "isSyncing": False, "knownHighestNumber": height, "latestHash": "ab" * 32, "peers": peers})
        + "\n"
    )


def block(number: int, tx_count: int) -> dict[str, Any]:
    """A block as told."""
    return {
        "consensusWeights": [1, 1, 1, 1],
        "extraData": "0x",
        "gasUsed": "21000",
        "hash": f"0x{number:064x}",
        "number": number,
        "parentInfo": [{"blockHash": f"0x{number - 1:064x}", "blockNumber": number - 1}],
        "receiptsRoot": "0x" + "11" * 32,
        "sealer": number % 4,
        "sealerList": [f"0x{node_id}" for node_id in IDS],
        "signatureList": [{"sealerIndex": index, "signature": "0x" + "22" * 65} for index in range(3)],
        "stateRoot": "0x" + "33" * 32,
        "timestamp": 1795236781637,
        "txsRoot": "0x" + "44" * 32,
        "version": 51380224,
        "transactions": [f"0x{number:032x}{index:032x}" for index in range(tx_count)],
    }


class Node(asyncio.Protocol):
    """Answers polls."""

    began_s = 0.0
    blocks_per_s = 2.0
    tx_count = 100

    def connection_made(self, transport: Any) -> None:
        """A poller came."""
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """The question."""
        asked = orjson.loads(body)
        height = int((time.monotonic() - Node.began_s) * Node.blocks_per_s)
        results = {
            "getBlockNumber": height,
            "getPbftView": 3,
            "getPendingTxSize": 0,
            "getConsensusStatus": status(height),
            "getSyncStatus": sync(height),
        }
        method = asked["method"]
        result = results[method] if method in results else block(asked["params"][2], Node.tx_count)
        answer = orjson.dumps({"id": asked["id"], "jsonrpc": "2.0", "result": result})
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))


def serve(listeners: list[socket.socket], blocks_per_s: float) -> None:
    """The nodes' process."""

    async def work() -> None:
        Node.began_s, Node.blocks_per_s = time.monotonic(), blocks_per_s
        loop = asyncio.get_running_loop()
        for listener in listeners:
            await loop.create_server(Node, sock=listener)
        await asyncio.Event().wait()

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(work())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every-ms", type=float, default=100.0)
    parser.add_argument("--for-s", type=float, default=10.0)
    parser.add_argument("--blocks-per-s", type=float, default=2.0)
    given = parser.parse_args()
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listeners, given.blocks_per_s), daemon=True)
    process.start()
    targets = [PollTarget(f"node{index}", f"http://127.0.0.1:{listener.getsockname()[1]}") for index, listener in enumerate(listeners)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.jsonl"
            with RecordingWriter(path) as writer:
                writer.run(RunInfo(nodes=tuple(NodeIdentity(target.name, "") for target in targets)))
                with Poller(targets, given.every_ms / 1e3, writer, lambda _name: Incarnation(1, 1.0)):
                    began_s, cpu_began_s = time.monotonic(), time.process_time()
                    threading.Event().wait(given.for_s)
                    elapsed_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_began_s
            seen = load_recording(path)
            polls = len(seen.samples)
            written_kib_s = path.stat().st_size / elapsed_s / 1024
            print(
                f"observing 4 nodes every {given.every_ms:g} ms: {100 * cpu_s / elapsed_s:.1f} % of a core, {polls} polls, "
                f"{1e6 * cpu_s / max(1, polls):.0f} µs a poll, {len(seen.blocks)} blocks, {written_kib_s:.0f} KiB/s, "
                f"{sum(bool(sample.error) for sample in seen.samples)} errors"
            )
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
