"""Look at a chain from all sides at once: processes, RPC twice, disks, last words, logs. Bounded in time, changes nothing.

Rule 1. A node that is dead, frozen or foreign delays nobody: all are asked at once, each question has an end.
Rule 2. The chain need not be readable as one chain: a directory of nodes is enough (a wrong genesis is what a doctor is called for).
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from fiscotool.chain.lint_identity import sealers_of
from fiscotool.chain.model import NodeHome
from fiscotool.chain.portcheck import Wanted, find_taken, is_local
from fiscotool.chain.survey import NodeSurvey, Survey
from fiscotool.doctor.situation import NodeSeen, Situation
from fiscotool.errors import EnvironmentFailure, RpcError, UsageError
from fiscotool.nodes.launch import last_words
from fiscotool.nodes.logs import log_files, tail
from fiscotool.nodes.process import NodeProcess, states_of
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.neutral import NodeReader
from fiscotool.rpc.tls import TlsFiles

ASK_S = 1.5
APART_S = 1.5
_WORKERS_MAX = 32
_LOG_LINES = 200
_WORDS_LINES = 8
_BANNER = re.compile(r"FISCO-?\s?BCOS Version|config file path")
_TROUBLE = re.compile(
    r"(handshake|certificate).*(fail|refus|error|invalid|unknown ca)|(fail|refus|error).*(handshake|certificate)", re.IGNORECASE
)
_BUILD = re.compile(r"\s*(Build (Time|Type)|Git (Branch|Commit)\w*( Hash)?)\s*:")
_TRUE = {"true", "1"}


@dataclass(frozen=True, slots=True)
class _Subject:
    """A node to be looked at."""

    survey: NodeSurvey
    home: NodeHome
    process: NodeProcess
    is_here: bool


def home_of(node: NodeSurvey) -> NodeHome:
    """The node as far as its files tell; ports that cannot be read are 0."""
    is_2 = node.generation == 2  # noqa: PLR2004 - FISCO BCOS 2
    rpc_key, ip_key = ("jsonrpc_listen_port", "jsonrpc_listen_ip") if is_2 else ("listen_port", "listen_ip")

    def port(section: str, key: str, default: int) -> int:
        value = node.setting(section, key, str(default))
        return int(value) if value.isascii() and value.isdigit() and int(value) < 1 << 16 else 0

    disabled = node.setting("rpc", "disable_ssl").lower() in _TRUE
    return NodeHome(
        name=node.name,
        directory=node.place.absolute(),
        host=node.host,
        p2p_port=port("p2p", "listen_port", 30300),
        rpc_port=port("rpc", rpc_key, 8545 if is_2 else 20200),
        web3_port=0 if is_2 else port("web3_rpc", "listen_port", 8545),
        web3_enabled=not is_2 and node.setting("web3_rpc", "enable").lower() in _TRUE,
        rpc_tls=not is_2 and node.setting("rpc", "enable_ssl", "false" if disabled else "true").lower() in _TRUE,
        node_id=node.node_id,
        p2p_id=node.p2p_id,
        listen_ip=node.setting("rpc", ip_key, "127.0.0.1" if is_2 else "0.0.0.0"),  # noqa: S104 - a node's default
        generation=node.generation,
        channel_port=port("rpc", "channel_listen_port", 20200) if is_2 else 0,
    )


def look(
    survey: Survey,
    *,
    apart_s: float = APART_S,
    clock: Callable[[], float] = time.time,
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Situation:
    """What the chain of `survey` does now; takes about `apart_s` seconds longer than its nodes take to answer."""
    homes = [home_of(node) for node in survey.nodes]
    states = states_of(homes)
    only_host = len({home.host for home in homes}) == 1
    subjects = [
        _Subject(node, home, states[home.name], is_here=only_host or is_local(home.host) or states[home.name].identity is not None)
        for node, home in zip(survey.nodes, homes, strict=True)
    ]
    with ThreadPoolExecutor(max_workers=min(_WORKERS_MAX, len(subjects)), thread_name_prefix="doctor") as pool:
        clients = {subject.home.name: _client(subject) for subject in subjects}
        began_s = time.monotonic()
        first = list(pool.map(lambda subject: _first_look(subject, clients[subject.home.name], clock, free_bytes), subjects))
        if any(node.answers for node in first):
            threading.Event().wait(max(0.0, apart_s - (time.monotonic() - began_s)))
        apart = time.monotonic() - began_s
        nodes = tuple(pool.map(lambda seen: _second_look(seen, clients[seen.name]), first))
        common, hashes, newest_ms = _blocks(pool, nodes, clients)
        for client in clients.values():
            client.close()
    return Situation(
        generation=survey.generation,
        nodes=nodes,
        weights=_weights(survey, nodes),
        apart_s=apart,
        common_height=common,
        hashes=hashes,
        newest_block_ms=newest_ms,
        now_ms=round(clock() * 1000),
    )


def _client(subject: _Subject) -> NodeReader:
    home = subject.home
    tls = TlsFiles.from_sdk(home.sdk_directory) if home.rpc_tls else None
    if home.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
        return AnyClient(home.rpc_url, timeout_s=ASK_S, tls=tls, name=home.name)
    group = subject.survey.inis.get("config.genesis", {}).get("chain", {}).get("group_id", "group0")
    return NodeClient(home.rpc_url, group=group, timeout_s=ASK_S, tls=tls, name=home.name)


def _first_look(subject: _Subject, client: NodeReader, clock: Callable[[], float], free_bytes: Callable[[Path], int]) -> NodeSeen:
    home, process = subject.home, subject.process
    seen = NodeSeen(home.name, home.node_id, process.state if subject.is_here else "elsewhere")
    if process.since is not None:
        seen = replace(seen, up_s=max(0.0, clock() - process.since))
    if subject.is_here:
        seen = replace(seen, disk_free_bytes=_free(home.directory, free_bytes), trouble=_trouble(home))
        if process.identity is None:
            wanted = [Wanted(home.name, role, home.listen_ip, port) for role, port in home.ports if port]
            holders = tuple(f"{each.wanted.role} {each.wanted.port} ({each.holder or '?'})" for each in find_taken(wanted))
            seen = replace(seen, last_words=_last_words(home), holders=holders)
    if process.state == "paused" or not home.rpc_port:
        return seen
    try:
        status = client.consensus_status()
        told_id = status.node_id.removeprefix("0x").lower()
        if home.node_id and told_id and told_id != home.node_id:
            # Ports were mixed up, or a node of another host listens on its own loopback address, which is ours here.
            return replace(seen, error=f"another node answers at {home.rpc_url}: {told_id[:8]}…, not {home.node_id[:8]}…")
        # A stranger may have the port of a node that does not run.
        if subject.is_here and process.identity is None:
            return seen
        return replace(
            seen,
            status=status,
            pending=client.pending_count(),
            peer_ids=_peer_ids(client),
            syncing=client.sync_status().is_syncing,
            version=client.version().version,
        )
    except (RpcError, EnvironmentFailure, UsageError) as problem:
        return replace(seen, error=problem.message)


def _second_look(seen: NodeSeen, client: NodeReader) -> NodeSeen:
    if not seen.answers:
        return seen
    try:
        return replace(seen, later=client.consensus_status(), pending_later=client.pending_count())
    except (RpcError, EnvironmentFailure):
        return seen


def _peer_ids(client: NodeReader) -> frozenset[str]:
    return frozenset(each.removeprefix("0x").lower() for peer in client.peers().peers for each in peer.node_ids)


def _blocks(
    pool: ThreadPoolExecutor, nodes: tuple[NodeSeen, ...], clients: dict[str, NodeReader]
) -> tuple[int | None, dict[str, str], int | None]:
    """The common height, every node's hash there, and the time of the newest block."""
    heights = {node.name: node.now.height for node in nodes if node.now is not None}
    if not heights:
        return None, {}, None
    common = min(heights.values())

    def ask(name: str) -> tuple[str, str]:
        try:
            return name, clients[name].block_hash(common)
        except (RpcError, EnvironmentFailure):
            return name, ""

    hashes = {name: digest.removeprefix("0x").lower() for name, digest in pool.map(ask, heights) if digest}
    newest = max(heights, key=lambda name: heights[name])
    try:
        newest_ms = clients[newest].block(heights[newest], only_header=True).timestamp_ms if heights[newest] else None
    except (RpcError, EnvironmentFailure):
        newest_ms = None
    return common, hashes, newest_ms


def _weights(survey: Survey, nodes: tuple[NodeSeen, ...]) -> dict[str, int]:
    """Sealers by the word of the node that is farthest, else by the genesis of the first node (the first group's, in 2.x)."""
    answering = [node.now for node in nodes if node.now is not None and node.now.nodes]
    if answering:
        best = max(answering, key=lambda status: status.height)
        return {node.node_id.removeprefix("0x").lower(): node.weight for node in best.nodes}
    for node in survey.nodes:
        for ini in node.genesis.values():
            weights = {value.split(":")[0].strip().lower(): value for value in ini.get("consensus", {}).values()}
            return {each: _weight(weights[each]) for each in sealers_of(ini)}
    return {}


def _weight(entry: str) -> int:
    parts = [part.strip() for part in entry.split(":")]
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 1


def _free(directory: Path, free_bytes: Callable[[Path], int]) -> int | None:
    data = directory / "data"
    try:
        return free_bytes(data if os.path.isdir(data) else directory)  # noqa: PTH112 - one look, also where it is a link
    except OSError:
        return None


def _last_words(home: NodeHome) -> tuple[str, ...]:
    """What the node said in its last life: nohup.out from its last banner on, else the end of its log."""
    lines = last_words(home).splitlines()
    starts = [number for number, line in enumerate(lines) if _BANNER.search(line)]
    told = [line for line in (lines[starts[-1] + 1 :] if starts else lines) if not _BUILD.match(line)]
    if told:
        return tuple(told[-_WORDS_LINES:])
    try:
        return tuple(line.text for line in tail(home, 2)) if log_files(home) else ()
    except EnvironmentFailure:
        return ()


def _trouble(home: NodeHome) -> tuple[str, ...]:
    """Lines at the end of the log that tell of peers' connections that were refused."""
    try:
        lines = [line.text for line in tail(home, _LOG_LINES)] if log_files(home) else []
    except EnvironmentFailure:
        return ()
    return tuple(line for line in lines if is_trouble(line))


def is_trouble(line: str) -> bool:
    """Whether a line of a log tells of a peer's connection that was refused. SDKs on the channel port of 2.x come and go: no trouble."""
    return _TROUBLE.search(line) is not None and "[CHANNEL]" not in line
