"""`.fiscotool.json`: what a deployment made, written into the chain's root, so that it can be recognised and removed without guessing.

    {"format": 1, "engine": "embedded", "chain_id": …, "byzantine": {…}, "files": ["127.0.0.1/node0/config.ini", …], …}

A directory without it may still be a chain (build_chain.sh's); it is read but never removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import orjson

from fiscotool.errors import ChainDirectoryError

MANIFEST_NAME = ".fiscotool.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was deployed. Paths are relative to the root, with slashes; `directories` lists parents before children.

    `expanded` are the node directories that were added later and are not in the genesis.
    """

    engine: Literal["embedded", "fisco"]
    chain_id: str
    group_id: str
    version: str
    tool_version: str
    created: str
    files: tuple[str, ...]
    directories: tuple[str, ...]
    byzantine: Mapping[str, str] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n"


def read_manifest(root: Path) -> Manifest | None:
    """The manifest in `root`, or None where there is none. Raises ChainDirectoryError for one that is damaged."""
    path = root / MANIFEST_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise ChainDirectoryError(f"{path} cannot be read: {problem}", hint="check the permissions of the directory") from problem
    try:
        return _parse(orjson.loads(text))
    except (ValueError, KeyError, TypeError) as problem:
        raise ChainDirectoryError(
            f"{path} is damaged: {problem}", hint=f"remove {MANIFEST_NAME} to use the directory like one of build_chain.sh's"
        ) from problem


def _parse(data: Any) -> Manifest:
    if data["format"] != _FORMAT:
        raise ValueError(f"format {data['format']!r} is not {_FORMAT}; it was written by another version of fiscotool")
    if data["engine"] not in {"embedded", "fisco"}:
        raise ValueError(f"engine {data['engine']!r} is unknown")
    return Manifest(
        engine=data["engine"],
        chain_id=str(data["chain_id"]),
        group_id=str(data["group_id"]),
        version=str(data["version"]),
        tool_version=str(data["tool_version"]),
        created=str(data["created"]),
        files=tuple(_inside(path) for path in data["files"]),
        directories=tuple(_inside(path) for path in data["directories"]),
        byzantine={str(name): str(mode) for name, mode in data.get("byzantine", {}).items()},
        quirks=tuple(str(quirk) for quirk in data.get("quirks", ())),
        expanded=tuple(_inside(path) for path in data.get("expanded", ())),
    )


def _inside(path: Any) -> str:
    """`path` if it stays below the root: a manifest must not be able to name files of somebody else."""
    parts = PurePosixPath(str(path)).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"it lists {path!r}, which is not below the chain's directory")
    return str(path)
