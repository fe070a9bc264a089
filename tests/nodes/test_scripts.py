"""start.sh, stop.sh and their kin as a person uses them. Reference: spec 3.x 4.8; recordings/v3/misc/start_stop_scripts.txt, deploy/port_in_use."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from fiscotool.chain.model import Chain, NodeHome
from fiscotool.nodes.control import start, stop
from fiscotool.nodes.process import find, state_of
from tests.nodes.stub import stub_chain, tell
from tests.support.shared import shared

GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def run(script: Path, *, cwd: Path | None = None) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", str(script)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout


def pid_of(node: NodeHome) -> int:
    identity = find(node)
    assert identity is not None
    return identity.pid


def shape(text: str) -> list[str]:
    """Lines with their numbers, times and colours left out, sorted: nodes are started at once."""
    return sorted(re.sub(r"\d+", "N", re.sub(r"\x1b?\[\d+m", "", line)) for line in text.splitlines() if line.strip())


def test_the_scripts_say_what_those_of_build_chain_say(chain: Chain) -> None:
    host = chain.nodes[0].directory.parent
    status, said = run(host / "start_all.sh")
    assert status == 0
    assert said.startswith("try to start node0\ntry to start node1\n")
    for node in chain.nodes:
        assert f"{GREEN} {node.name} start successfully pid={pid_of(node)}{PLAIN}\n" in said
    recorded = shared("recordings/v3/deploy/start_all.stdout.txt").read_text()
    assert set(shape(said)) == set(shape(recorded))
    began = pid_of(chain.nodes[0])
    status, said = run(chain.nodes[0].directory / "start.sh")
    assert (status, said) == (0, f" node0 is running, pid is {began}.\n")
    assert (chain.nodes[0].directory / "signals").read_text() == "SIGUSR1\nSIGUSR2\n"
    assert pid_of(chain.nodes[0]) == began
    assert run(chain.nodes[1].directory / "stop.sh") == (0, f"{GREEN} stop node1 success.{PLAIN}\n")
    assert run(chain.nodes[1].directory / "stop.sh") == (0, " node1 isn't running.\n")
    status, said = run(host / "stop_all.sh")
    assert status == 0
    assert said == f"try to stop node0\n{GREEN} stop node0 success.{PLAIN}\ntry to stop node1\n node1 isn't running.\n"
    transcript = shape(shared("recordings/v3/misc/start_stop_scripts.txt").read_text())
    for line in (" nodeN is running, pid is N.", " stop nodeN success.", " nodeN isn't running."):
        assert line in transcript


def test_a_node_that_dies_makes_start_say_so_and_end_with_0_as_the_real_one_does(chain: Chain) -> None:
    """Also when an earlier life left "running" in nohup.out, by which build_chain.sh's script is not deceived either (its node is gone)."""
    tell(chain, "node0", "die 255 bind: Address already in use")
    (chain.nodes[0].directory / "nohup.out").write_text("[2026-11-21 04:32:13] The fisco-bcos is running...\n")
    status, said = run(chain.nodes[0].directory / "start.sh")
    assert status == 0
    assert f"{RED}  Exceed waiting time. Please try again to start node0 {PLAIN}\n" in said
    assert "bind: Address already in use" in said
    assert (
        "Exceed waiting time. Please try again to start node0"
        in shared("recordings/v3/deploy/port_in_use/start_all.stdout.txt").read_text()
    )


def test_stop_gives_up_after_ten_tries(chain: Chain) -> None:
    tell(chain, "node0", "deaf")
    start(chain.nodes[:1], wait_s=20)
    script = chain.nodes[0].directory / "stop.sh"
    assert script.read_text().count("sleep 1\n") == 1
    script.write_text(script.read_text().replace("sleep 1\n", "sleep 0.1\n"))
    began = time.monotonic()
    status, said = run(script)
    assert (status, said) == (1, "  Exceed maximum number of retries. Please try again to stop node0\n")
    assert 1 <= time.monotonic() - began < 25
    assert state_of(chain.nodes[0]).state == "running"


def test_the_scripts_and_this_tool_see_the_same_process(chain: Chain) -> None:
    start(chain.nodes[:1], wait_s=20)
    assert run(chain.nodes[0].directory / "start.sh")[1] == f" node0 is running, pid is {pid_of(chain.nodes[0])}.\n"
    assert run(chain.nodes[0].directory / "stop.sh")[1] == f"{GREEN} stop node0 success.{PLAIN}\n"
    run(chain.nodes[0].directory / "start.sh")
    assert stop(chain.nodes[:1])[0].did == "stopped"


def test_the_scripts_work_in_any_directory_with_any_name(tmp_path: Path) -> None:
    chain = stub_chain(tmp_path / "a b 'c' $d", 1)
    assert "start successfully" in run(chain.nodes[0].directory / "start.sh", cwd=tmp_path)[1]
    assert "success" in run(chain.nodes[0].directory / "stop.sh", cwd=Path("/"))[1]


def test_stop_never_ends_another_program(chain: Chain, tmp_path: Path) -> None:
    """One whose command line and directory are the node's, and a node whose path ends in this one's: `ps | grep` takes both for it."""
    node = chain.nodes[0]
    words = [f"{node.directory}/../fisco-bcos", "-c", "config.ini", "-g", "config.genesis"]
    inner = stub_chain(tmp_path / "x" / str(chain.root).strip("/"), 1)
    assert "start successfully" in run(inner.nodes[0].directory / "start.sh")[1]
    try:
        command = [sys.executable, "-c", "import time; time.sleep(60)", *words]
        with (
            subprocess.Popen(command, cwd=node.directory) as other,
            subprocess.Popen(["tail", "-f", words[0]], cwd=node.directory) as reader,
        ):
            assert run(node.directory / "stop.sh") == (0, " node0 isn't running.\n")
            assert other.poll() is None
            assert reader.poll() is None
            other.kill()
            reader.kill()
        assert state_of(inner.nodes[0]).state == "running"
    finally:
        run(inner.nodes[0].directory / "stop.sh")
