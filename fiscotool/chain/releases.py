"""Released fisco-bcos binaries: how their archives are called, where they are, which checksums are known, and getting one.

Configuration, all optional, in `$FISCOTOOL_CONFIG` or `$XDG_CONFIG_HOME/fiscotool/config.toml` (`~/.config/fiscotool/config.toml`):

    [binaries]
    mirrors = ["https://mirror.example/fisco/v{version}/{file}"]       tried first, in order
    [binaries.sha256]
    "3.16.4/fisco-bcos-linux-x86_64.tar.gz" = "<64 hex digits>"        checksum of the archive

Rule. The project publishes no checksums with its releases, so none is known by itself: the first time an archive is downloaded and
its checksum shown, and not a byte of it is executed until the user has confirmed that checksum (--sha256, or the configuration).

Sources: spec 3.x 4.2, spec 2.x 4.1 (names and addresses of the archives).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fiscotool.chain.binaries import BinaryCache, CachedBinary, sha256_of
from fiscotool.chain.binary import binary_version, probe_binary
from fiscotool.chain.download import Report, Wanted, all_urls, download
from fiscotool.chain.model import BINARY_NAME
from fiscotool.chain.spec import parse_version
from fiscotool.errors import EnvironmentFailure, UsageError

_OFFICIAL = "https://github.com/FISCO-BCOS/FISCO-BCOS/releases/download/v{version}/{file}"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARCHIVES = {
    (3, "Linux", "x86_64"): "fisco-bcos-linux-x86_64.tar.gz",
    (3, "Linux", "aarch64"): "fisco-bcos-linux-aarch64.tar.gz",
    (3, "Darwin", "x86_64"): "fisco-bcos-macOS-x86_64.tar.gz",
    (3, "Darwin", "arm64"): "fisco-bcos-macOS-arm.tar.gz",
    (2, "Linux", "x86_64"): "fisco-bcos.tar.gz",
    (2, "Linux", "aarch64"): "fisco-bcos-aarch64.tar.gz",
    (2, "Darwin", "x86_64"): "fisco-bcos-macOS.tar.gz",
    (2, "Darwin", "arm64"): "fisco-bcos-macOS-aarch64.tar.gz",
}


@dataclass(frozen=True, slots=True)
class Configured:
    """What the configuration says of binaries. `sha256` maps "<version>/<archive>" to its checksum."""

    mirrors: tuple[str, ...] = ()
    sha256: Mapping[str, str] | None = None


def read_configuration(environ: Mapping[str, str] = os.environ) -> Configured:
    """The [binaries] of the configuration file; empty where there is none. Raises UsageError where it is wrong."""
    base = environ.get("XDG_CONFIG_HOME")
    own = environ.get("FISCOTOOL_CONFIG")
    path = Path(own) if own else (Path(base) if base else Path(environ.get("HOME", "/nonexistent")) / ".config") / "fiscotool/config.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if own:
            raise UsageError(f"FISCOTOOL_CONFIG names {path}, which does not exist", hint="correct it, or unset it") from None
        return Configured()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} cannot be read: {problem}", hint="check its permissions") from problem
    try:
        section = tomllib.loads(text).get("binaries", {})
        mirrors, sums = section.get("mirrors", []), section.get("sha256", {})
    except (tomllib.TOMLDecodeError, AttributeError) as problem:
        raise UsageError(f"{path} is no configuration: {problem}", hint="see docs/provisioning.md") from problem
    if not isinstance(mirrors, list) or not isinstance(sums, dict) or not all(isinstance(each, str) for each in (*mirrors, *sums.values())):
        raise UsageError(f"{path}: [binaries] needs mirrors = [texts] and sha256 = a table of texts", hint="see docs/provisioning.md")
    return Configured(tuple(mirrors), {str(name): _checksum(value, str(path)) for name, value in sums.items()})


def _checksum(text: str, source: str) -> str:
    value = text.strip().lower()
    if not _SHA256.fullmatch(value):
        raise UsageError(f"{source}: {text!r} is no SHA-256 of 64 hex digits", hint="sha256sum FILE prints it")
    return value


def archive_name(version: str, *, system: str = "", machine: str = "") -> str:
    """The archive of `version` for this machine (or another). Raises EnvironmentFailure where there is none."""
    system, machine = system or platform.system(), machine or platform.machine()
    name = _ARCHIVES.get((int(version[0]), system, {"AMD64": "x86_64"}.get(machine, machine)))
    if name is None:
        raise EnvironmentFailure(
            f"no fisco-bcos is released for {system} on {machine}", hint="build it from source, then: fiscotool binary add PATH"
        )
    return name


def fetch_binary(
    version: str,
    *,
    sha256: str | None = None,
    mirrors: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    report: Report = lambda done, total: None,  # noqa: ARG005 - says nothing
) -> CachedBinary:
    """Download, verify and unpack a release into the cache. Raises UsageError, EnvironmentFailure; see the rule above."""
    version = parse_version(version)
    configured = read_configuration(environ)
    file = archive_name(version)
    key = f"{version}/{file}"
    expected = _checksum(sha256, "--sha256") if sha256 else (configured.sha256 or {}).get(key)
    cache = BinaryCache(environ)
    urls = all_urls([*mirrors, *configured.mirrors], version, file, _OFFICIAL.format(version=version, file=file))
    by_hand = (
        f"on a machine with network: download {urls[-1]}, copy it here, tar -xzf {file}, and: fiscotool binary add fisco-bcos;"
        " or name a mirror with --mirror"
    )
    archive = download(Wanted(f"v{version}-{file}", urls, expected, by_hand), cache.root / "downloads", report=report)
    if expected is None:
        found = sha256_of(archive)
        raise EnvironmentFailure(
            f"{file} of {version} was downloaded to {archive}, and nobody has said yet which checksum it must have: it is not used",
            hint=f"compare with a trusted source, then: fiscotool binary fetch {version} --sha256 {found}",
        )
    with tempfile.TemporaryDirectory(prefix="fiscotool-") as place:
        program = _unpack(archive, Path(place))
        _require_version(program, version)
        entry = cache.put(program, version, urls[0] if len(urls) == 1 else " or ".join(urls))
    archive.unlink(missing_ok=True)
    return entry


def add_binary(path: Path, *, sha256: str | None = None, environ: Mapping[str, str] = os.environ) -> CachedBinary:
    """Put a binary that is on this machine into the cache, under the version it says it has. Raises EnvironmentFailure.

    With `sha256` it is executed only if it has that checksum; without, the user's word is taken for it.
    """
    if not path.is_file():
        raise EnvironmentFailure(f"{path} does not exist or is not a file", hint="name a fisco-bcos binary")
    if sha256 is not None:
        found = sha256_of(path)
        if found != _checksum(sha256, "--sha256"):
            raise EnvironmentFailure(
                f"{path} has the sha256 {found}, not {sha256}: it is neither executed nor added", hint="get the right file"
            )
    with tempfile.TemporaryDirectory(prefix="fiscotool-") as place:
        program = Path(place) / BINARY_NAME
        try:
            shutil.copyfile(path, program)
        except OSError as problem:
            raise EnvironmentFailure(f"{path} cannot be copied: {problem.strerror}", hint="check permissions and free space") from problem
        program.chmod(0o755)
        told = probe_binary(program)
        version = binary_version(told)
        if version is None:
            raise EnvironmentFailure(f"{path} says {told!r}, which holds no version of FISCO BCOS 2 or 3", hint="give a released binary")
        return BinaryCache(environ).put(program, version, str(path.absolute()))


def _unpack(archive: Path, place: Path) -> Path:
    """The program in `archive`: its only regular file of that name. Nothing else is taken out, wherever it would go."""
    try:
        with tarfile.open(archive) as bundle:
            members = [each for each in bundle.getmembers() if each.isreg() and Path(each.name).name == BINARY_NAME]
            source = bundle.extractfile(members[0]) if len(members) == 1 else None
            if source is None:
                raise EnvironmentFailure(
                    f"{archive} holds {len(members)} files called {BINARY_NAME}, not one", hint="is it the archive of a release?"
                )
            program = place / BINARY_NAME
            with program.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    except (tarfile.TarError, OSError, EOFError) as problem:
        raise EnvironmentFailure(f"{archive} cannot be unpacked: {problem}", hint=f"remove it and repeat: rm {archive}") from problem
    program.chmod(0o755)
    return program


def _require_version(program: Path, version: str) -> None:
    told = probe_binary(program)
    found = binary_version(told)
    if found != version:
        raise EnvironmentFailure(f"the archive of {version} holds {told!r}", hint=f"use it as what it is: fiscotool binary fetch {found}")
