"""Fake 2.x nodes that serve the blocks of a real chain (recordings/v2/headers_all_nodes) up to a height the test sets."""

from __future__ import annotations

import functools
import json
import lzma
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fiscotool.observer.poll import PollTarget
from tests.rpc.fake_server import FakeServer, http_answer, result_answer
from tests.support.shared import shared

GROUP = 1


@functools.cache
def recorded_blocks2(count: int = 30) -> tuple[dict[str, Any], ...]:
    """The first headers of the recorded chain as node 0 told them."""
    blocks: list[dict[str, Any]] = []
    with lzma.open(shared("recordings", "v2", "headers_all_nodes.jsonl.xz"), "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["node"] == 0:
                blocks.append(row["response"]["result"])
            if len(blocks) == count:
                break
    return tuple(blocks)


def error_answer(body: bytes, code: int, message: str) -> bytes:
    """An error as 2.x writes it."""
    error = {"code": code, "data": None, "message": message}
    return http_answer(json.dumps({"error": error, "id": json.loads(body)["id"], "jsonrpc": "2.0"}).encode() + b"\n")


class FakeNode2:
    """One 2.x node: `height`, `view` and so on may be set while it runs."""

    def __init__(self, name: str, index: int, port: int | None = None) -> None:
        self.name = name
        self.index = index
        self.height = 5
        self.view = 3
        self.leader_failed = False
        self.is_starting = False
        self.has_headers = True
        self.asked: list[str] = []
        self.blocks = recorded_blocks2()
        self.server = FakeServer(self._behave, port=port)

    @property
    def target(self) -> PollTarget:
        return PollTarget(self.name, self.server.url, group=str(GROUP))

    def _behave(self, body: bytes, _connection: socket.socket) -> bytes | None:
        asked = json.loads(body)
        method, params = asked["method"], asked["params"]
        self.asked.append(method)
        if self.is_starting:
            return error_answer(body, -40010, "RPC module initialization is incomplete")
        if method == "getClientVersion":
            told = {"FISCO-BCOS Version": "2.9.1", "Supported Version": "2.9.0", "Chain Id": "1"}
            return result_answer(body, told)
        if method == "getGroupList":
            return result_answer(body, [GROUP])
        if params[:1] != [GROUP] or type(params[0]) is not int:
            return error_answer(body, -40001 if type(params[0]) is int else -32602, "GroupID does not exist")
        return self._answer(body, method, params[1:])

    def _answer(self, body: bytes, method: str, params: list[Any]) -> bytes:
        match method:
            case "getBlockNumber":
                return result_answer(body, hex(self.height))
            case "getPbftView":
                return result_answer(body, hex(self.view))
            case "getSyncStatus":
                return result_answer(body, self._sync())
            case "getConsensusStatus":
                return result_answer(body, self._status())
            case "getBlockHeaderByNumber" | "getBlockByNumber":
                return self._block(body, method, params)
        raise AssertionError(method)

    def _block(self, body: bytes, method: str, params: list[Any]) -> bytes:
        assert type(params[0]) is str
        number = int(params[0])
        if not 0 <= number <= self.height < len(self.blocks):
            return error_answer(body, -40004, "BlockNumber does not exist")
        if method == "getBlockHeaderByNumber":
            if not self.has_headers:
                return error_answer(body, -32601, "METHOD_NOT_FOUND: The method being requested is not available on this server")
            return result_answer(body, self.blocks[number])
        told = {**self.blocks[number], "number": hex(number), "transactions": [f"0x{number:064x}"] if number else []}
        if not params[1]:
            del told["signatureList"]
        return result_answer(body, told)

    def _sync(self) -> dict[str, Any]:
        tip = self.blocks[self.height]["hash"][2:]
        return {
            "blockNumber": self.height,
            "genesisHash": self.blocks[0]["hash"][2:],
            "isSyncing": False,
            "knownHighestNumber": self.height,
            "knownLatestHash": tip,
            "latestHash": tip,
            "nodeId": self.blocks[1]["sealerList"][self.index],
            "peers": [],
            "protocolId": 65545,
            "txPoolSize": "2",
        }

    def _status(self) -> list[Any]:
        sealers = self.blocks[1]["sealerList"]
        status = {
            "accountType": 1,
            "allowFutureBlocks": True,
            "cfgErr": False,
            "connectedNodes": 3,
            "consensusedBlockNumber": self.height + 1,
            "currentView": self.view,
            "groupId": GROUP,
            "highestblockHash": self.blocks[self.height]["hash"],
            "highestblockNumber": self.height,
            "leaderFailed": self.leader_failed,
            "max_faulty_leader": 1,
            "nodeId": sealers[self.index],
            "nodeNum": 4,
            "node_index": self.index,
            "omitEmptyBlock": True,
            "protocolId": 65544,
            "toView": self.view + int(self.leader_failed),
        }
        return [status | {f"sealer.{place}": node_id for place, node_id in enumerate(sealers)}, [{"nodeId": sealers[0], "view": 0}]]

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def fake_nodes2(count: int = 4) -> Iterator[list[FakeNode2]]:
    """Some 2.x nodes for the length of a block."""
    nodes = [FakeNode2(f"node{index}", index) for index in range(count)]
    try:
        yield nodes
    finally:
        for node in nodes:
            node.stop()
