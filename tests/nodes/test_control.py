"""Starting, stopping, killing and freezing real processes. Reference: spec 3.x 0, 4.8; recordings/v3/OBSERVED.md section 3."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fiscotool.chain.layout import PortBases, parse_layout
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.portcheck import PortTaken
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.errors import EnvironmentFailure, WaitTimeout
from fiscotool.nodes.control import NodesFailed, kill, pause, restart, resume, start, stop
from fiscotool.nodes.process import find, state_of, states_of
from fiscotool.nodes.wait import wait_for
from tests.nodes.stub import stub_chain, tell
from tests.support.ports import free_ports


def test_a_started_node_answers_and_is_found(chain: Chain) -> None:
    outcomes = start(chain.nodes, wait_s=20)
    assert [outcome.did for outcome in outcomes] == ["started", "started"]
    for node in chain.nodes:
        process = state_of(node)
        assert process.state == "running"
        assert process.identity is not None
        assert process.identity.directory == node.directory
        assert process.since is not None
        assert abs(process.since - time.time()) < 30
        command = Path(f"/proc/{process.identity.pid}/cmdline").read_bytes().split(b"\0")
        assert f"{node.directory}/../fisco-bcos".encode() in command
        assert command[-5:] == [b"-c", b"config.ini", b"-g", b"config.genesis", b""]
        assert Path(f"/proc/{process.identity.pid}/cwd").resolve() == node.directory.resolve()


def test_starting_twice_changes_nothing(chain: Chain) -> None:
    start(chain.nodes, wait_s=20)
    before = find(chain.nodes[0])
    assert [outcome.did for outcome in start(chain.nodes)] == ["already running", "already running"]
    assert find(chain.nodes[0]) == before


def test_stop_ends_the_node_cleanly(chain: Chain) -> None:
    start(chain.nodes, wait_s=20)
    assert [outcome.did for outcome in stop(chain.nodes)] == ["stopped", "stopped"]
    assert {process.state for process in states_of(chain.nodes).values()} == {"stopped"}
    assert "exit because receive signal 15" in (chain.nodes[0].directory / "nohup.out").read_text()
    assert [outcome.did for outcome in stop(chain.nodes)] == ["already stopped", "already stopped"]


def test_kill_leaves_no_last_words(chain: Chain) -> None:
    start(chain.nodes[:1], wait_s=20)
    assert kill(chain.nodes[:1])[0].did == "killed"
    assert "exit" not in (chain.nodes[0].directory / "nohup.out").read_text()


def test_a_restarted_node_is_another_life(chain: Chain) -> None:
    start(chain.nodes[:1], wait_s=20)
    first = find(chain.nodes[0])
    restart(chain.nodes[:1])
    second = find(chain.nodes[0])
    assert first is not None
    assert second is not None
    assert first != second


def test_pause_freezes_and_resume_thaws(chain: Chain) -> None:
    start(chain.nodes, wait_s=20)
    node = chain.nodes[0]
    assert pause([node])[0].did == "paused"
    frozen = state_of(node)
    assert frozen.state == "paused"
    assert frozen.identity is not None
    assert Path(f"/proc/{frozen.identity.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    assert state_of(chain.nodes[1]).state == "running"
    assert pause([node])[0].did == "already paused"
    assert resume([node])[0].did == "resumed"
    assert state_of(node).state == "running"
    assert resume([node])[0].did == "already running"


def test_a_frozen_node_can_be_stopped(chain: Chain) -> None:
    start(chain.nodes[:1], wait_s=20)
    pause(chain.nodes[:1])
    assert stop(chain.nodes[:1])[0].did == "stopped"


def test_a_node_that_is_not_there_cannot_be_frozen(chain: Chain) -> None:
    start(chain.nodes[:1], wait_s=20)
    with pytest.raises(NodesFailed, match="node1 does not run") as caught:
        pause(chain.nodes)
    assert [outcome.node for outcome in caught.value.outcomes] == ["node0"]
    assert state_of(chain.nodes[0]).state == "paused"


def test_a_node_that_dies_at_once_gives_its_last_words(chain: Chain) -> None:
    tell(chain, "node1", "die 255 bind: Address already in use")
    (chain.nodes[1].directory / "nohup.out").write_text("words of an earlier life\n")
    with pytest.raises(NodesFailed) as caught:
        start(chain.nodes, wait_s=20)
    assert "node1: its process ended with status 255" in caught.value.message
    assert "bind: Address already in use" in caught.value.message
    assert "earlier life" not in caught.value.message
    assert "fiscotool logs node1" in caught.value.hint
    assert [outcome.node for outcome in caught.value.outcomes] == ["node0"]


def test_nodes_that_die_of_the_same_are_told_once(chain: Chain) -> None:
    for name in ("node0", "node1"):
        tell(chain, name, "die 1 no module")
    with pytest.raises(NodesFailed) as caught:
        start(chain.nodes, wait_s=20)
    assert caught.value.message.count("no module") == 1
    assert caught.value.message.endswith("\nnode1: the same")
    assert caught.value.failures.keys() == {"node0", "node1"}


def test_a_node_that_never_answers_is_said_to_be_slow_and_goes_on(chain: Chain) -> None:
    tell(chain, "node0", "mute")
    with pytest.raises(WaitTimeout, match=r"not ready within 1 s: node0: http://127.0.0.1:\d+ does not answer"):
        start(chain.nodes, wait_s=1)
    assert state_of(chain.nodes[0]).state == "running"


def test_a_node_that_ignores_sigterm_is_named(chain: Chain) -> None:
    tell(chain, "node0", "deaf")
    start(chain.nodes, wait_s=20)
    with pytest.raises(WaitTimeout, match=r"still there: node0 \(pid \d+\)"):
        stop(chain.nodes, wait_s=0.5)
    assert state_of(chain.nodes[1]).state == "stopped"
    assert kill(chain.nodes)[0].did == "killed"


def test_a_taken_port_is_told_before_anything_is_started(chain: Chain) -> None:
    with socket.create_server(("127.0.0.1", chain.nodes[1].p2p_port)):
        with pytest.raises(PortTaken) as caught:
            start(chain.nodes)
        assert f"node1: p2p port {chain.nodes[1].p2p_port} on 127.0.0.1 is already taken" in caught.value.message
        assert f"(pid {os.getpid()})" in caught.value.message
    assert {process.state for process in states_of(chain.nodes).values()} == {"stopped"}


def test_rpc_over_tls_is_probed_with_the_chains_certificate(tmp_path: Path) -> None:
    chain = stub_chain(tmp_path / "nodes", 1, rpc_tls=True)
    try:
        assert start(chain.nodes, wait_s=20)[0].did == "started"
    finally:
        kill(chain.nodes)


def test_a_missing_interpreter_is_named(chain: Chain) -> None:
    chain.nodes[0].binary.write_text("#!/nowhere/python3.99\n")
    with pytest.raises(NodesFailed, match=r"/nowhere/python3\.99 does not exist"):
        start(chain.nodes[:1])


def test_a_missing_binary_is_named(chain: Chain) -> None:
    chain.nodes[0].binary.unlink()
    with pytest.raises(NodesFailed, match="fisco-bcos is missing"):
        start(chain.nodes[:1])


def test_nodes_of_another_machine_are_not_started_here(tmp_path: Path) -> None:
    plan = plan_chain(ChainSpec(parse_layout("127.0.0.1:1,203.0.113.7:1"), ports=PortBases(*free_ports(3))))
    chain = write_chain(plan, tmp_path / "nodes")
    with pytest.raises(EnvironmentFailure, match=r"203\.0\.113\.7/node0: 203\.0\.113\.7 is not an address of this machine") as caught:
        start(chain.nodes)
    assert f"copy {tmp_path}/nodes/203.0.113.7 to that machine" in caught.value.hint
    assert {process.state for process in states_of(chain.nodes).values()} == {"stopped"}


def test_a_node_may_open_more_files_than_this_shell(chain: Chain) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowered = min(soft, len(list(Path("/proc/self/fd").iterdir())) + 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, hard))
    try:
        start(chain.nodes[:1], wait_s=20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    identity = find(chain.nodes[0])
    assert identity is not None
    assert resource.prlimit(identity.pid, resource.RLIMIT_NOFILE)[0] > lowered


# Processes that are not ours, whatever a file or a command line says.


def test_a_stale_pid_file_with_another_programs_pid_is_never_believed(chain: Chain) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=chain.root) as other:
        for name in ("node.pid", "fisco-bcos.pid", "pid"):
            (chain.nodes[0].directory / name).write_text(f"{other.pid}\n")
        assert state_of(chain.nodes[0]).state == "stopped"
        assert stop(chain.nodes)[0].did == "already stopped"
        assert kill(chain.nodes)[0].did == "already stopped"
        assert other.poll() is None
        other.kill()


def test_a_program_in_the_nodes_directory_with_the_nodes_words_is_not_the_node(chain: Chain) -> None:
    node = chain.nodes[0]
    words = [f"{node.directory}/../fisco-bcos", "-c", "config.ini", "-g", "config.genesis"]
    command = [sys.executable, "-c", "import time; time.sleep(60)", *words]
    with (
        subprocess.Popen(command, cwd=node.directory) as same_words,
        subprocess.Popen(["tail", "-f", words[0]], cwd=node.directory) as reader,
    ):
        assert state_of(node).state == "stopped"
        kill([node])
        assert same_words.poll() is None
        assert reader.poll() is None
        same_words.kill()
        reader.kill()


def test_the_chains_program_in_another_directory_is_not_the_node(chain: Chain, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.ini").write_text((chain.nodes[0].directory / "config.ini").read_text())
    with subprocess.Popen([chain.nodes[0].binary, "-c", "config.ini"], cwd=elsewhere, stdout=subprocess.DEVNULL) as other:
        assert {process.state for process in states_of(chain.nodes).values()} == {"stopped"}
        other.kill()


def test_two_chains_side_by_side_do_not_touch_each_other(chain: Chain, tmp_path: Path) -> None:
    """A path that ends in the other's path: what `ps | grep <path>` takes for the same node."""
    inner = stub_chain(tmp_path / "x" / str(chain.root).strip("/"), 1)
    try:
        start(inner.nodes, wait_s=20)
        assert state_of(chain.nodes[0]).state == "stopped"
        kill(chain.nodes)
        assert state_of(inner.nodes[0]).state == "running"
    finally:
        kill(inner.nodes)


def test_a_node_found_through_a_link_is_the_same_node(chain: Chain, tmp_path: Path) -> None:
    from fiscotool.chain.read import read_chain

    link = tmp_path / "link"
    link.symlink_to(chain.root)
    through = read_chain(link)
    start(through.nodes[:1], wait_s=20)
    assert state_of(chain.nodes[0]).state == "running"
    assert stop(chain.nodes[:1])[0].did == "stopped"


def test_many_nodes_start_and_stop_at_once(tmp_path: Path) -> None:
    chain = stub_chain(tmp_path / "nodes", 6)
    try:
        assert {outcome.did for outcome in start(chain.nodes, wait_s=30)} == {"started"}
        began = time.monotonic()
        stop(chain.nodes)
        assert time.monotonic() - began < 8
    finally:
        kill(chain.nodes)


def test_what_is_started_outlives_an_interrupt_of_this_terminal(chain: Chain) -> None:
    start(chain.nodes[:1], wait_s=20)
    identity = find(chain.nodes[0])
    assert identity is not None
    assert os.getsid(identity.pid) == identity.pid
    assert os.getpgid(identity.pid) != os.getpgrp()


def test_wait_says_what_was_seen_last() -> None:
    seen = iter([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    clock = iter([0.0, 0.1, 0.2, 0.3, 9.0])
    pauses: list[float] = []
    with pytest.raises(WaitTimeout, match="height 9: not within 1 s; last seen: 4"):
        wait_for(lambda: next(seen), lambda n: n == 9, what="height 9", within_s=1, clock=lambda: next(clock), pause=pauses.append)
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_nodes_can_be_controlled_from_several_threads(chain: Chain) -> None:
    problems: list[BaseException] = []

    def cycle(name: str) -> None:
        node = chain.node(name)
        assert node is not None
        try:
            for _ in range(2):
                start([node], wait_s=20)
                kill([node])
        except (EnvironmentFailure, WaitTimeout) as problem:
            problems.append(problem)

    threads = [threading.Thread(target=cycle, args=(node.name,)) for node in chain.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
