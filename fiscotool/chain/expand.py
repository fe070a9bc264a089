"""Add nodes to a chain that exists: ours or build_chain.sh's, 2.x or 3.x. It needs the key of the chain's certificate authority.

    plan_expansion(root, layout) ──▶ Expansion: names, places, ports, where the CA is ──▶ expand_chain: keys, certificates, files

Rule 1. Files that exist are never touched, the manifest excepted: the new nodes list all peers and connect to them; the others
        accept them by their certificate. (3.x nodes read nodes.json again on SIGUSR1; adding the address there is the operator's choice.)
Rule 2. A new node has its chain's genesis, byte for byte, and is not in it: it follows the chain as an observer once a transaction has
        added it, and becomes a sealer by another. Until then it gets no blocks (3.x: unless sync.allow_free_node).
Rule 3. Each node appears complete or not at all; its ports follow the highest of its host.

Sources: spec 3.x 4.10, build_chain.sh `expand_node`; spec 2.x 4.4 ("adding a node by hand"), gen_node_cert.sh.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fiscotool.chain.expand_keys import identity2, identity3, needed_files
from fiscotool.chain.files import PROGRAM, START_VALUES, PlannedFile
from fiscotool.chain.ini import set_values
from fiscotool.chain.layout import HostGroup, parse_layout
from fiscotool.chain.manifest import MANIFEST_NAME, read_manifest
from fiscotool.chain.model import BINARY_NAME, Chain, NodeHome, bracketed
from fiscotool.chain.portcheck import Wanted, is_local, require_free
from fiscotool.chain.read import read_chain
from fiscotool.chain.read2 import group_files
from fiscotool.chain.reading import read_ini
from fiscotool.chain.templates import render
from fiscotool.chain.write import write_file
from fiscotool.errors import EnvironmentFailure, UsageError

_GENERATION_2 = 2


@dataclass(frozen=True, slots=True)
class Seat:
    """A node to be added. `model` is the node whose settings it gets."""

    name: str
    host: str
    directory: Path
    p2p_port: int
    rpc_port: int
    web3_port: int
    channel_port: int
    model: NodeHome

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """(role, port) of everything it will listen on."""
        roles = {"p2p": self.p2p_port, "channel": self.channel_port, "rpc": self.rpc_port, "web3": self.web3_port}
        return tuple((role, port) for role, port in roles.items() if port)


@dataclass(frozen=True, slots=True)
class Expansion:
    """What will be added to `chain`, and the directory of the certificate authority that signs it."""

    chain: Chain
    seats: tuple[Seat, ...]
    authority: Path


def plan_expansion(root: Path, layout: str, *, authority: Path | None = None, check_ports: bool = True) -> Expansion:
    """Names, places and ports of the nodes `layout` adds to the chain in `root`; nothing is written.

    `authority` is the directory of the CA (3.x: ca.crt and ca.key; 2.x: an agency's), by default the one in the chain's directory.
    Raises UsageError, ChainDirectoryError, EnvironmentFailure, PortTaken.
    """
    chain = read_chain(root)
    if chain.sm_crypto:
        raise UsageError(
            f"{root} uses national cryptography, whose certificates cannot be made here",
            hint="use build_chain.sh -C expand -s (3.x) or gen_node_cert.sh -g (2.x)",
        )
    place = authority or (_agency(chain) if chain.generation == _GENERATION_2 else root / "ca")
    _require_authority(chain, place)
    hosts = {node.host for node in chain.nodes}
    taken = list(chain.nodes)
    seats: list[Seat] = []
    for group in parse_layout(layout):
        model = next((node for node in taken if node.host == group.address), chain.nodes[0])
        for _ in range(group.node_count):
            seats.append(_seat(chain, model, group.address, [*taken, *seats], is_several=len(hosts | {group.address}) > 1))
    if check_ports:
        require_free(
            (
                Wanted(seat.name, role, seat.model.listen_ip, port)
                for seat in seats
                if is_local(seat.host)
                for role, port in seat.ports
                if role != "web3" or seat.model.web3_enabled
            ),
            remedy="free them: new nodes get the ports behind the highest of their host",
        )
    return Expansion(chain, tuple(seats), place)


def _seat(chain: Chain, model: NodeHome, host: str, others: list[NodeHome | Seat], *, is_several: bool) -> Seat:
    here = [node for node in others if node.host == host]
    number = 1 + max((int(node.directory.name.removeprefix("node")) for node in here), default=-1)
    name = f"{host}/node{number}" if is_several else f"node{number}"

    def above(role: str) -> int:
        ports = [int(getattr(node, role)) for node in here]
        return max(ports) + 1 if ports else int(getattr(model, role))

    is_2 = chain.generation == _GENERATION_2
    return Seat(
        name, host, chain.root.absolute() / host / f"node{number}", above("p2p_port"), above("rpc_port"),
        0 if is_2 else above("web3_port"), above("channel_port") if is_2 else 0, model,
    )  # fmt: skip


def _agency(chain: Chain) -> Path:
    """The directory of the only agency of a 2.x chain."""
    places = sorted(path.parent for path in (chain.root / "cert").glob("*/agency.key"))
    if len(places) > 1:
        names = ", ".join(place.name for place in places)
        raise UsageError(f"{chain.root} has several agencies: {names}", hint="say which one takes the node in: --ca <chain>/cert/<agency>")
    return places[0] if places else chain.root / "cert" / "agency"


def _require_authority(chain: Chain, place: Path) -> None:
    missing = [name for name in needed_files(chain.generation) if not (place / name).is_file()]
    if missing:
        raise EnvironmentFailure(
            f"{place} lacks {', '.join(missing)}: without the key of the chain's authority no node can be added",
            hint="name the directory that has it with --ca, or bring it here for the moment",
        )


def say_nothing(text: str) -> None:
    """The default of `report`."""
    del text


def expand_chain(
    expansion: Expansion, *, report: Callable[[str], None] = say_nothing, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Chain:
    """Make the nodes of `expansion` and return the chain as read back. Raises ChainDirectoryError, EnvironmentFailure."""
    chain = expansion.chain
    for seat in expansion.seats:
        report(f"adding {seat.name}")
        host = seat.directory.parent
        made: list[Path] = []
        if not host.exists():
            _make_host(chain, host, made)
        work = host / f".{seat.directory.name}.deploying-{os.getpid()}"
        try:
            for file in _files(expansion, seat, now()):
                path = work / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                write_file(path, file)
            work.rename(seat.directory)
        except BaseException as problem:
            shutil.rmtree(work, ignore_errors=True)
            if made:
                shutil.rmtree(host, ignore_errors=True)
            if isinstance(problem, OSError):
                raise EnvironmentFailure(f"{seat.name} cannot be made: {problem.strerror}", hint="check space and permissions") from problem
            raise
        _note(chain, [*made, seat.directory, *seat.directory.rglob("*")], seat)
    return read_chain(chain.root)


def _make_host(chain: Chain, host: Path, made: list[Path]) -> None:
    """A host that had no node: the program, the scripts and sdk/ of another one."""
    source = chain.nodes[0].directory.parent
    host.mkdir()
    made.append(host)
    for name in (BINARY_NAME, "start_all.sh", "stop_all.sh"):
        if (source / name).is_file():
            shutil.copy2(source / name, host / name)
    if (source / "sdk").is_dir():
        shutil.copytree(source / "sdk", host / "sdk")
    made.extend(sorted(host.rglob("*")))


def _note(chain: Chain, paths: list[Path], seat: Seat) -> None:
    """Let the manifest, where there is one, know what was added, so that destroy removes it."""
    manifest = read_manifest(chain.root)
    if manifest is None:
        return
    root = chain.root.absolute()
    names = {path.relative_to(root).as_posix(): path.is_dir() for path in paths}
    grown = replace(
        manifest,
        files=tuple(sorted({*manifest.files, *(name for name, is_dir in names.items() if not is_dir)})),
        directories=tuple(sorted({*manifest.directories, *(name for name, is_dir in names.items() if is_dir)})),
        expanded=(*manifest.expanded, seat.directory.relative_to(root).as_posix()),
    )
    beside = root / f"{MANIFEST_NAME}.new"
    beside.write_text(grown.to_json(), encoding="utf-8")
    beside.replace(root / MANIFEST_NAME)


def _files(expansion: Expansion, seat: Seat, now: datetime) -> Iterator[PlannedFile]:
    chain, model = expansion.chain, seat.model.directory
    yield PlannedFile("stop.sh", render("stop.sh", {}).encode(), PROGRAM)
    text = (model / "config.ini").read_text(encoding="utf-8")
    everyone: list[NodeHome | Seat] = [*chain.nodes, *expansion.seats]
    peers = [f"{bracketed(node.host)}:{node.p2p_port}" for node in everyone]
    if chain.generation == _GENERATION_2:
        yield PlannedFile("start.sh", render("start.sh", {"generation": 2, "arguments": "-c config.ini"}).encode(), PROGRAM)
        changes = {("p2p", "listen_port"): seat.p2p_port, ("rpc", "channel_listen_port"): seat.channel_port}
        changes["rpc", "jsonrpc_listen_port"] = seat.rpc_port
        listen = _listening(seat, (("p2p", "listen_ip"), ("rpc", "channel_listen_ip")))
        nodes = {("p2p", f"node.{k}"): peer for k, peer in enumerate(peers)}
        yield PlannedFile(
            "config.ini", set_values(text, {key: str(value) for key, value in {**changes, **listen, **nodes}.items()}).encode()
        )
        yield from identity2(expansion.authority, seat.model, seat.directory.name, now)
        for number, path in group_files(model).items():
            yield PlannedFile(f"conf/{path.name}", path.read_bytes())
            yield PlannedFile(f"conf/group.{number}.ini", (model / f"conf/group.{number}.ini").read_bytes())
        for script in sorted((model / "scripts").glob("*.sh")):
            yield PlannedFile(f"scripts/{script.name}", script.read_bytes(), PROGRAM)
        return
    yield PlannedFile("start.sh", render("start.sh", START_VALUES).encode(), PROGRAM)
    ports = {("p2p", "listen_port"): str(seat.p2p_port), ("rpc", "listen_port"): str(seat.rpc_port)}
    if "web3_rpc" in read_ini(model / "config.ini"):
        ports["web3_rpc", "listen_port"] = str(seat.web3_port)
    listen = _listening(seat, (("p2p", "listen_ip"), ("rpc", "listen_ip")))
    yield PlannedFile("config.ini", _without_misbehaviour(set_values(text, {**ports, **listen})).encode())
    yield PlannedFile("config.genesis", (model / "config.genesis").read_bytes())
    yield PlannedFile("nodes.json", json.dumps({"nodes": peers}, separators=(",", ":")).encode() + b"\n")
    yield from identity3(expansion.authority, seat.model, now)


def _listening(seat: Seat, keys: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], str]:
    """A node on another host than its model's, which may listen on that host's loopback address only, listens everywhere."""
    if seat.host == seat.model.host or HostGroup(seat.host, 1).is_loopback:
        return {}
    return dict.fromkeys(keys, "::" if ":" in seat.host else "0.0.0.0")  # noqa: S104 - as build_chain.sh writes


def _without_misbehaviour(text: str) -> str:
    """The settings of a Byzantine embedded node, for one that is honest."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.strip().startswith(("byzantine=", "mutant=")))
