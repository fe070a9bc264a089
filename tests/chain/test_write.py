"""Writing a chain: the tree, keys and values of build_chain.sh, all or nothing.

Reference: spec 3.x 4.3 to 4.8; recordings/v3/deploy (tree.txt, generated/).
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fiscotool.chain.files import shebang
from fiscotool.chain.ini import Ini, parse_ini
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import DIFFERENCES, plan_chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.write import Progress, write_chain
from fiscotool.errors import ChainDirectoryError, EnvironmentFailure
from tests.chain.conftest import EVERY_INTERFACE, four
from tests.support.shared import shared


def read_ini(path: Path) -> Ini:
    return parse_ini(path.read_text(), source=path.name)


def tree_of(text: str) -> set[str]:
    """Paths in the output of `tree -s`: four columns of drawing for each level."""
    paths: set[str] = set()
    above: list[str] = []
    for line in text.splitlines():
        match = re.fullmatch(r"((?:│\xa0\xa0 |    )*)[├└]── \[ *\d+\]  (.*)", line)
        if match:
            above[len(match[1]) // 4 :] = [match[2]]
            paths.add("/".join(above))
    return paths


def test_the_tree_is_that_of_build_chain(pristine: Chain) -> None:
    official = {re.sub(r"0x[0-9a-f]{40}", "ADMIN", path) for path in tree_of(shared("recordings/v3/deploy/tree.txt").read_text())}
    ours = {re.sub(r"0x[0-9a-f]{40}", "ADMIN", path.relative_to(pristine.root).as_posix()) for path in pristine.root.rglob("*")}
    assert "127.0.0.1/node3/conf/node.pem" in official
    assert official - ours == set()
    assert ours - official == {".fiscotool.json"}
    assert "3.x .fiscotool.json" in DIFFERENCES


def test_config_ini_has_the_keys_and_values_of_build_chain(tmp_path: Path) -> None:
    """Key by key; each difference is one of DIFFERENCES."""
    official = read_ini(shared("recordings/v3/deploy/generated/node1/config.ini"))
    write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False)
    ours = read_ini(tmp_path / "nodes/127.0.0.1/node1/config.ini")
    different = {
        (section, key)
        for section in official | ours
        for key in official.get(section, {}) | ours.get(section, {})
        if official.get(section, {}).get(key) != ours.get(section, {}).get(key)
    }
    ports = {("p2p", "listen_port"), ("rpc", "listen_port")}  # Those of this test's spec.
    own = {("fiscotool", "engine"), ("fiscotool", "protocol")}
    explained = {
        *ports,
        ("rpc", "enable_ssl"),
        ("web3_rpc", "enable"),
        ("web3_rpc", "listen_port"),
        ("p2p", "listen_ip"),
        ("rpc", "listen_ip"),
        ("web3_rpc", "listen_ip"),
        *own,
    }
    assert different == explained
    assert set(official) - set(ours) == set()
    assert set(ours) - set(official) == {"fiscotool"}
    for section, key in explained - ports - own:
        assert {f"3.x config.ini [{section}] {key}", f"3.x config.ini [*] {key}"} & DIFFERENCES.keys()


def test_what_is_asked_like_build_chain_is_like_build_chain(tmp_path: Path) -> None:
    """TLS on, web3 off, every interface, the real engine: no key differs but the web3 port."""
    official = read_ini(shared("recordings/v3/deploy/generated/node2/config.ini"))
    binary = tmp_path / "fisco-bcos"
    binary.write_bytes(b"\x7fELF not really")
    spec = four(engine="fisco", binary=binary, rpc_tls=True, web3_enabled=False, listen_ip=EVERY_INTERFACE)
    chain = write_chain(plan_chain(spec), tmp_path / "nodes", check_ports=False)
    ours = read_ini(chain.nodes[2].directory / "config.ini")
    for section in ("p2p", "rpc", "web3_rpc"):
        official[section].pop("listen_port")
        ours[section].pop("listen_port")
    assert ours == official
    assert chain.engine == "fisco"
    assert chain.nodes[0].binary.read_bytes() == binary.read_bytes()
    assert chain.nodes[0].listen_ip == EVERY_INTERFACE
    assert chain.nodes[0].rpc_url == f"https://127.0.0.1:{chain.nodes[0].rpc_port}"


def test_config_genesis_has_the_keys_and_values_of_build_chain(tmp_path: Path) -> None:
    official = read_ini(shared("recordings/v3/deploy/generated/node0/config.genesis"))
    chain = write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False)
    texts = {(node.directory / "config.genesis").read_text() for node in chain.nodes}
    assert len(texts) == 1
    ours = read_ini(chain.nodes[0].directory / "config.genesis")
    for ini in (official, ours):
        for key in [key for key in ini["consensus"] if key.startswith("node.")]:
            assert re.fullmatch(r"[0-9a-f]{128}: 1", ini["consensus"][key])
            ini["consensus"][key] = "a key"
        assert re.fullmatch(r"0x[0-9a-f]{40}", ini["executor"].pop("auth_admin_account"))
    assert ours == official


def test_nodes_json_is_written_as_build_chain_does(tmp_path: Path) -> None:
    official = shared("recordings/v3/deploy/generated/node0/nodes.json").read_text()
    write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False)
    ours = (tmp_path / "nodes/127.0.0.1/node0/nodes.json").read_text()
    assert ours.strip() == official.strip().replace("3030", "4130")


def test_embedded_settings_are_written_where_they_belong(pristine: Chain) -> None:
    assert read_ini(pristine.nodes[3].directory / "config.ini")["fiscotool"] == {
        "engine": "embedded",
        "protocol": "fisco3",
        "byzantine": "equivocate",
        "quirks": "amnesia",
    }
    assert read_ini(pristine.nodes[0].directory / "config.ini")["fiscotool"] == {
        "engine": "embedded",
        "protocol": "fisco3",
        "quirks": "amnesia",
    }
    genesis = read_ini(pristine.nodes[0].directory / "config.genesis")
    assert genesis["fiscotool_balances"] == {"0x" + "aa" * 20: str(10**18)}
    assert genesis["consensus"]["node.2"] == f"{pristine.nodes[2].node_id}: 2"


def test_unusual_timing_is_written_only_where_asked(tmp_path: Path) -> None:
    spec = four(pipeline_blocks=1, checkpoint_timeout_ms=5000, min_seal_time_ms=10, block_tx_count_limit=7, leader_period_blocks=3)
    chain = write_chain(plan_chain(spec), tmp_path / "nodes", check_ports=False)
    consensus = read_ini(chain.nodes[0].directory / "config.ini")["consensus"]
    assert consensus == {"min_seal_time": "10", "pipeline_size": "1", "checkpoint_timeout": "5000"}
    assert chain.genesis.block_tx_count_limit == 7
    assert chain.genesis.leader_period_blocks == 3


def test_private_keys_are_for_their_owner_only(pristine: Chain) -> None:
    private = [path for path in pristine.root.rglob("*") if path.suffix == ".key" or (path.suffix == ".pem" and ".public" not in path.name)]
    assert len(private) == 12
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    scripts = [*pristine.root.rglob("*.sh"), *pristine.root.rglob("fisco-bcos")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in scripts} == {0o755}


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    seen: list[Progress] = []
    write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False, report=seen.append)
    assert [progress.done for progress in seen] == list(range(1, seen[-1].total + 1))


# A place that is taken.


def test_a_chain_that_exists_is_not_touched(chain: Chain) -> None:
    before = {path: path.read_bytes() for path in chain.root.rglob("*") if path.is_file()}
    with pytest.raises(ChainDirectoryError, match="already holds a chain: chain0/group0, embedded engine") as caught:
        write_chain(plan_chain(four()), chain.root, check_ports=False)
    assert "fiscotool destroy" in caught.value.hint
    assert before == {path: path.read_bytes() for path in chain.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("entries", "fact"),
    [
        pytest.param([], "it is empty", id="empty"),
        pytest.param(["b.txt", "a.txt"], "it holds a.txt, b.txt", id="somebody's files"),
        pytest.param([f"f{k}" for k in range(9)], "f4 and 4 more", id="many files"),
    ],
)
def test_a_directory_that_exists_is_not_touched(tmp_path: Path, entries: list[str], fact: str) -> None:
    root = tmp_path / "nodes"
    root.mkdir()
    for name in entries:
        (root / name).write_text("mine")
    with pytest.raises(ChainDirectoryError, match=fact) as caught:
        write_chain(plan_chain(four()), root, check_ports=False)
    assert "-o" in caught.value.hint
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(entries)


def test_a_file_or_dangling_link_in_the_place_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("nodes", "link"):
        with pytest.raises(ChainDirectoryError, match="exists and is not a directory"):
            write_chain(plan_chain(four()), tmp_path / name, check_ports=False)
    assert (tmp_path / "nodes").read_text() == "mine"


# Deployments that do not come to their end leave nothing.


def test_an_interrupted_deployment_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_chain(plan_chain(four()), tmp_path / "a/b/nodes", check_ports=False, report=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_deployment_that_was_killed_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    abandoned = tmp_path / f".nodes.deploying-{gone.pid}"
    (abandoned / "127.0.0.1").mkdir(parents=True)
    alive = tmp_path / ".nodes.deploying-1"  # The first process of the machine is alive.
    other = tmp_path / f".other.deploying-{gone.pid}"
    alive.mkdir()
    other.mkdir()
    write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, other.name, "nodes"])


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Path:
    """A real file system of 160 KiB, gone when the test ends."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", place], capture_output=True, check=False).returncode
    ):
        pytest.skip("a small file system cannot be mounted here (needs root)")
    return place


def test_a_full_disk_is_said_and_leaves_nothing(tiny_disk: Path) -> None:
    try:
        with pytest.raises(
            EnvironmentFailure, match=r"the disk of .* is full: \d+ KiB free, about 256 KiB needed; nothing was left behind"
        ) as caught:
            write_chain(plan_chain(four()), tiny_disk / "deep/nodes", check_ports=False)
        assert "-o" in caught.value.hint
        assert list(tiny_disk.iterdir()) == []
    finally:
        subprocess.run(["umount", tiny_disk], check=True)


def test_a_parent_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="cannot be made: Not a directory"):
        write_chain(plan_chain(four()), tmp_path / "file/nodes", check_ports=False)


# The embedded engine's program.


def test_the_embedded_program_tells_its_version(pristine: Chain) -> None:
    told = subprocess.run([pristine.nodes[0].binary, "-v"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("FISCO BCOS Version : 3.16.0\n")
    assert "embedded engine of fiscotool" in told.stdout
    assert len(told.stdout.splitlines()) == 5


@pytest.mark.parametrize("name", ["a b", "x" * 120, 'it\'s "here" $HOME', "ordinary"])
def test_the_embedded_program_runs_under_any_interpreter_path(tmp_path: Path, name: str) -> None:
    interpreter = tmp_path / name / "python3"
    interpreter.parent.mkdir()
    interpreter.symlink_to(sys.executable)
    script = tmp_path / "fisco-bcos"
    script.write_text(shebang(str(interpreter)) + "\nimport sys\nprint(sys.argv[1:])\n")
    script.chmod(0o755)
    told = subprocess.run([script, "-c", "config.ini", "two words"], capture_output=True, text=True, check=True)
    assert told.stdout == "['-c', 'config.ini', 'two words']\n"


def test_a_chain_can_be_moved(chain: Chain, tmp_path: Path) -> None:
    moved = chain.root.rename(tmp_path / "elsewhere")
    assert read_chain(moved).nodes[0].node_id == chain.nodes[0].node_id


def test_the_manifest_says_when(tmp_path: Path) -> None:
    at = datetime(2026, 11, 21, 4, 32, 45, tzinfo=UTC)
    write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False, now=lambda: at)
    with pytest.raises(ChainDirectoryError, match="of 2026-11-21T04:32:45Z"):
        write_chain(plan_chain(four()), tmp_path / "nodes", check_ports=False)
