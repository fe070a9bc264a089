"""Control of directories of both generations, made by fiscotool or adopted: started the way their scripts would, believed only over RPC.

Reference: spec 2.x 4.8 (start.sh greps an appended nohup.out; exit texts), spec 3.x 4.8; recordings/v3/deploy/port_in_use.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fiscotool.chain.deploy import deploy_chain
from fiscotool.chain.manifest import MANIFEST_NAME
from fiscotool.chain.model import Chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.remove import destroy_chain
from fiscotool.errors import ChainDirectoryError
from fiscotool.nodes.control import NodesFailed, kill, pause, restart, resume, start, stop
from fiscotool.nodes.process import find, states_of
from tests.nodes.stub import stub_binary, tell
from tests.support.ports import free_ports
from tests.support.until import until


def deployed(place: Path, generation: int, *, is_adopted: bool, count: int = 2) -> Chain:
    """A chain of the stub, deployed as a user would; `is_adopted` takes away what tells that fiscotool made it."""
    first = free_ports(3 * count)[0]
    ports = f"{first},{first + count},{first + 2 * count}"
    binary = stub_binary(place, generation)
    chain, _ = deploy_chain(layout=f"127.0.0.1:{count}", into=place / "nodes", ports=ports, binary=binary, maker="native")
    if is_adopted:
        (chain.root / MANIFEST_NAME).unlink()
        chain = read_chain(chain.root)
    assert chain.generation == generation
    return chain


@pytest.fixture(scope="module", params=[(2, False), (2, True), (3, True)], ids=["2.x ours", "2.x adopted", "3.x adopted"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    generation, is_adopted = request.param
    return deployed(tmp_path_factory.mktemp("made"), generation, is_adopted=is_adopted)


@pytest.fixture
def chain(made: Chain) -> Iterator[Chain]:
    """The chain of this module, as it was made."""
    yield made
    kill(made.nodes)
    for node in made.nodes:
        for name in ("nohup.out", "signals", "behave"):
            (node.directory / name).unlink(missing_ok=True)


def states(chain: Chain) -> list[str]:
    return [states_of(chain.nodes)[node.name].state for node in chain.nodes]


def test_every_control_works_on_it(chain: Chain) -> None:
    assert [outcome.did for outcome in start(chain.nodes)] == ["started", "started"]
    assert [outcome.did for outcome in start(chain.nodes)] == ["already running", "already running"]
    first = find(chain.nodes[0])
    assert first is not None
    assert first.directory == chain.nodes[0].directory
    assert [outcome.did for outcome in pause(chain.nodes[:1])] == ["paused"]
    assert states(chain) == ["paused", "running"]
    resume(chain.nodes[:1])
    restart(chain.nodes[:1])
    assert find(chain.nodes[0]) not in {None, first}
    kill(chain.nodes[1:])
    assert states(chain) == ["running", "stopped"]
    assert [outcome.did for outcome in stop(chain.nodes)] == ["stopped", "already stopped"]
    assert states(chain) == ["stopped", "stopped"]


def test_its_own_scripts_and_control_know_of_each_other(chain: Chain) -> None:
    """start.sh and stop.sh of the directory see what was started here, and the other way round."""
    node = chain.nodes[0]
    done = subprocess.run(["bash", node.directory / "start.sh"], capture_output=True, text=True, check=False, timeout=30)
    assert f"{node.name} start successfully" in done.stdout, done.stdout
    assert [outcome.did for outcome in start([node])] == ["already running"]
    stop([node])
    start([node])
    done = subprocess.run(["bash", node.directory / "stop.sh"], capture_output=True, text=True, check=False, timeout=30)
    assert f"stop {node.name} success" in done.stdout
    until(lambda: find(node) is None)


def test_old_words_in_nohup_are_not_believed_and_the_last_ones_are_shown(chain: Chain) -> None:
    """What start.sh of 2.x takes for a success: "running" in what an earlier life left in nohup.out."""
    start(chain.nodes)
    stop(chain.nodes)
    tell(chain, "node0", "die 255 Init failed!!!")
    assert "is running" in (chain.nodes[0].directory / "nohup.out").read_text()
    with pytest.raises(NodesFailed) as caught:
        start(chain.nodes)
    assert "node0: its process ended with status 255 right after the start" in caught.value.message
    assert "Init failed!!!" in caught.value.message
    assert "is running" not in caught.value.failures["node0"]
    assert [outcome.did for outcome in caught.value.outcomes] == ["started"]


def test_the_script_says_by_its_status_whether_a_2x_node_started(tmp_path: Path) -> None:
    chain = deployed(tmp_path, 2, is_adopted=False, count=1)
    tell(chain, "node0", "die 255 Init failed!!!")
    done = subprocess.run(["bash", chain.nodes[0].directory / "start.sh"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "Exceed waiting time" in done.stdout
    assert "Init failed!!!" in done.stdout


@pytest.mark.parametrize("generation", [2, 3], ids=["2.x", "3.x"])
def test_a_damaged_directory_can_be_destroyed(tmp_path: Path, generation: int) -> None:
    chain = deployed(tmp_path, generation, is_adopted=False)
    genesis = "conf/group.1.genesis" if generation == 2 else "config.genesis"
    (chain.nodes[0].directory / "config.ini").write_text("[broken\n")
    (chain.nodes[1].directory / genesis).unlink()
    for name in ("data/group1/x", "log/log_1.log", "nohup.out", "stat/x"):
        path = chain.nodes[1].directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    with pytest.raises(ChainDirectoryError):
        read_chain(chain.root)
    assert destroy_chain(chain.root) == ()
    assert not chain.root.exists()
