"""Remove a chain directory: what its manifest lists and what nodes make when they run, and nothing else.

Rule 1. All is looked at before anything is removed. Files that neither deploy nor the nodes made stay, and are named.
Rule 2. Links are removed, never followed.
Rule 3. The manifest goes last, so that an interrupted removal can be repeated.

The caller stops the nodes first: this room does not know processes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from fiscotool.chain.manifest import MANIFEST_NAME, Manifest, read_manifest
from fiscotool.chain.model import NODE_DIRECTORY, Chain
from fiscotool.errors import ChainDirectoryError, EnvironmentFailure

_SHOWN_MAX = 5
_RUN_TIME_DIRECTORIES = {"data", "log", "stat", ".fiscotool"}
_RUN_TIME_FILE = re.compile(r"nohup\.out|core(\.\d+)?|\.monitor\.\d+|config\.ini\.(append_group|reset_\w+)")


def destroy_chain(chain: Chain | Path, *, refuse_unknown: bool = False) -> tuple[Path, ...]:
    """Remove what deploy and the nodes made, and return the files and directories of others that were found there and left.

    Takes the chain, or its root where it is too damaged to be read. Raises ChainDirectoryError for a directory that no deployment
    of this tool made and, with `refuse_unknown`, for one that holds files of others; then nothing is removed.
    """
    root = chain.root if isinstance(chain, Chain) else chain
    if root.is_symlink():
        root = root.resolve()
    manifest = read_manifest(root)
    if manifest is None:
        raise ChainDirectoryError(
            f"{root} was not made by fiscotool (it has no {MANIFEST_NAME}); nothing was removed",
            hint=f"if you are sure, stop its nodes and remove it yourself: rm -r {root}",
        )
    known = _Known(manifest)
    unknown = tuple(_unknown(root, known))
    if unknown and refuse_unknown:
        shown = ", ".join(str(path.relative_to(root)) for path in unknown[:_SHOWN_MAX])
        more = f" and {len(unknown) - _SHOWN_MAX} more" if len(unknown) > _SHOWN_MAX else ""
        raise ChainDirectoryError(
            f"{root} holds files that neither deploy nor the nodes made: {shown}{more}; nothing was removed",
            hint="move them away and repeat",
        )
    try:
        _remove(root, known, keep=bool(unknown))
    except OSError as problem:
        raise EnvironmentFailure(
            f"{problem.filename or root} cannot be removed: {problem.strerror}",
            hint="correct its permissions and repeat; the rest of the chain may be gone",
        ) from problem
    return unknown


class _Known:
    """Which paths below a root belong to the chain. Paths are relative, with slashes."""

    def __init__(self, manifest: Manifest) -> None:
        self.files = frozenset(manifest.files) | {MANIFEST_NAME}
        self.directories = frozenset(manifest.directories)
        self._nodes = frozenset(path for path in manifest.directories if _is_node(path))

    def is_run_time(self, path: str) -> bool:
        """Whether nodes or this tool make it at run time: it goes with all that is in it."""
        parent, _, name = path.rpartition("/")
        if parent in self._nodes:
            return name in _RUN_TIME_DIRECTORIES or _RUN_TIME_FILE.fullmatch(name) is not None
        return name in {".fiscotool", "__pycache__"} and (not parent or parent in self.directories)


def _is_node(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 2 and NODE_DIRECTORY.fullmatch(parts[1]) is not None  # noqa: PLR2004 - <host>/node<k>


def _unknown(root: Path, known: _Known, inside: str = "") -> Iterator[Path]:
    with os.scandir(root / inside) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            path = f"{inside}/{entry.name}" if inside else entry.name
            if path in known.files or known.is_run_time(path):
                continue
            if path in known.directories and entry.is_dir(follow_symlinks=False):
                yield from _unknown(root, known, path)
            else:
                yield Path(entry.path)


def _remove(root: Path, known: _Known, *, keep: bool) -> None:
    places = _real_directories(root, known)
    for directory in places:
        for entry in os.listdir(root / directory):  # noqa: PTH208 - names are wanted
            path = f"{directory}/{entry}" if directory else entry
            full = root / path
            if not known.is_run_time(path):
                continue
            if full.is_dir() and not full.is_symlink():
                shutil.rmtree(full)
            else:
                full.unlink()
    inside = frozenset(places)
    for path in sorted(known.files - {MANIFEST_NAME}):
        if path.rpartition("/")[0] in inside:
            (root / path).unlink(missing_ok=True)
    for path in reversed(places[1:]):
        # With unknown files kept, the directories that hold them stay.
        if not keep or not os.listdir(root / path):  # noqa: PTH208
            (root / path).rmdir()
    (root / MANIFEST_NAME).unlink(missing_ok=True)
    if not keep:
        root.rmdir()


def _real_directories(root: Path, known: _Known) -> list[str]:
    """The root ("") and every directory deploy made that is still one, parents first. What lies behind a link is somebody else's."""
    found = [""]
    for path in sorted(known.directories):
        full = root / path
        if path.rpartition("/")[0] in found and full.is_dir() and not full.is_symlink():
            found.append(path)
    return found
