"""Which engine runs in the nodes, and which fisco-bcos: decided once, with one sentence that says why.

    --engine auto       a binary given with -e, or one in the cache, else the embedded engine
    --engine fisco      a binary given with -e, or one in the cache, else an error
    --engine embedded   the embedded engine; so does --protocol

A binary that the user names with -e is the user's; one of the cache (`chain.binaries`) is used only while it still has the checksum it
was put there with.

Sources: spec 3.x 4.1 (-e, -v), 0 (`fisco-bcos -v`); spec 2.x 4.1 (-e wants `FISCO-BCOS`, a version not below -v).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fiscotool.chain.binaries import BinaryCache, cache_directory
from fiscotool.chain.command import run_command
from fiscotool.chain.spec import VERSION_2_DEFAULT, VERSION_DEFAULT, parse_version, version_key
from fiscotool.errors import EnvironmentFailure, UsageError

EngineChoice = Literal["auto", "fisco", "embedded"]

_VERSION_S = 10.0
_VERSION = re.compile(r"(?<![\d.])([23]\.\d{1,2}\.\d{1,2})(?![\d.])")
_GENERATION = re.compile(r"[vV]?([23])(\.x)?")


@dataclass(frozen=True, slots=True)
class EngineDecision:
    """The engine to deploy with. `binary` is set exactly for engine fisco; `why` is a sentence for the user.

    `version` is the chain's: the one asked for, or the one that suits the binary.
    """

    engine: Literal["embedded", "fisco"]
    binary: Path | None
    why: str
    version: str = VERSION_DEFAULT


def choose_engine(
    choice: EngineChoice, *, binary: Path | None, version: str | None, protocol: str | None = None, environ: Mapping[str, str] = os.environ
) -> EngineDecision:
    """Decide by `--engine`, `-e`, `-v`, `--protocol` and the cache. `version` is like 3.16.0 or v2.9.1, a generation (2.x, 3.x), or None.

    A `protocol` asks for the embedded engine, the only one with a choice; fisco2 is that of generation 2.

    Raises UsageError for -e with the embedded engine and for a version the binary cannot have, EnvironmentFailure for a binary that is
    missing, cannot be run, or is not had.
    """
    wanted, generation = _wish(version)
    asked = "--engine embedded" if choice == "embedded" else f"--protocol {protocol}" if protocol is not None else ""
    if protocol is not None and choice == "fisco":
        raise UsageError("--protocol is for the embedded engine only: a real node has its own", hint="drop it, or --engine fisco")
    if asked:
        if binary is not None:
            raise UsageError(f"{asked} runs no fisco-bcos binary, and -e gives one", hint="drop -e, or use --engine fisco")
        generation = 2 if generation is None and protocol == "fisco2" else generation
        return EngineDecision("embedded", None, f"engine: embedded, as asked ({asked})", _embedded_version(wanted, generation))
    if binary is not None:
        told = probe_binary(binary)
        found = binary_version(told)
        return EngineDecision(
            "fisco", binary.absolute(), f"engine: the real node, {binary} ({told})", _suitable(wanted, generation, found, binary)
        )
    cache = BinaryCache(environ)
    entry = cache.find(wanted) if wanted else cache.newest(generation) if generation else cache.find(VERSION_DEFAULT) or cache.newest(3)
    if entry is not None:
        entry.require_unchanged()
        told = probe_binary(entry.path)
        chosen = _suitable(wanted, generation, binary_version(told), entry.path)
        return EngineDecision("fisco", entry.path, f"engine: the real node from the cache, {entry.path} ({told})", chosen)
    if choice == "fisco" or generation == 2:  # noqa: PLR2004 - FISCO BCOS 2: who asks for it means the real node
        raise EnvironmentFailure(
            f"no fisco-bcos binary: none was given with -e, and there is none in {cache_directory(environ)}",
            hint="give one with -e, or get one: fiscotool binary fetch VERSION, fiscotool binary add PATH; or use --engine embedded",
        )
    why = "engine: embedded, because no fisco-bcos binary was given (-e) or found in the cache"
    return EngineDecision("embedded", None, why, _embedded_version(wanted, generation))


def _wish(version: str | None) -> tuple[str | None, int | None]:
    """The version asked for, if any, and the generation, if any."""
    if version is None:
        return None, None
    match = _GENERATION.fullmatch(version.strip())
    if match:
        return None, int(match[1])
    wanted = parse_version(version)
    return wanted, int(wanted[0])


def _embedded_version(wanted: str | None, generation: int | None) -> str:
    return wanted or (VERSION_2_DEFAULT if generation == 2 else VERSION_DEFAULT)  # noqa: PLR2004 - FISCO BCOS 2


def _suitable(wanted: str | None, generation: int | None, found: str | None, binary: Path) -> str:
    """The chain's version for a binary of version `found`. Raises UsageError for one the binary would refuse at its start."""
    if found is None:
        return wanted or VERSION_DEFAULT
    if generation is not None and generation != int(found[0]):
        raise UsageError(
            f"-v asks for FISCO BCOS {generation}, and {binary} is version {found}", hint="leave -v out, or give another binary"
        )
    if wanted is None:
        older_first = sorted((found, VERSION_DEFAULT), key=version_key)
        return found if found.startswith("2.") else older_first[0]
    if version_key(wanted) > version_key(found):
        raise UsageError(
            f"-v {wanted} is newer than {binary}, which is {found}: its nodes would not start", hint=f"use -v {found} or a newer binary"
        )
    return wanted


def binary_version(told: str) -> str | None:
    """The version in what `fisco-bcos -v` says, like 3.16.4; None where it says none that is known."""
    match = _VERSION.search(told)
    return match[1] if match else None


def probe_binary(binary: Path) -> str:
    """What `binary -v` says its version is. Raises EnvironmentFailure for anything that is not a fisco-bcos that runs here."""
    if not binary.is_file():
        raise EnvironmentFailure(f"{binary} does not exist or is not a file", hint="give the path of a fisco-bcos binary with -e")
    if not os.access(binary, os.X_OK):
        raise EnvironmentFailure(f"{binary} is not executable", hint=f"chmod +x {binary}")
    told = run_command([str(binary.absolute()), "-v"], within_s=_VERSION_S)
    lines = (told.stdout + told.stderr).splitlines()
    line = next((each.strip() for each in lines if "version" in each.lower()), "")
    if not line:
        said = lines[0][:100] if lines else "nothing"
        raise EnvironmentFailure(
            f"{binary} does not look like fisco-bcos: asked for its version it says {said!r}", hint="give a fisco-bcos binary with -e"
        )
    return " ".join(line.split())
