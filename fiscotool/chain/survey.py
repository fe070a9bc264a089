"""A chain directory as lint looks at it: everything read once, nothing refused. What cannot be read is noted and becomes a finding.

`read_chain` raises at the first thing that is wrong; a survey of a damaged directory still has the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from fiscotool.chain.ini import Ini, parse_ini
from fiscotool.chain.model import BINARY_NAME, NODE_DIRECTORY, Generation
from fiscotool.errors import ChainDirectoryError

_GENESIS2 = re.compile(r"group\.(\d+)\.genesis")
_BYTES_MAX = 1 << 20
_NEWEST_LOGS = 3

CONFIG, GENESIS3, PEERS = "config.ini", "config.genesis", "nodes.json"
KEYS = {3: ("conf/node.pem", "conf/ssl.key"), 2: ("conf/node.key", "conf/channel_cert/node.key")}
CERTIFICATES = {
    3: ("conf/ca.crt", "conf/ssl.crt"),
    2: ("conf/ca.crt", "conf/node.crt", "conf/channel_cert/ca.crt", "conf/channel_cert/node.crt"),
}
SDK = ("ca.crt", "sdk.crt", "sdk.key")


@dataclass(frozen=True, slots=True)
class NodeSurvey:
    """One node's directory. Paths are relative to it; `damage` maps those that are missing ("") or cannot be read to what is wrong.

    `inis` has config.ini, the genesis files and (2.x) the groups' ini files as sections, `contents` certificates, keys and ids as bytes,
    `modes` permissions of keys, `written` when files that the node writes were last written, in seconds since the epoch.
    """

    name: str
    place: Path
    host: str
    generation: Generation
    inis: Mapping[str, Ini]
    contents: Mapping[str, bytes]
    modes: Mapping[str, int]
    written: Mapping[str, float]
    peers: tuple[str, ...]
    damage: Mapping[str, str]
    has_program: bool

    @property
    def config(self) -> Ini:
        """config.ini; empty where it is missing or damaged."""
        return self.inis.get(CONFIG, {})

    @property
    def genesis(self) -> dict[str, Ini]:
        """Path → sections of every genesis file."""
        return {path: ini for path, ini in self.inis.items() if path.endswith("genesis")}

    @property
    def sm_crypto(self) -> bool:
        """Whether it uses national cryptography."""
        source = next(iter(self.genesis.values()), {}) if self.generation == 3 else self.config  # noqa: PLR2004 - FISCO BCOS 3
        return source.get("chain", {}).get("sm_crypto", "").lower() in {"true", "1"}

    @property
    def node_id(self) -> str:
        """128 hex digits of node.nodeid, or empty."""
        return self.contents.get("conf/node.nodeid", b"").decode(errors="replace").strip().lower()

    @property
    def p2p_id(self) -> str:
        """What certificate lists call it: ssl.nodeid in 3.x, the node id in 2.x. Empty where it is not known."""
        if self.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
            return self.node_id
        return self.contents.get("conf/ssl.nodeid", b"").decode(errors="replace").strip().lower()

    def setting(self, section: str, key: str, default: str = "") -> str:
        """A value of config.ini."""
        return self.config.get(section, {}).get(key, default)


@dataclass(frozen=True, slots=True)
class Survey:
    """A chain's directory. `sdk` maps host names to their sdk/ files."""

    root: Path
    nodes: tuple[NodeSurvey, ...]
    sdk: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    @property
    def generation(self) -> Generation:
        """That of its first node."""
        return self.nodes[0].generation


def survey_directory(root: Path) -> Survey:
    """Everything lint wants to know of the chain in `root`. Raises ChainDirectoryError where there is no node directory at all."""
    try:
        places = sorted(
            (place for host in root.iterdir() if host.is_dir() for place in host.iterdir() if _is_node(place)),
            key=lambda place: (place.parent.name, int(place.name.removeprefix("node"))),
        )
    except OSError as problem:
        raise ChainDirectoryError(
            f"there is no chain in {root}: {problem.strerror}", hint="make one: fiscotool deploy -l 127.0.0.1:4"
        ) from problem
    if not places:
        raise ChainDirectoryError(
            f"there is no chain in {root}: no <host>/node<k> directory", hint="name the directory that has a directory for each host"
        )
    several = len({place.parent for place in places}) > 1
    nodes = tuple(_survey_node(place, f"{place.parent.name}/{place.name}" if several else place.name) for place in places)
    hosts = {place.parent for place in places}
    sdk = {host.name: {name: content for name in SDK if (content := _content(host / "sdk" / name)) is not None} for host in hosts}
    return Survey(root, nodes, sdk)


def _is_node(place: Path) -> bool:
    return NODE_DIRECTORY.fullmatch(place.name) is not None and place.is_dir()


def _survey_node(place: Path, name: str) -> NodeSurvey:
    found2 = sorted(path.name for path in _listed(place / "conf") if _GENESIS2.fullmatch(path.name))
    generation: Generation = 2 if found2 and not (place / GENESIS3).exists() else 3
    damage: dict[str, str] = {}
    groups = [f"conf/{each}" for name in found2 for each in (name, name.replace(".genesis", ".ini"))]
    names = [CONFIG, *groups] if generation == 2 else [CONFIG, GENESIS3]  # noqa: PLR2004
    inis = {path: ini for path in names if (ini := _ini(place / path, path, damage)) is not None}
    ids = ("conf/node.nodeid",) if generation == 2 else ("conf/node.nodeid", "conf/ssl.nodeid")  # noqa: PLR2004
    draft = NodeSurvey(name, place, place.parent.name, generation, inis, {}, {}, {}, (), {}, has_program=False)
    wanted = () if draft.sm_crypto else (*ids, *CERTIFICATES[generation], *KEYS[generation])
    contents: dict[str, bytes] = {}
    for path in wanted:
        content = _content(place / path)
        if content is None:
            damage[path] = "" if not (place / path).exists() else "it cannot be read"
        else:
            contents[path] = content
    program = place.parent / BINARY_NAME
    return NodeSurvey(
        name=name,
        place=place,
        host=place.parent.name,
        generation=generation,
        inis=inis,
        contents=contents,
        modes={path: (place / path).stat().st_mode & 0o777 for path in KEYS[generation] if path in contents},
        written=_written(place),
        peers=_peers2(inis) if generation == 2 else _peers3(place, damage),  # noqa: PLR2004
        damage=damage,
        has_program=program.is_file() and os.access(program, os.X_OK),
    )


def _listed(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_BYTES_MAX)
    except OSError:
        return None


def _ini(path: Path, name: str, damage: dict[str, str]) -> Ini | None:
    content = _content(path)
    if content is None:
        damage[name] = "" if not path.exists() else "it cannot be read"
        return None
    try:
        return parse_ini(content.decode(), source=name)
    except UnicodeDecodeError:
        damage[name] = "it is no text"
    except ChainDirectoryError as problem:
        damage[name] = problem.message.removeprefix(f"{name}, ")
    return None


def _peers3(place: Path, damage: dict[str, str]) -> tuple[str, ...]:
    content = _content(place / PEERS)
    if content is None:
        damage[PEERS] = ""
        return ()
    try:
        return tuple(str(address) for address in orjson.loads(content)["nodes"])
    except (ValueError, KeyError, TypeError):
        damage[PEERS] = 'it is not {"nodes": ["address:port", …]}'
        return ()


def _peers2(inis: Mapping[str, Ini]) -> tuple[str, ...]:
    p2p = inis.get(CONFIG, {}).get("p2p", {})
    return tuple(address for key, address in p2p.items() if re.fullmatch(r"node\.\d+", key))


def _written(place: Path) -> dict[str, float]:
    """When nohup.out and the newest logs were written."""
    paths: Iterable[Path] = [place / "nohup.out", *sorted(_listed(place / "log"))[-_NEWEST_LOGS:]]
    found: dict[str, float] = {}
    for path in paths:
        try:
            found[path.relative_to(place).as_posix()] = path.stat().st_mtime
        except OSError:
            continue
    return found
