"""Which engine runs in the nodes, and which fisco-bcos: decided once, with one sentence that says why.

    --engine auto       a binary given with -e, or one in the cache, else the embedded engine
    --engine fisco      a binary given with -e, or one in the cache, else an error
    --engine embedded   the embedded engine

The cache is `$FISCOTOOL_CACHE`, or `$XDG_CACHE_HOME/fiscotool`, or `~/.cache/fiscotool`; a binary lies in it as `<version>/fisco-bcos`
(v3.16.0/fisco-bcos) or as `fisco-bcos` for any version.

Sources: spec 3.x 4.1 (-e, -v), 0 (`fisco-bcos -v`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fiscotool.chain.command import run_command
from fiscotool.chain.model import BINARY_NAME
from fiscotool.errors import EnvironmentFailure, UsageError

EngineChoice = Literal["auto", "fisco", "embedded"]

_VERSION_S = 10.0


@dataclass(frozen=True, slots=True)
class EngineDecision:
    """The engine to deploy with. `binary` is set exactly for engine fisco; `why` is a sentence for the user."""

    engine: Literal["embedded", "fisco"]
    binary: Path | None
    why: str


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where binaries and the official script are kept between runs."""
    own = environ.get("FISCOTOOL_CACHE")
    if own:
        return Path(own)
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fiscotool"


def choose_engine(choice: EngineChoice, *, binary: Path | None, version: str, environ: Mapping[str, str] = os.environ) -> EngineDecision:
    """Decide by `--engine`, `-e` and the cache. `version` is like 3.16.0.

    Raises UsageError for -e with the embedded engine, EnvironmentFailure for a binary that is missing, cannot be run, or is not had.
    """
    if choice == "embedded":
        if binary is not None:
            raise UsageError("--engine embedded runs no fisco-bcos binary, and -e gives one", hint="drop -e, or use --engine fisco")
        return EngineDecision("embedded", None, "engine: embedded, as asked (--engine embedded)")
    if binary is not None:
        told = probe_binary(binary)
        return EngineDecision("fisco", binary.absolute(), f"engine: the real node, {binary} ({told})")
    cached = _cached(version, environ)
    if cached is not None:
        told = probe_binary(cached)
        return EngineDecision("fisco", cached, f"engine: the real node from the cache, {cached} ({told})")
    if choice == "fisco":
        raise EnvironmentFailure(
            f"no fisco-bcos binary: none was given with -e, and there is none in {cache_directory(environ)}",
            hint=f"give one with -e, or put one at {cache_directory(environ) / f'v{version}' / BINARY_NAME}; or use --engine embedded",
        )
    return EngineDecision("embedded", None, "engine: embedded, because no fisco-bcos binary was given (-e) or found in the cache")


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


def _cached(version: str, environ: Mapping[str, str]) -> Path | None:
    cache = cache_directory(environ)
    return next(
        (path for path in (cache / f"v{version}" / BINARY_NAME, cache / version / BINARY_NAME, cache / BINARY_NAME) if path.is_file()), None
    )
