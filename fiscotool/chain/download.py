"""Download a file that is verified before anybody uses it: resumed where it was cut, from one of several places.

    <directory>/<name>.part          what has come so far
    <directory>/<name>.part.json     {"url": …, "tag": …}: from where, and which edition (ETag or Last-Modified)

Rule 1. Only a complete file whose SHA-256 is the expected one gets its name; another one is thrown away and never executed.
Rule 2. A connection that breaks is resumed (Range, If-Range) a few times, then the next place is tried; what has come stays for the
        next call. A server without ranges, or with another edition by now, sends it from the start.
Rule 3. Every wait for the network ends: `_CONNECT_S` for a connection, `_READ_S` for the next bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiscotool.chain.binaries import sha256_of
from fiscotool.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    import requests

_CONNECT_S, _READ_S = 10.0, 20.0
_TRIES = 4
_BLOCK_BYTES = 1 << 16
_BYTES_MAX = 1 << 30
_PARTIAL, _OK, _UNSATISFIABLE = 206, 200, 416

Report = Callable[[int, int | None], None]
"""Told the bytes that have come and those there will be, where the server says."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to get. `urls` are tried in order; `sha256` in hex; `by_hand` is what a user can do where no place answers."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    by_hand: str


class WrongChecksum(EnvironmentFailure):
    """What came is not what was expected; `found` is its SHA-256."""

    def __init__(self, message: str, *, hint: str, found: str) -> None:
        super().__init__(message, hint=hint)
        self.found = found


def download(wanted: Wanted, directory: Path, *, report: Report = lambda done, total: None) -> Path:  # noqa: ARG005 - says nothing
    """The verified file. With `sha256` None it is downloaded and kept under its own name, unverified: the caller must not use it.

    Raises UsageError for an address that is none, WrongChecksum, and EnvironmentFailure where no place could give it.
    """
    for url in wanted.urls:
        if not url.startswith(("https://", "http://")):
            raise UsageError(f"{url!r} is no http address", hint="mirrors look like https://mirror.example/fisco/v{version}/{file}")
    target = directory / wanted.name
    if target.is_file() and wanted.sha256 is not None:
        if sha256_of(target) == wanted.sha256:
            return target
        target.unlink()
    _make(directory)
    troubles: list[str] = []
    for url in wanted.urls:
        part = _Part(directory, wanted.name, url)
        trouble = _fetch(url, part, report)
        if trouble:
            troubles.append(f"{url}: {trouble}")
            continue
        if wanted.sha256 is None:
            return part.finish(target)
        found = sha256_of(part.path)
        if found == wanted.sha256:
            return part.finish(target)
        part.forget()
        troubles.append(f"{url}: it has the sha256 {found}, not {wanted.sha256}, and was thrown away")
        if len(wanted.urls) == 1:
            raise WrongChecksum(f"{wanted.name}: {troubles[-1]}", hint=wanted.by_hand, found=found)
    raise EnvironmentFailure(f"{wanted.name} cannot be downloaded: {'; '.join(troubles)}", hint=wanted.by_hand)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise EnvironmentFailure(
            f"{directory} cannot be made: {problem.strerror}", hint="set FISCOTOOL_CACHE to a directory that can be written"
        ) from problem


class _Part:
    """What has come of a file so far, and from where. A part from another place is not continued."""

    def __init__(self, directory: Path, name: str, url: str) -> None:
        self.path = directory / f"{name}.part"
        self._note = directory / f"{name}.part.json"
        self._url = url
        self.tag = ""
        try:
            told = json.loads(self._note.read_text(encoding="utf-8"))
            if told["url"] == url:
                self.tag = str(told["tag"])
            else:
                self.forget()
        except (OSError, ValueError, KeyError, TypeError):
            self.forget()

    @property
    def size_bytes(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, tag: str) -> None:
        """Start again at nothing, with the edition `tag`."""
        self.path.write_bytes(b"")
        self.tag = tag
        self._note.write_text(json.dumps({"url": self._url, "tag": tag}), encoding="utf-8")

    def forget(self) -> None:
        """Remove what has come."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> Path:
        """Give the complete file its name."""
        self.path.replace(target)
        self._note.unlink(missing_ok=True)
        return target


def _fetch(url: str, part: _Part, report: Report) -> str:
    """Empty when `part` is complete, else why not."""
    import requests

    trouble = ""
    with requests.Session() as session:
        for _ in range(_TRIES):
            before = part.size_bytes
            try:
                trouble = _fetch_once(session, url, part, report)
            except requests.RequestException as problem:
                trouble = _short(problem)
            except OSError as problem:
                return f"it cannot be written: {problem.strerror}"
            if not trouble:
                return ""
            if part.size_bytes <= before:
                # Nothing came: asking the same again at once would not help.
                break
    kept = part.size_bytes
    return f"{trouble} ({kept >> 10} KiB are kept, and the next call goes on there)" if kept else trouble


def _fetch_once(session: requests.Session, url: str, part: _Part, report: Report) -> str:
    have = part.size_bytes
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.tag:
            headers["If-Range"] = part.tag
    with session.get(url, headers=headers, stream=True, timeout=(_CONNECT_S, _READ_S)) as answer:
        tag = str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if answer.status_code == _UNSATISFIABLE and have:
            # The part is as long as the file, or longer: only the checksum can tell.
            return "" if f"/{have}" in str(answer.headers.get("Content-Range", "")) else _restart(part)
        if answer.status_code not in {_OK, _PARTIAL}:
            return f"the server answers {answer.status_code} {answer.reason}"
        if answer.status_code == _OK or not have:
            part.begin(tag)
            have = 0
        elif not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            return _restart(part)
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        done = have
        with part.path.open("ab") as file:
            for block in answer.iter_content(_BLOCK_BYTES):
                file.write(block)
                done += len(block)
                if done > _BYTES_MAX:
                    return f"it is longer than {_BYTES_MAX >> 20} MiB"
                report(done, total)
    return "" if total is None or done == total else f"the connection ended after {done} of {total} bytes"


def _restart(part: _Part) -> str:
    part.forget()
    return "the server cannot go on where it was cut; it is to be sent anew"


def _short(problem: Any) -> str:
    text = str(problem)
    for sign, words in (("Name or service", "its name cannot be resolved"), ("resolve", "its name cannot be resolved"),
                        ("refused", "connection refused"), ("timed out", "no answer in time"), ("IncompleteRead", "the connection was cut"),
                        ("broken", "the connection was cut"), ("reset", "the connection was cut")):  # fmt: skip
        if sign in text:
            return words
    return text[:200]


def all_urls(mirrors: Sequence[str], version: str, file: str, official: str) -> tuple[str, ...]:
    """Where to get `file` of `version`: mirrors first, with {version} and {file} filled in, the official address last."""
    filled = []
    for mirror in mirrors:
        try:
            filled.append(mirror.format(version=version, file=file))
        except (KeyError, IndexError, ValueError) as problem:
            raise UsageError(
                f"the mirror {mirror!r} cannot be filled in: {problem}", hint="only {version} and {file} may stand in it"
            ) from problem
    return tuple(dict.fromkeys([*filled, official]))
