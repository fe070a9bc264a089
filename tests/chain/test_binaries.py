"""Downloads from a real HTTP server that cuts, lies and refuses; and that nothing is executed that did not match."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from fiscotool.chain.binaries import BinaryCache
from fiscotool.chain.binary import choose_engine
from fiscotool.chain.download import Wanted, WrongChecksum, download
from fiscotool.chain.releases import add_binary, archive_name, fetch_binary, read_configuration
from fiscotool.cli.main import cli
from fiscotool.errors import EnvironmentFailure, UsageError

CONTENT = bytes(range(256)) * 4096  # 1 MiB, so that a cut comes in the middle of it
CLOSED = "http://127.0.0.1:1/x"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Behaviour:
    """What the server does: sends at most `cut_after` bytes of each answer, `cuts` times; knows ranges or not; its ETag; a status."""

    content: bytes = CONTENT
    cut_after: int = 0
    cuts: int = 0
    ranges: bool = True
    tag: str = '"one"'
    status: int = 200
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(behaviour: Behaviour) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            behaviour.asked.append(asked)
            if behaviour.status != 200:
                self.send_error(behaviour.status)
                return
            is_same = self.headers.get("If-Range", behaviour.tag) == behaviour.tag
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and behaviour.ranges and is_same else 0
            size = len(behaviour.content)
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = behaviour.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", behaviour.tag)
            self.end_headers()
            if behaviour.cuts > 0:
                behaviour.cuts -= 1
                body = body[: behaviour.cut_after]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/file"
        server.shutdown()
        thread.join(5)


def wanted(*urls: str, checksum: str | None = None) -> Wanted:
    return Wanted("file", urls, checksum or sha256(CONTENT), "do it by hand")


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_file_comes_whole_and_verified(url: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download(wanted(url), tmp_path, report=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == {"file"}
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_connection_that_is_cut_is_resumed_where_it_was(url: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after, behaviour.cuts = 1 << 18, 2
    assert download(wanted(url), tmp_path).read_bytes() == CONTENT
    assert behaviour.asked == ["", f"bytes={1 << 18}-", f"bytes={1 << 19}-"]


def test_what_came_before_a_failure_is_kept_for_the_next_call(url: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after, behaviour.cuts = 1 << 17, 99
    with pytest.raises(EnvironmentFailure, match=r"512 KiB are kept, and the next call goes on there") as caught:
        download(wanted(url), tmp_path)
    assert caught.value.hint == "do it by hand"
    assert names(tmp_path) == {"file.part", "file.part.json"}
    behaviour.cuts, behaviour.asked = 0, []
    assert download(wanted(url), tmp_path).read_bytes() == CONTENT
    assert behaviour.asked == [f"bytes={1 << 19}-"]


def test_another_edition_is_not_glued_to_the_old_one(url: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after, behaviour.cuts = 1 << 17, 99
    with pytest.raises(EnvironmentFailure):
        download(wanted(url), tmp_path)
    behaviour.cuts, behaviour.tag, behaviour.content = 0, '"two"', b"y" + CONTENT
    assert download(wanted(url, checksum=sha256(behaviour.content)), tmp_path).read_bytes() == behaviour.content


def test_a_server_without_ranges_sends_it_anew(url: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after, behaviour.cuts, behaviour.ranges = 300_000, 1, False
    assert download(wanted(url), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_already_all_of_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.json").write_text(json.dumps({"url": url, "tag": '"one"'}))
    assert download(wanted(url), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_longer_than_it(url: str, behaviour: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    (tmp_path / "file.part.json").write_text(json.dumps({"url": url, "tag": '"one"'}))
    with pytest.raises(EnvironmentFailure, match="sent anew"):
        download(wanted(url), tmp_path)
    assert download(wanted(url), tmp_path).read_bytes() == CONTENT


def test_a_wrong_file_is_thrown_away(url: str, tmp_path: Path) -> None:
    with pytest.raises(WrongChecksum, match="was thrown away") as caught:
        download(wanted(url, checksum="0" * 64), tmp_path)
    assert caught.value.found == sha256(CONTENT)
    assert names(tmp_path) == set()


def test_a_file_that_changed_since_is_got_again(url: str, tmp_path: Path) -> None:
    download(wanted(url), tmp_path).write_bytes(b"changed")
    assert download(wanted(url), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403, 500])
def test_the_next_place_is_tried(url: str, behaviour: Behaviour, tmp_path: Path, status: int) -> None:
    assert download(wanted(CLOSED, url), tmp_path).read_bytes() == CONTENT
    behaviour.status = status
    (tmp_path / "file").unlink()
    with pytest.raises(EnvironmentFailure) as caught:
        download(wanted(CLOSED, url), tmp_path)
    assert "connection refused" in caught.value.message
    assert f"the server answers {status}" in caught.value.message


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense"])
def test_only_http_is_an_address(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no http address"):
        download(wanted(address), tmp_path)


# Releases.


def program(version: str, *, mark: Path | None = None) -> bytes:
    """A program that says its version, and leaves `mark` when it is executed."""
    touch = f"touch {mark}\n" if mark else ""
    return f"#!/bin/sh\n{touch}echo 'FISCO BCOS Version : {version}'\n".encode()


def archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_", "-"))
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A cache of its own, no configuration, this machine taken for a usual one, and the official place out of reach."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("fiscotool.chain.releases._OFFICIAL", CLOSED)
    given = {"FISCOTOOL_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def test_a_release_is_used_only_after_its_checksum_was_confirmed(
    url: str, behaviour: Behaviour, environ: dict[str, str], tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    behaviour.content = archive(fisco_bcos=program("3.16.4", mark=mark))
    with pytest.raises(EnvironmentFailure, match="nobody has said yet which checksum") as caught:
        fetch_binary("v3.16.4", mirrors=[url], environ=environ)
    confirm = f"fiscotool binary fetch 3.16.4 --sha256 {sha256(behaviour.content)}"
    assert confirm in caught.value.hint
    assert not mark.exists()
    assert BinaryCache(environ).entries() == ()
    behaviour.asked = []
    entry = fetch_binary("3.16.4", sha256=sha256(behaviour.content), mirrors=[url], environ=environ)
    assert behaviour.asked == []  # What was downloaded and shown is what is used now.
    assert entry.path == tmp_path / "cache/v3.16.4/fisco-bcos"
    assert mark.exists()
    assert choose_engine("auto", binary=None, version="3.16.4", environ=environ).binary == entry.path


def test_a_release_with_another_checksum_is_never_executed(url: str, behaviour: Behaviour, environ: dict[str, str], tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    behaviour.content = archive(fisco_bcos=program("3.16.4", mark=mark))
    with pytest.raises(EnvironmentFailure, match="was thrown away") as caught:
        fetch_binary("3.16.4", sha256="0" * 64, mirrors=[url], environ={**environ, "no_proxy": "*"})
    assert "fiscotool binary add" in caught.value.hint
    assert not mark.exists()
    assert [path.name for path in (tmp_path / "cache/downloads").iterdir()] == []


def test_mirrors_and_checksums_of_the_configuration(url: str, behaviour: Behaviour, environ: dict[str, str], tmp_path: Path) -> None:
    behaviour.content = archive(bin__fisco_bcos=program("2.9.1").replace(b"FISCO BCOS", b"FISCO-BCOS"))
    (tmp_path / "config/fiscotool").mkdir(parents=True)
    (tmp_path / "config/fiscotool/config.toml").write_text(
        f'[binaries]\nmirrors = ["{url}/v{{version}}/{{file}}"]\n[binaries.sha256]\n"2.9.1/fisco-bcos.tar.gz" = "{sha256(behaviour.content)}"\n'
    )
    assert fetch_binary("2.9.1", environ=environ).version == "2.9.1"
    assert choose_engine("auto", binary=None, version="2.x", environ=environ).version == "2.9.1"


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        pytest.param(archive(readme=b"x"), "holds 0 files called fisco-bcos", id="no program"),
        pytest.param(archive(fisco_bcos=program("3.15.0")), "holds 'FISCO BCOS Version : 3.15.0'", id="another version"),
        pytest.param(b"<html>not found</html>", "cannot be unpacked", id="no archive"),
        pytest.param(archive(fisco_bcos=program("3.16.4"))[:-40], "cannot be unpacked", id="half an archive"),
    ],
)
def test_archives_that_are_none(url: str, behaviour: Behaviour, environ: dict[str, str], content: bytes, fact: str) -> None:
    behaviour.content = content
    with pytest.raises(EnvironmentFailure) as caught:
        fetch_binary("3.16.4", sha256=sha256(content), mirrors=[url], environ=environ)
    assert fact in caught.value.message
    assert caught.value.hint
    assert BinaryCache(environ).entries() == ()


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[binaries", "is no configuration"),
        ('[binaries]\nmirrors = "x"\n', "needs mirrors"),
        ('[binaries.sha256]\n"x" = "y"\n', "no SHA-256"),
    ],
)
def test_wrong_configurations(environ: dict[str, str], tmp_path: Path, text: str, fact: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=fact):
        read_configuration({**environ, "FISCOTOOL_CONFIG": str(path)})
    with pytest.raises(UsageError, match="does not exist"):
        read_configuration({**environ, "FISCOTOOL_CONFIG": str(tmp_path / "nowhere")})


def test_machines_nothing_is_released_for() -> None:
    assert archive_name("3.16.4", system="Darwin", machine="arm64") == "fisco-bcos-macOS-arm.tar.gz"
    with pytest.raises(EnvironmentFailure, match="no fisco-bcos is released for Plan9 on mips"):
        archive_name("3.16.4", system="Plan9", machine="mips")


# A binary that is here already.


@pytest.fixture
def local(tmp_path: Path) -> Callable[..., Path]:
    def make(content: bytes) -> Path:
        path = tmp_path / "some-binary"
        path.write_bytes(content)
        path.chmod(0o755)
        return path

    return make


def test_adding_and_listing_by_the_command_line(environ: dict[str, str], local: Callable[..., Path], tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert "no binary is kept" in run(cli, ["binary", "list"]).output
    assert run(cli, ["binary", "add", str(local(program("3.16.4")))]).exit_code == 0
    listed = json.loads(run(cli, ["binary", "list", "--json"]).stdout)
    assert [(entry["version"], entry["unchanged"]) for entry in listed] == [("3.16.4", True)]
    assert run(cli, ["binary", "path"]).stdout == f"{tmp_path}/cache/v3.16.4/fisco-bcos\n"
    # Somebody exchanges it: it is neither used nor passed off as what it was.
    (tmp_path / "cache/v3.16.4/fisco-bcos").write_bytes(program("3.16.4", mark=tmp_path / "executed"))
    assert "NO, not used" in run(cli, ["binary", "list"]).output
    assert "it is not executed" in str(run(cli, ["binary", "path"]).exception)
    with pytest.raises(EnvironmentFailure, match="has been changed"):
        choose_engine("auto", binary=None, version="3.16.4", environ=environ)
    assert not (tmp_path / "executed").exists()


def test_a_program_nobody_recorded_is_not_used(environ: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "cache/v3.16.4"
    place.mkdir(parents=True)
    (place / "fisco-bcos").write_bytes(program("3.16.4", mark=tmp_path / "executed"))
    (place / "fisco-bcos").chmod(0o755)
    assert choose_engine("auto", binary=None, version="3.16.4", environ=environ).engine == "embedded"
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "checksum", "fact"),
    [
        pytest.param(program("3.16.4"), "0" * 64, "neither executed nor added", id="another checksum"),
        pytest.param(b"#!/bin/sh\necho hello\n", None, "does not look like fisco-bcos", id="another program"),
        pytest.param(program("9.9.9"), None, "holds no version", id="an unknown version"),
        pytest.param(b"\x7fELF of elsewhere", None, "cannot be run here", id="for another machine"),
    ],
)
def test_what_is_not_added(environ: dict[str, str], local: Callable[..., Path], content: bytes, checksum: str | None, fact: str) -> None:
    with pytest.raises(EnvironmentFailure, match=fact):
        add_binary(local(content), sha256=checksum, environ=environ)
    assert BinaryCache(environ).entries() == ()
    with pytest.raises(EnvironmentFailure, match="does not exist"):
        add_binary(Path("/nowhere"), environ=environ)
