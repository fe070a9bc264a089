"""Bad days, at the command line: each ends with a clear error and the next step, or is survived; Ctrl-C leaves nothing broken."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fiscotool.observer.recording import load_recording
from tests.e2e.user import User, chain_of, is_gone, ports_option, wait_until

pytestmark = [pytest.mark.devnet]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, engine: tuple[str, ...]) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("bad-days"), *engine) as found:
        yield found


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


# Ctrl-C


def test_ctrl_c_ends_an_open_recording_whole(user: User) -> None:
    path = user.place / "open.jsonl"
    user.run("send")
    done = user.interrupt("observe", "--out", path.name, when=lambda: lines_of(path) > 20)
    assert done.code == 0
    seen = load_recording(path)
    assert (seen.problems, seen.ended_s is not None) == ((), True)
    user.run("check", path.name)


def test_ctrl_c_before_the_time_that_was_asked_for_is_an_interruption(user: User) -> None:
    path = user.place / "cut.jsonl"
    done = user.interrupt("observe", "--out", path.name, "--for", "60s", when=lambda: lines_of(path) > 20)
    assert done.code == 130
    assert "of 60 s" in done.err
    assert load_recording(path).problems == ()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("watch",), 0, id="watch"),
        pytest.param(("watch", "--for", "60"), 130, id="watch --for"),
        pytest.param(("logs", "-f", "--all"), 0, id="logs -f"),
        pytest.param(("send", "--count", "100000", "--rate", "20", "--json"), 130, id="send"),
    ],
)
def test_ctrl_c_ends_what_goes_on(user: User, words: tuple[str, ...], code: int) -> None:
    with user.typing(*words) as process:
        assert process.stdout is not None
        if words[0] == "send":
            before = max(user.heights())
            wait_until(lambda: max(user.heights()) > before + 1, within_s=60, what="transactions are in blocks")
        else:
            assert process.stdout.readline()
        process.send_signal(2)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    if words[0] == "send":
        assert '"committed": ' in out, "what was known by then is told"


def test_ctrl_c_while_nodes_start_says_how_to_look(user: User) -> None:
    user.run("kill", "--all")
    done = user.interrupt("start", "--all", when=lambda: any(state == "running" for state in map(user.target.state_of, user.target.names)))
    if done.code:  # The nodes may have been ready before the key was pressed.
        assert done.code == 130
        assert "see what runs: fiscotool status" in done.err
    user.run("start", "--all")
    user.await_whole()


def test_ctrl_c_while_a_chain_is_made_leaves_nothing(tmp_path: Path) -> None:
    user = User(tmp_path, ports=ports_option(60))
    done = user.interrupt("deploy", "-l", "127.0.0.1:60", "-o", "many", when=lambda: any(tmp_path.iterdir()))
    assert done.code == 130
    assert list(tmp_path.iterdir()) == []


# Ports, directories, disks


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4")
    rpc_port = int(user.ports.split(",")[1]) + 2
    with socket.create_server(("127.0.0.1", rpc_port)):
        for words in (("start", "--all"), ("deploy", "-l", "127.0.0.1:4", "-o", "other")):
            done = user.run(*words, code=3)
            assert f"node2: rpc port {rpc_port} on 127.0.0.1 is already taken by" in done.err
            assert f"(pid {os.getpid()})" in done.err
    assert set(user.states().values()) == {"stopped"}
    assert not (tmp_path / "other").exists()


class Page(BaseHTTPRequestHandler):
    """A web server that is no node."""

    def do_POST(self) -> None:
        self.send_response(502)
        self.end_headers()
        self.wfile.write(b"<html>Bad gateway</html>")

    def log_message(self, *words: object) -> None:
        del words


def test_something_else_answers_on_the_rpc_port(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4")
    rpc_port = int(user.ports.split(",")[1])
    with ThreadingHTTPServer(("127.0.0.1", rpc_port), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            done = user.run("query", "height", "--node", "node0", code=4)
            assert "502" in done.err or "not JSON" in done.err
            assert "hint: " in done.err
            assert user.run("status").out.count("stopped") == 4
        finally:
            server.shutdown()
            thread.join(10)


def test_a_start_that_takes_too_long_is_said_and_goes_on(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4")
    try:
        done = user.run("start", "--within", "0.01", code=6)
        assert "they go on; look again with: fiscotool status" in done.err
        wait_until(lambda: all(height >= 0 for height in user.heights()), within_s=60, what="they were started all the same")
    finally:
        user.run("kill", "--all")
        user.close()


def test_a_node_directory_of_another_chain(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4")
    user.run("deploy", "-l", "127.0.0.1:4", "-o", "other")
    mine, others = (tmp_path / name / "127.0.0.1" / "node2" for name in ("nodes", "other"))
    shutil.rmtree(mine)
    shutil.copytree(others, mine)
    done = user.run("start", "--all", code=3)
    assert "node2 does not belong to this chain: its config.genesis differs" in done.err
    assert "put the right directory back" in done.err


def test_a_damaged_chain_can_be_stopped_and_destroyed(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.deploy_and_start("-o", "nodes")
    pids = [row["pid"] for row in user.status().values()]
    (tmp_path / "nodes" / "127.0.0.1" / "node1" / "config.genesis").unlink()
    assert "config.genesis is missing" in user.run("status", code=3).err
    stopped = user.run("kill", "--all")
    assert "note: " in stopped.err
    assert stopped.out.count("killed") == 4
    assert all(is_gone(pid) for pid in pids)
    assert "removed nodes" in user.run("destroy", "--yes").err
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_is_no_database(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4")
    ledger = tmp_path / "nodes" / "127.0.0.1" / "node1" / "data" / "ledger.sqlite"
    ledger.parent.mkdir()
    ledger.write_text("not a database, whatever its name says", encoding="utf-8")
    try:
        done = user.run("start", "--all", code=3)
        assert "node1: its process ended" in done.err
        assert "file is not a database" in done.err
        assert "remove its data directory" in done.err
        assert sorted(user.states().values()) == ["running"] * 3 + ["stopped"]
    finally:
        user.run("kill", "--all")


def test_a_recording_on_a_full_disk(user: User) -> None:
    done = user.run("observe", "--out", "/dev/full", "--for", "1s", code=3)
    assert "the disk is full" in done.err


def test_a_directory_that_is_not_ours_is_never_removed(user: User) -> None:
    foreign = user.place / "foreign"
    shutil.copytree(user.place / "nodes", foreign, ignore=shutil.ignore_patterns(".fiscotool.json", "data", "log"))
    done = user.run("destroy", "--yes", "--dir", "foreign", code=3)
    assert "was not made by fiscotool" in done.err
    assert (foreign / "127.0.0.1" / "node0" / "config.ini").is_file()
