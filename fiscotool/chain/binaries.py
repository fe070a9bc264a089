"""The cache of fisco-bcos binaries: what is in it, with which checksum it came, and whether it still has that.

    <cache>/v3.16.4/fisco-bcos          the program
    <cache>/v3.16.4/fisco-bcos.json     {"format": 1, "version": "3.16.4", "sha256": "…", "source": "…", "added": "…"}

The cache is `$FISCOTOOL_CACHE`, or `$XDG_CACHE_HOME/fiscotool`, or `~/.cache/fiscotool`.

Rule 1. A program without its record, or with another checksum than the record's, is not executed.
Rule 2. An entry appears complete or not at all: it is made beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from fiscotool.chain.model import BINARY_NAME
from fiscotool.chain.spec import version_key
from fiscotool.errors import EnvironmentFailure

_FORMAT = 1
_DIRECTORY = re.compile(r"v([23]\.\d{1,2}\.\d{1,2})")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where binaries and the official scripts are kept between runs."""
    own = environ.get("FISCOTOOL_CACHE")
    if own:
        return Path(own)
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fiscotool"


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex. Raises EnvironmentFailure where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise EnvironmentFailure(f"{path} cannot be read: {problem.strerror}", hint="check that it exists and may be read") from problem


@dataclass(frozen=True, slots=True)
class CachedBinary:
    """A program of the cache. `source` is where it came from: an address or a path. `added` is UTC, ISO 8601."""

    version: str
    path: Path
    sha256: str
    source: str
    added: str

    @property
    def is_unchanged(self) -> bool:
        """Whether it still has the checksum it came with."""
        return sha256_of(self.path) == self.sha256

    def require_unchanged(self) -> None:
        """Raise EnvironmentFailure unless it still has the checksum it came with."""
        found = sha256_of(self.path)
        if found != self.sha256:
            raise EnvironmentFailure(
                f"{self.path} has been changed: its sha256 is {found}, and it came with {self.sha256}; it is not executed",
                hint=f"get it again: fiscotool binary fetch {self.version}, or: fiscotool binary add PATH",
            )


class BinaryCache:
    """The binaries below the cache directory of `environ`."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.root = cache_directory(environ)

    def entries(self) -> tuple[CachedBinary, ...]:
        """What is there with a record, newest version first."""
        if not self.root.is_dir():
            return ()
        found = [self.find(match[1]) for place in self.root.iterdir() if (match := _DIRECTORY.fullmatch(place.name))]
        return tuple(sorted((entry for entry in found if entry is not None), key=lambda entry: version_key(entry.version), reverse=True))

    def find(self, version: str) -> CachedBinary | None:
        """The entry of `version`, or None where there is none with a record."""
        place = self.root / f"v{version}"
        path = place / BINARY_NAME
        try:
            data = orjson.loads((place / f"{BINARY_NAME}.json").read_text(encoding="utf-8"))
            if data["format"] != _FORMAT or not _SHA256.fullmatch(data["sha256"]) or not path.is_file():
                return None
            return CachedBinary(version, path, data["sha256"], str(data["source"]), str(data["added"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def newest(self, generation: int | None) -> CachedBinary | None:
        """The newest entry of a generation (None: of any), or None."""
        return next((entry for entry in self.entries() if generation is None or entry.version.startswith(f"{generation}.")), None)

    def put(self, program: Path, version: str, source: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> CachedBinary:
        """Copy `program` into the cache as `version`, replacing what was there. Raises EnvironmentFailure."""
        place = self.root / f"v{version}"
        work = self.root / f".v{version}.{os.getpid()}"
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            shutil.copyfile(program, work / BINARY_NAME)
            (work / BINARY_NAME).chmod(0o755)
            record = {
                "format": _FORMAT,
                "version": version,
                "sha256": sha256_of(work / BINARY_NAME),
                "source": source,
                "added": now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            (work / f"{BINARY_NAME}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(place, ignore_errors=True)
            work.rename(place)
        except OSError as problem:
            raise EnvironmentFailure(
                f"{problem.filename or place} cannot be written: {problem.strerror}",
                hint="free some space, or set FISCOTOOL_CACHE to another directory",
            ) from problem
        finally:
            shutil.rmtree(work, ignore_errors=True)
        entry = self.find(version)
        if entry is None:
            raise EnvironmentFailure(f"{place} is not as it was written", hint="is another program working there? Repeat the command")
        return entry
