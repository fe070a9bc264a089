"""A chain of recorded blocks behind real sockets: each node answers what the recording says of it, or what a test makes of it."""

from __future__ import annotations

import json
import lzma
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fiscotool.observer.audit_words import NodeAddress
from tests.rpc.fake_server import FakeServer, http_answer, serving
from tests.support.shared import shared

Block = dict[str, Any]


@cache
def _rows(*parts: str) -> tuple[dict[str, Any], ...]:
    with lzma.open(shared("recordings", *parts), "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)


@dataclass
class ReplayedNode:
    """One node's blocks and receipts by height and hash. Tests may change them, or set `is_silent`."""

    name: str
    generation: str
    blocks: dict[int, Block]
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    genesis_hash: str = ""
    version: str = "2.9.0"
    kind: str = ""
    silent_from: int | None = None
    frozen_from: int | None = None
    claims_height: int = 0
    pause_s: float = 0.0
    thawed: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    @property
    def height(self) -> int:
        """Height of the chain."""
        return max(self.claims_height, *self.blocks)

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result; a dict with code and message under "error" for a refusal."""
        self.asked.append(method)
        return (self._answer2 if self.generation == "v2" else self._answer3)(method, params)

    def _answer2(self, method: str, params: list[Any]) -> Any:
        match method:
            case "getClientVersion":
                told = {"FISCO-BCOS Version": f"2.9.1{self.kind}", "Supported Version": self.version, "Chain Id": "1"}
                return told | {"Build Time": "", "Build Type": "", "Git Branch": "", "Git Commit Hash": ""}
            case "getConsensusStatus":
                rows = _rows("v2", "rpc", "reads_4nodes.jsonl.xz")
                return next(row["response"]["result"] for row in rows if '"getConsensusStatus"' in row["request"])
            case "getGroupList":
                return [1]
            case "getBlockNumber":
                return hex(self.height)
            case "getBlockHashByNumber":
                return self.blocks[int(params[1])]["hash"]
            case "getTransactionReceipt":
                return self.receipts.get(params[1])
            case "getBlockHeaderByNumber" | "getBlockByNumber":
                block = self.blocks.get(int(params[1]))
                if block is None:
                    return {"error": {"code": -40004, "message": "BlockNumber does not exist"}}
                if method == "getBlockHeaderByNumber":
                    return {key: value for key, value in block.items() if key != "transactions"} | {"number": int(str(block["number"]), 0)}
                whole: Block = block | {"number": hex(int(str(block["number"]), 0))}
                if not params[2]:
                    whole["transactions"] = [item["hash"] for item in block["transactions"]]
                    whole.pop("signatureList")
                return whole
        return {"error": {"code": -32601, "message": f"METHOD_NOT_FOUND: {method}"}}

    def _answer3(self, method: str, params: list[Any]) -> Any:
        match method:
            case "getGroupInfoList":
                rows = _rows("v3", "rpc", "read_methods_with_blocks.jsonl.xz")
                return next(row["response"]["result"] for row in rows if '"getGroupInfoList"' in row["request"])
            case "getBlockNumber":
                return self.height
            case "getBlockHashByNumber":
                return self.genesis_hash if params[2] == 0 else self.blocks[params[2]]["hash"]
            case "getTransactionReceipt":
                return self.receipts.get(params[2])
            case "getBlockByNumber":
                block = self.blocks.get(params[2])
                if block is None:
                    return {"error": {"code": 3006, "message": "block not found"}}
                told = {key: value for key, value in block.items() if key != "transactions"}
                if params[3]:
                    return told
                listed = block["transactions"]
                return told | {"transactions": [item["hash"] for item in listed] if params[4] else listed}
        return {"error": {"code": -32601, "message": f"Method not found: {method}"}}

    def behave(self, body: bytes, connection: socket.socket) -> bytes | None:
        """What a server does with a request."""
        asked = json.loads(body)
        self.thawed.wait(self.pause_s)
        if (
            self.frozen_from is not None
            and "Block" in asked["method"]
            and any(str(item) == str(self.frozen_from) for item in asked["params"])
        ):
            self.thawed.wait(20)
            return None
        if (
            self.silent_from is not None
            and "Block" in asked["method"]
            and any(str(item) == str(self.silent_from) for item in asked["params"])
        ):
            connection.shutdown(socket.SHUT_RDWR)
            return None
        told = self.answer(asked["method"], asked["params"])
        said = told if isinstance(told, dict) and "error" in told else {"result": told}
        return http_answer(json.dumps({"id": asked["id"], "jsonrpc": "2.0", **said}).encode())


@dataclass
class ReplayedChain:
    """Nodes with servers in front of them."""

    nodes: list[ReplayedNode]
    servers: list[FakeServer]

    @property
    def addresses(self) -> list[NodeAddress]:
        """Where they are."""
        pairs = zip(self.nodes, self.servers, strict=True)
        return [NodeAddress(node.name, server.url, timeout_s=3.0) for node, server in pairs]


def recorded_nodes(generation: str, low: int, high: int, count: int = 4) -> list[ReplayedNode]:
    """`count` nodes with the recorded blocks `low`…`high` (whole ones of node 0, the others with their own headers and signatures)."""
    whole = {
        row["height"]: (row["block"]["result"], row["receipts"])
        for row in _rows(generation, "blocks_full_node0.jsonl.xz")
        if low <= row["height"] <= high
    }
    nodes = [ReplayedNode(f"node{index}", generation, {}) for index in range(count)]
    for row in _rows(generation, "headers_all_nodes.jsonl.xz"):
        if low <= row["height"] <= high and row["node"] < count:
            listed = whole[row["height"]][0]["transactions"] if row["height"] in whole else []
            nodes[row["node"]].blocks[row["height"]] = deepcopy(row["response"]["result"]) | {"transactions": deepcopy(listed)}
    for node in nodes:
        for _, receipts in whole.values():
            node.receipts |= {receipt["result"]["transactionHash"]: deepcopy(receipt["result"]) for receipt in receipts}
        if generation == "v3" and 1 in node.blocks:
            node.genesis_hash = node.blocks[1]["parentInfo"][0]["blockHash"]
    return nodes


@contextmanager
def replayed(nodes: list[ReplayedNode]) -> Iterator[ReplayedChain]:
    """The nodes behind servers for the length of a block."""
    with ExitStack() as stack:
        yield ReplayedChain(nodes, [stack.enter_context(serving(node.behave)) for node in nodes])
