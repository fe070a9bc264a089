"""Four nodes as real processes: they commit, survive kill -9, and say clearly why they cannot start or go on."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from tests.devnet.chains import Running, alarms, make_chain, running, until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x07" * 32)


def raw_tx(run: Running, nonce: str = "") -> str:
    limit = max(run.height(name) for name in list(run.processes)) + 500
    tx = build_transaction(chain_id="chain0", group_id="group0", block_limit=limit, to="0x" + "11" * 20, input=b"", key=KEY, nonce=nonce)
    return encode_transaction(tx).hex()


def send(run: Running, name: str, within_s: float = 60.0) -> int:
    """Send a transaction and wait for its block; its number."""
    receipt = run.call(name, "sendTransaction", raw_tx(run), False, within_s=within_s)
    return int(receipt["blockNumber"])


def same_chain(run: Running) -> bool:
    """Whether all running nodes have the same head."""
    heights = {run.height(name) for name in run.processes}
    if len(heights) != 1 or -1 in heights:
        return False
    height = heights.pop()
    return len({run.ask(name, "getBlockHashByNumber", height) for name in run.processes}) == 1


class Sender(threading.Thread):
    """Sends transactions one after another to the first node that answers, until stopped; remembers what was acknowledged."""

    def __init__(self, run: Running) -> None:
        super().__init__(daemon=True)
        self.run_ = run
        self.acknowledged: list[tuple[str, int]] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self.stopped.wait(0.05):
            names = sorted(self.run_.processes)
            name = names[turn % len(names)] if names else ""
            turn += 1
            try:
                receipt = self.run_.call(name, "sendTransaction", raw_tx(self.run_), False, within_s=4.0)
                self.acknowledged.append((receipt["transactionHash"], int(receipt["blockNumber"])))
            except (OSError, StopIteration, AssertionError, ValueError, KeyError, http.client.HTTPException):
                continue

    def has_more_than(self, count: int) -> bool:
        return len(self.acknowledged) > count

    def finish(self) -> list[tuple[str, int]]:
        self.stopped.set()
        self.join(10)
        return self.acknowledged


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("processes") / "nodes", 4, min_seal_time_ms=50, trace=True)


@pytest.fixture
def fresh(tmp_path: Path) -> Chain:
    return make_chain(tmp_path / "nodes", 4, min_seal_time_ms=50)


def test_each_node_is_killed_and_comes_back_and_nothing_acknowledged_is_lost(chain: Chain) -> None:
    with running(chain) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
        sender = Sender(run)
        sender.start()
        for name in [node.name for node in chain.nodes]:
            before = len(sender.acknowledged)
            run.kill(name)
            until(partial(sender.has_more_than, before + 2), within_s=60, what=f"blocks go on without {name}")
            run.start(name)
            until(partial(run.is_ready, name), within_s=60, what=f"{name} is back in a view")
        acknowledged = sender.finish()
        until(lambda: same_chain(run), within_s=60, what="all nodes have the same head")
        for tx_hash, number in acknowledged:
            assert {run.call(name, "getTransactionReceipt", tx_hash, False)["blockNumber"] for name in run.processes} == {number}
        # All at once: what was acknowledged is there when all have been killed and started again.
        height = run.height("node0")
        for node in chain.nodes:
            run.kill(node.name)
        run.start()
        until(run.is_ready, within_s=60, what="the chain is ready after all were killed")
        assert all(run.height(node.name) >= height for node in chain.nodes)
        assert send(run, "node2") > height
        assert set(run.stop().values()) == {0}
        assert "fisco-bcos program exit normally." in run.out_text("node0")
        assert "exit because receive signal 15" in run.out_text("node0")
    assert "######## CommitProposal" in run.log_text("node1")
    assert alarms(chain) == []


def test_a_node_without_its_data_synchronises(chain: Chain) -> None:
    with running(chain) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
        run.kill("node3")
        shutil.rmtree(run.node("node3").directory / "data")
        for _ in range(5):
            send(run, "node0")
        run.start("node3")
        until(lambda: run.height("node3") >= run.height("node0") > 0, within_s=60, what="node3 has caught up")
        until(lambda: same_chain(run), within_s=60, what="all nodes have the same head")


def test_a_frozen_node_does_not_stop_the_others_and_comes_back(chain: Chain) -> None:
    with running(chain) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
        run.signal("node1", signal.SIGSTOP)
        others = ["node0", "node2", "node3"]
        for turn in range(2):
            send(run, others[turn])
        run.signal("node1", signal.SIGCONT)
        until(lambda: same_chain(run), within_s=60, what="node1 has caught up")
    assert not [alarm for alarm in alarms(chain) if not alarm.startswith("durable")], "another test may have lost the data of a node"


def test_a_blacklist_cuts_a_node_off_and_letting_it_in_again_heals(chain: Chain) -> None:
    """A partition without root: `crl.N` of config.ini and SIGUSR1 on every other node (spec 3.x 0)."""
    others = ["node1", "node2", "node3"]
    p2p_id = (chain.nodes[0].directory / "conf" / "ssl.nodeid").read_text().strip()
    with running(chain) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")

        def edit(old: str, new: str) -> None:
            for name in others:
                path = run.node(name).directory / "config.ini"
                path.write_text(path.read_text().replace(old, new))
                run.signal(name, signal.SIGUSR1)

        edit("[certificate_blacklist]", f"[certificate_blacklist]\ncrl.0={p2p_id}")
        until(lambda: run.status("node0")["connectedNodeList"] == 1, within_s=5, what="node0 is cut off")
        height = send(run, "node1")
        assert run.height("node0") < height
        edit(f"crl.0={p2p_id}", "")
        until(lambda: run.height("node0") >= height, within_s=60, what="node0 has caught up")
        assert "reload p2p connected nodes successfully" in run.log_text("node1")


def test_idle_nodes_are_small(chain: Chain) -> None:
    psutil = pytest.importorskip("psutil")
    with running(chain) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
        for process in run.processes.values():
            assert psutil.Process(process.pid).memory_info().rss < 80 * 1024 * 1024


def start_alone(chain: Chain, name: str = "node0", *, within_s: float = 10.0, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run one node until it ends by itself; (exit status, what it printed)."""
    home = next(node for node in chain.nodes if node.name == name)
    code = "import sys; from fiscotool.devnet.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "-c", "config.ini", "-g", "config.genesis"],
        cwd=home.directory,
        capture_output=True,
        timeout=within_s,
        check=False,
        env={**os.environ, **(env or {})},
    )
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def _taken(chain: Chain) -> None:
    import socket

    port = chain.nodes[0].p2p_port
    holder = socket.create_server(("127.0.0.1", port))
    _held.append(holder)


_held: list[object] = []


def _no_key(chain: Chain) -> None:
    (chain.nodes[0].directory / "conf" / "node.pem").unlink()


def _bad_certificate(chain: Chain) -> None:
    (chain.nodes[0].directory / "conf" / "ssl.crt").write_text("not a certificate")


def _bad_ini(chain: Chain) -> None:
    path = chain.nodes[0].directory / "config.ini"
    path.write_text(path.read_text().replace("min_seal_time=", "min_seal_time=-"))


def _bad_nodes(chain: Chain) -> None:
    (chain.nodes[0].directory / "nodes.json").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(_taken, "Address already in use", id="the P2P port is taken"),
        pytest.param(_no_key, "node.pem", id="no key"),
        pytest.param(_bad_certificate, "ssl.crt", id="a bad certificate"),
        pytest.param(_bad_ini, "min_seal_time", id="a bad value"),
        pytest.param(_bad_nodes, "nodes.json", id="a bad list of nodes"),
    ],
)
def test_a_failed_start_says_why_and_ends_with_255(fresh: Chain, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoil(fresh)
    status, printed = start_alone(fresh)
    assert status == 255
    assert "start fisco-bcos failed, error:" in printed
    assert said in printed
    assert "Traceback" not in printed


def test_it_refuses_to_run_without_asserts(fresh: Chain) -> None:
    status, printed = start_alone(fresh, env={"PYTHONOPTIMIZE": "1"})
    assert status == 255
    assert "python -O" in printed


def test_a_damaged_file_is_named_and_nothing_starts(fresh: Chain) -> None:
    with running(fresh) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
        send(run, "node0")
        run.stop()
        data = fresh.nodes[0].directory / "data"
        files = sorted(
            path
            for path in data.rglob("*")
            if path.is_file() and path.suffix not in {"", ".lock"} and not path.name.endswith(("-wal", "-shm"))
        )
        assert len(files) >= 2
        for path in files:
            kept = path.read_bytes()
            path.write_bytes(b"damaged " * 2048)
            status, printed = start_alone(fresh)
            assert status == 255, path
            assert path.name in printed
            assert "Traceback" not in printed
            path.write_bytes(kept)


def test_another_genesis_file_is_refused_by_the_ledger(fresh: Chain) -> None:
    with running(fresh) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
    path = fresh.nodes[0].directory / "config.genesis"
    path.write_text(path.read_text().replace("leader_period=1", "leader_period=2"))
    status, printed = start_alone(fresh)
    assert status == 255
    assert "genesis" in printed.lower()


def test_words_on_the_command_line() -> None:
    code = "import sys; from fiscotool.devnet.main import main; sys.exit(main(sys.argv[1:]))"

    def run_with(*words: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, timeout=10, check=False, text=True)
        return done.returncode, done.stdout + done.stderr

    assert run_with("-v")[0] == 0
    assert run_with("--what")[0] == 255
    status, printed = run_with("-c", "absent.ini")
    assert (status, "not found" in printed) == (0, True), "as the real node: spec 3.x 0"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB for one node's data."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_node_with_clear_words_and_no_torn_block(fresh: Chain, small_disk: Path) -> None:
    with running(fresh) as run:
        until(run.is_ready, within_s=60, what="the chain is ready")
        run.kill("node2")
        data = fresh.nodes[2].directory / "data"
        shutil.copytree(data, small_disk / "data")
        shutil.rmtree(data)
        data.symlink_to(small_disk / "data")
        run.start("node2")
        until(lambda: run.is_ready("node2"), within_s=60, what="node2 is back")
        free_bytes = shutil.disk_usage(small_disk).free
        (small_disk / "filler").write_bytes(b"x" * (free_bytes - 8192))
        until(lambda: send(run, "node0") and run.processes["node2"].poll() is not None, within_s=60, what="node2 has stopped")
        assert run.processes.pop("node2").wait(1) == 1
        printed = run.out_text("node2")
        assert "disk is full" in printed or "disk I/O error" in printed
        assert "Traceback" not in printed
        height = send(run, "node0")
        # Room again: it starts, its ledger is a prefix of the others', and it catches up.
        (small_disk / "filler").unlink()
        ledger = next(
            path for path in (small_disk / "data").rglob("*") if path.name.startswith("ledger") and path.suffix in {".sqlite", ".db"}
        )
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        run.start("node2")
        until(lambda: run.height("node2") >= height, within_s=60, what="node2 has caught up")
        until(lambda: same_chain(run), within_s=60, what="all nodes have the same head")


@pytest.mark.parametrize("kind", ["equivocate", "double-sign", "drop-commits", "lie-height", "forge-block"])
def test_one_byzantine_node_cannot_break_agreement(tmp_path: Path, kind: str) -> None:
    chain = make_chain(tmp_path / "nodes", 4, min_seal_time_ms=20, byzantine={"node3": kind}, trace=True)
    honest = ["node0", "node1", "node2"]
    with running(chain) as run:
        until(lambda: run.is_ready(*honest), within_s=60, what="the chain is ready")
        deadline_s = time.monotonic() + 25
        sent = 0
        while sent < 8 and time.monotonic() < deadline_s:
            send(run, honest[sent % 3])
            sent += 1
        assert sent >= 6
        heights = [run.height(name) for name in honest]
        for number in range(1, min(heights) + 1):
            assert len({run.call(name, "getBlockHashByNumber", number) for name in honest}) == 1
        assert f"misbehaves on purpose: {kind}" in run.log_text("node3")
        if kind == "lie-height":
            assert run.height("node3") >= min(heights) + 90
        if kind == "forge-block":
            forged, true = (run.call(name, "getBlockByNumber", 1, True, True) for name in ("node3", "node0"))
            assert forged["stateRoot"] != true["stateRoot"]
    assert alarms(chain) == []


def test_more_than_f_byzantine_nodes_break_agreement(tmp_path: Path) -> None:
    """The misbehaviour is real: with two of four the honest two end on different chains."""
    chain = make_chain(tmp_path / "nodes", 4, min_seal_time_ms=20, byzantine={"node0": "equivocate", "node1": "equivocate"})
    with running(chain) as run:
        until(lambda: run.is_ready("node2", "node3"), within_s=60, what="the chain is ready")

        def forked() -> bool:
            for name in ("node2", "node3"):
                run.post(name, "sendTransaction", raw_tx(run), False)
            top = min(run.height("node2"), run.height("node3"))
            hashes = [[run.ask(name, "getBlockHashByNumber", number) for number in range(1, top + 1)] for name in ("node2", "node3")]
            return hashes[0] != hashes[1]

        until(forked, within_s=60, what="the two honest nodes disagree")
