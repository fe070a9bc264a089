"""Fake nodes that serve the blocks of a real chain (recordings/v3/headers_all_nodes) up to a height the test sets."""

from __future__ import annotations

import functools
import json
import lzma
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fiscotool.observer.poll import PollTarget
from tests.rpc.fake_server import FakeServer, http_answer, result_answer
from tests.support.shared import shared


@functools.cache
def recorded_blocks(count: int = 60) -> tuple[dict[str, Any], ...]:
    """The first blocks of the recorded chain as node 0 told them, with a made-up (empty) transaction list."""
    blocks: list[dict[str, Any]] = []
    with lzma.open(shared("recordings", "v3", "headers_all_nodes.jsonl.xz"), "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["node"] == 0:
                blocks.append(row["response"]["result"] | {"transactions": []})
            if len(blocks) == count:
                break
    return tuple(blocks)


class FakeNode:
    """One node: `height`, `view` and so on may be set while it runs. `mode`: ok, silent, garbage, page, error."""

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.height = 5
        self.view = 3
        self.timeout = False
        self.mode = "ok"
        self.asked: list[str] = []
        self.blocks = recorded_blocks()
        self.let_go = threading.Event()
        self.server = FakeServer(self._behave)

    @property
    def target(self) -> PollTarget:
        return PollTarget(self.name, self.server.url)

    def _behave(self, body: bytes, connection: socket.socket) -> bytes | None:
        request = json.loads(body)
        self.asked.append(request["method"])
        if self.mode == "silent":
            self.let_go.wait(30)
            return None
        if self.mode == "garbage":
            connection.sendall(b"\x00\x01\x02 what is this\r\n\r\n")
            connection.shutdown(socket.SHUT_RDWR)
            return None
        if self.mode == "page":
            return http_answer(b"<html><title>hi</title></html>", content_type="text/html")
        if self.mode == "error":
            error = {"code": -32004, "message": "ServiceNotInitCompleted"}
            return http_answer(json.dumps({"id": request["id"], "jsonrpc": "2.0", "error": error}).encode())
        return self._answer(body, request)

    def _answer(self, body: bytes, request: dict[str, Any]) -> bytes:
        match request["method"]:
            case "getBlockNumber":
                return result_answer(body, self.height)
            case "getPbftView":
                return result_answer(body, self.view)
            case "getPendingTxSize":
                return result_answer(body, 0)
            case "getSyncStatus":
                return result_answer(body, json.dumps({"isSyncing": False, "blockNumber": self.height}) + "\n")
            case "getConsensusStatus":
                return result_answer(body, json.dumps(self._status()) + "\n")
            case "getBlockByNumber":
                number = request["params"][2]
                if 0 <= number <= self.height < len(self.blocks):
                    return result_answer(body, self.blocks[number])
                error = {"code": 3006, "message": "Get block failed with errors!"}
                return http_answer(json.dumps({"id": request["id"], "jsonrpc": "2.0", "error": error}).encode())
        raise AssertionError(request["method"])

    def _status(self) -> dict[str, Any]:
        return {
            "nodeID": "ab" * 64,
            "index": self.index,
            "leaderIndex": (self.view + self.height + 1) % 4,
            "consensusNodesNum": 4,
            "maxFaultyQuorum": 1,
            "minRequiredQuorum": 3,
            "isConsensusNode": True,
            "blockNumber": self.height,
            "hash": self.blocks[min(self.height, len(self.blocks) - 1)]["hash"][2:],
            "timeout": self.timeout,
            "changeCycle": 0,
            "view": self.view,
            "connectedNodeList": 4,
            "consensusNodeList": [],
        }

    def stop(self) -> None:
        self.let_go.set()
        self.server.stop()


@contextmanager
def fake_nodes(count: int = 4) -> Iterator[list[FakeNode]]:
    nodes = [FakeNode(f"node{index}", index) for index in range(count)]
    try:
        yield nodes
    finally:
        for node in nodes:
            node.stop()
