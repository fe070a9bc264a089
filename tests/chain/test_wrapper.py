"""The wrapper of the official script, run for real against a stand-in for build_chain.sh, and against the official one where there is one.

Reference: spec 3.x 4.1, 4.2; recordings/v3/deploy/err_*.txt.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fiscotool.chain.binaries import BinaryCache
from fiscotool.chain.binary import choose_engine
from fiscotool.chain.command import run_command
from fiscotool.chain.deploy import deploy_chain
from fiscotool.chain.ini import set_values
from fiscotool.chain.model import Chain
from fiscotool.chain.templates import shipped_wrapper
from fiscotool.chain.wrapper import find_official
from fiscotool.errors import EnvironmentFailure, ExitCode, UsageError
from fiscotool.nodes.wait import wait_for
from tests.chain.test_write import read_ini
from tests.hosts.test_local import is_gone
from tests.support.ports import free_ports
from tests.support.shared import ROOT, shared

WRAPPER = ROOT / "scripts/build_chain_wrapper.sh"

STAND_IN = r"""#!/bin/bash
# Makes what build_chain.sh makes, as far as the wrapper looks at it.
set -e
output=./nodes
while getopts "l:p:e:o:g:I:v:C:h6" option; do
    case $option in
        o) output=$OPTARG ;; e) binary=$OPTARG ;; p) ports=(${OPTARG//,/ }) ;; h) echo "Usage:"; exit 0 ;; l) layout=$OPTARG ;;
        *) echo "$option=$OPTARG" >>"${STAND_IN_LOG:-/dev/null}" ;;
    esac
done
[ -n "$layout" ] || { mkdir -p "$output"; echo "Usage:"; exit 0; }
[ -d "$output" ] && { echo "[FATAL] $output DIR already exist, please check!"; exit 1; }
[ -x "$HOME/.fisco/tassl-1.1.1b" ] || exit 6
mkdir -p "$output/ca"
host=$output/${layout%:*}
for ((k = 0; k < ${layout#*:}; k++)); do
    mkdir -p "$host/node$k/conf"
    cp "$TEMPLATE/config.ini" "$TEMPLATE/config.genesis" "$TEMPLATE/nodes.json" "$host/node$k"
    cp "$TEMPLATE/conf/ca.crt" "$TEMPLATE/conf/ssl.nodeid" "$host/node$k/conf"
    printf '%0128d\n' $((k + 1)) >"$host/node$k/conf/node.nodeid"
    for j in 0 1 2 3; do sed -i "s/node\.$j=.*/node.$j=$(printf '%0128d' $((j + 1))): 1/" "$host/node$k/config.genesis"; done
    sed -i "s/listen_port=30300/listen_port=$((ports[0] + k))/; s/listen_port=20200/listen_port=$((ports[1] + k))/" "$host/node$k/config.ini"
done
[ -f "$HOME/.fisco/get_account.sh" ] || exit 6
address=$(bash "$HOME/.fisco/get_account.sh" | grep Address | awk '{print $5}')
mv accounts "$output/ca"
echo "$address" >"$output/ca/address"
cp "$binary" "$host"
echo x >public.pem
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, chosen and trusted by the environment; a HOME without anything, an empty cache, and no network."""
    script = tmp_path / "build_chain.sh"
    script.write_text(STAND_IN)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FISCOTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN", str(script))
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_SHA256", hashlib.sha256(script.read_bytes()).hexdigest())
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_URL", "http://127.0.0.1:1/build_chain.sh")
    monkeypatch.setenv("TEMPLATE", str(shared("recordings/v3/deploy/generated/node0")))
    return script


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """Something that says it is the real node."""
    path = tmp_path / "my-node-binary"
    path.write_text("#!/bin/sh\necho 'FISCO BCOS Version : 3.16.4'\n")
    path.chmod(0o755)
    return path


def wrapper(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(WRAPPER), *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


# Finding and verifying.


def test_the_script_of_the_environment_is_found(stand_in: Path, tmp_path: Path) -> None:
    assert find_official().path == stand_in
    told = wrapper("--where", cwd=tmp_path)
    assert (told.returncode, told.stdout) == (0, f"{stand_in}\n")


def test_a_script_with_another_checksum_is_refused(stand_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FISCOTOOL_BUILD_CHAIN_SHA256")
    told = wrapper("--where", cwd=tmp_path)
    assert told.returncode == ExitCode.ENVIRONMENT
    assert "is not build_chain.sh of v3.16.4: its sha256 is" in told.stderr
    assert (
        "hint: take it from http://127.0.0.1:1/build_chain.sh; or, if you trust this one, set FISCOTOOL_BUILD_CHAIN_SHA256=" in told.stderr
    )
    assert "is not build_chain.sh of v3.16.4" in find_official().why_not


def test_without_network_it_says_what_to_do(stand_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FISCOTOOL_BUILD_CHAIN")
    told = wrapper("-l", "127.0.0.1:4", cwd=tmp_path)
    assert told.returncode == ExitCode.ENVIRONMENT
    assert "build_chain.sh is not on this machine, and http://127.0.0.1:1/build_chain.sh cannot be reached" in told.stderr
    assert "FISCOTOOL_BUILD_CHAIN=" in told.stderr
    assert list((tmp_path / "cache").iterdir()) == []


def test_it_is_downloaded_once_into_the_cache(stand_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FISCOTOOL_BUILD_CHAIN")
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_URL", stand_in.as_uri())
    found = find_official().path
    assert found is not None
    assert found.parent == tmp_path / "cache"
    assert found.read_text() == STAND_IN
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_URL", "http://127.0.0.1:1/")
    assert find_official().path == found


def test_a_download_with_another_checksum_is_thrown_away(stand_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FISCOTOOL_BUILD_CHAIN")
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_URL", stand_in.as_uri())
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_SHA256", "0" * 64)
    assert wrapper("--where", cwd=tmp_path).returncode == ExitCode.ENVIRONMENT
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("words", [["--script"], ["--script", "nowhere.sh"]])
def test_wrong_options_of_the_wrapper(stand_in: Path, tmp_path: Path, words: list[str]) -> None:
    told = wrapper(*words, cwd=tmp_path)
    assert told.returncode == (ExitCode.USAGE if len(words) == 1 else ExitCode.ENVIRONMENT)
    assert "hint: " in told.stderr


# Passing on, and telling a failure from a success: build_chain.sh ends with 0 after some of the former.


def equip(home: Path) -> None:
    """What the official script would download."""
    (home / ".fisco").mkdir()
    openssl = shutil.which("openssl")
    assert openssl is not None
    (home / ".fisco/tassl-1.1.1b").symlink_to(openssl)
    (home / ".fisco/get_account.sh").write_text("mkdir accounts; echo '[INFO] Account Address : 0x1'\n")


def test_flags_are_passed_on_and_the_directory_is_printed(
    stand_in: Path, tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    equip(tmp_path / "home")
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    told = wrapper("-l", "127.0.0.1:2", "-p", "30300,20200", "-e", binary, "-g", "my group", "-o", "out put", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1] == str(tmp_path / "out put")
    assert (tmp_path / "log").read_text() == "g=my group\n"
    assert wrapper("-h", cwd=tmp_path).stdout == "Usage:\n"


@pytest.mark.parametrize(
    ("words", "is_equipped", "fact"),
    [
        pytest.param(["-o", "out"], True, "made no chain (status 0)", id="no -l: help and status 0"),
        pytest.param(["-o", "out", "-l", "127.0.0.1:0"], True, "made no chain (status", id="no nodes"),
        pytest.param(["-o", "home", "-l", "127.0.0.1:1"], True, "(status 1): home exists", id="a directory that exists"),
        pytest.param(["-o", "out", "-l", "127.0.0.1:1"], False, "needs ~/.fisco/tassl-1.1.1b", id="no openssl of its own"),
    ],
)
def test_a_chain_that_was_not_made_is_a_failure(stand_in: Path, tmp_path: Path, words: list[str], is_equipped: bool, fact: str) -> None:
    if is_equipped:
        equip(tmp_path / "home")
    told = wrapper(*words, "-p", "30300,20200", "-e", "/bin/true", cwd=tmp_path)
    assert told.returncode == ExitCode.ENVIRONMENT
    assert fact in told.stderr
    assert "hint: " in told.stderr
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "home").exists()


def test_a_half_made_directory_is_cleared_away(stand_in: Path, tmp_path: Path, binary: Path) -> None:
    """What the official script leaves when get_account.sh cannot be had (recordings: err_offline_tassl_but_no_get_account)."""
    equip(tmp_path / "home")
    (tmp_path / "home/.fisco/get_account.sh").unlink()
    told = wrapper("-l", "127.0.0.1:2", "-p", "30300,20200", "-e", binary, "-o", "out", cwd=tmp_path)
    assert told.returncode == ExitCode.ENVIRONMENT
    assert "get_account.sh" in told.stderr
    assert not (tmp_path / "out").exists()


# Behind `deploy`.


def deploy(tmp_path: Path, binary: Path, **options: object) -> tuple[Chain, str]:
    base = free_ports(12)[0]
    ports = f"{base},{base + 4},{base + 8}"
    return deploy_chain(layout="127.0.0.1:4", into=tmp_path / "nodes", ports=ports, engine="fisco", binary=binary, **options)  # type: ignore[arg-type]


def test_deploy_uses_the_script_and_edits_what_it_cannot_do(stand_in: Path, tmp_path: Path, binary: Path) -> None:
    chain, why = deploy(tmp_path, binary, block_tx_count_limit=77, pipeline_blocks=60, rpc_tls=True)
    assert why == f"engine: the real node, {binary} (FISCO BCOS Version : 3.16.4); files made by {stand_in}"
    assert chain.engine == "fisco"
    config = read_ini(chain.nodes[3].directory / "config.ini")
    assert config["rpc"] | {"enable_ssl": "true", "listen_ip": "127.0.0.1"} == config["rpc"]
    assert config["web3_rpc"]["enable"] == "true"
    assert int(config["web3_rpc"]["listen_port"]) == chain.nodes[0].web3_port + 3
    assert config["consensus"] == {"pipeline_size": "60", "min_seal_time": "500"}
    assert chain.genesis.block_tx_count_limit == 77
    assert chain.nodes[0].binary.read_text() == binary.read_text()
    # Nothing was left where it ran, in HOME or beside the chain; what it would have downloaded was made here.
    assert list((tmp_path / "home").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if "deploying" in path.name] == []
    address = (chain.root / "ca/address").read_text().strip()
    assert re.fullmatch(r"0x[0-9a-f]{40}", address)
    assert stat.S_IMODE((chain.root / f"ca/accounts/{address}.pem").stat().st_mode) == 0o600


def test_deploy_without_the_script_makes_the_files_itself_and_says_so(
    stand_in: Path, tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FISCOTOOL_BUILD_CHAIN")
    chain, why = deploy(tmp_path, binary)
    assert "files made by fiscotool itself: build_chain.sh is not on this machine" in why
    assert len(chain.nodes) == 4
    assert chain.engine == "fisco"


def test_a_script_that_fails_leaves_nothing(stand_in: Path, tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.write_text("echo '[FATAL] no luck today' >&2; exit 1\n")
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_SHA256", hashlib.sha256(stand_in.read_bytes()).hexdigest())
    with pytest.raises(EnvironmentFailure, match="no luck today"):
        deploy(tmp_path, binary)
    assert not (tmp_path / "nodes").exists()
    assert [path.name for path in tmp_path.iterdir() if "deploying" in path.name] == []


def test_a_script_that_is_interrupted_is_ended_with_all_it_started(
    stand_in: Path, tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.write_text(f"sleep 60 & echo $! >{tmp_path}/pid; wait\n")
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN_SHA256", hashlib.sha256(stand_in.read_bytes()).hexdigest())
    script = find_official().path
    assert script is not None
    ports = ",".join(map(str, free_ports(3)))
    options = f"layout='127.0.0.1:1', into=pathlib.Path('nodes'), ports='{ports}', engine='fisco', binary=pathlib.Path('{binary}')"
    code = f"import pathlib; from fiscotool.chain.deploy import deploy_chain; deploy_chain({options})"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as child:
        ends = time.monotonic() + 30
        while time.monotonic() < ends and not (tmp_path / "pid").exists():
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) != 0
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: is_gone(pid), bool, what="the end of what the script started", within_s=10)
    assert [path.name for path in tmp_path.iterdir() if "nodes" in path.name] == []


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"sleep did not end within 0\.2 s"):
        run_command(["sleep", "60"], within_s=0.2)


def test_the_official_script_leaves_the_directory_our_provisioner_leaves(
    tmp_path: Path, binary: Path, pristine: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "FISCOTOOL_BUILD_CHAIN" not in os.environ:
        pytest.skip("the official build_chain.sh is not here (set FISCOTOOL_BUILD_CHAIN)")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    official, why = deploy(tmp_path, binary)
    assert f"files made by {os.environ['FISCOTOOL_BUILD_CHAIN']}" in why

    def tree(root: Path) -> set[str]:
        return {re.sub(r"0x[0-9a-f]{40}", "ADMIN", path.relative_to(root).as_posix()) for path in root.rglob("*")}

    assert tree(official.root) == tree(pristine.root)
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("FISCOTOOL_BUILD_CHAIN", str(tmp_path / "nowhere"))
    own, _ = deploy(tmp_path / "own", binary)
    for name in ("config.ini", "config.genesis"):
        ours, theirs = (read_ini(chain.nodes[1].directory / name) for chain in (own, official))
        for ini in (ours, theirs):
            for section in ini.values():
                for key in [key for key in section if key.startswith("node.") or key in {"listen_port", "auth_admin_account"}]:
                    section[key] = "a value of this chain"
        assert ours == theirs


# Editing INI files.


def test_values_are_set_in_place_and_comments_stay() -> None:
    text = "[a]\n    ; x=0\n    x = 1\n\n[b]\n        x=2\n"
    assert set_values(text, {("b", "x"): "9", ("a", "y"): "3"}) == "[a]\n    y=3\n    ; x=0\n    x = 1\n\n[b]\n        x=9\n"
    with pytest.raises(EnvironmentFailure, match=r"no section \[c\]"):
        set_values(text, {("c", "x"): "1"})


# Which engine.


def test_the_engine_is_decided_in_one_sentence(tmp_path: Path, binary: Path) -> None:
    empty = {"FISCOTOOL_CACHE": str(tmp_path / "cache")}
    embedded = choose_engine("auto", binary=None, version="3.16.0", environ=empty)
    assert (embedded.engine, embedded.binary) == ("embedded", None)
    assert embedded.why == "engine: embedded, because no fisco-bcos binary was given (-e) or found in the cache"
    given = choose_engine("auto", binary=binary, version="3.16.0", environ=empty)
    assert (given.engine, given.binary) == ("fisco", binary)
    assert "FISCO BCOS Version : 3.16.4" in given.why
    cached = BinaryCache(empty).put(binary, "3.16.0", "a test").path
    assert cached == tmp_path / "cache/v3.16.0/fisco-bcos"
    assert choose_engine("auto", binary=None, version="3.16.0", environ=empty).binary == cached
    assert choose_engine("auto", binary=None, version="3.15.0", environ=empty).engine == "embedded"
    assert choose_engine("embedded", binary=None, version="3.16.0", environ=empty).engine == "embedded"


def test_engines_that_cannot_be_had(tmp_path: Path, binary: Path) -> None:
    empty = {"FISCOTOOL_CACHE": str(tmp_path / "cache")}
    with pytest.raises(EnvironmentFailure, match="none was given with -e"):
        choose_engine("fisco", binary=None, version="3.16.0", environ=empty)
    with pytest.raises(UsageError, match="--engine embedded runs no"):
        choose_engine("embedded", binary=binary, version="3.16.0", environ=empty)
    with pytest.raises(EnvironmentFailure, match="does not exist"):
        choose_engine("auto", binary=tmp_path / "nosuch", version="3.16.0", environ=empty)
    binary.chmod(0o644)
    with pytest.raises(EnvironmentFailure, match="is not executable"):
        choose_engine("auto", binary=binary, version="3.16.0", environ=empty)
    binary.write_text("#!/bin/sh\necho hello\n")
    binary.chmod(0o755)
    with pytest.raises(EnvironmentFailure, match=r"does not look like fisco-bcos: .* 'hello'"):
        choose_engine("auto", binary=binary, version="3.16.0", environ=empty)
    binary.write_bytes(b"\x7fELF for another machine")
    with pytest.raises(EnvironmentFailure, match="cannot be run here"):
        choose_engine("auto", binary=binary, version="3.16.0", environ=empty)


def test_the_wrapper_is_shipped() -> None:
    assert shipped_wrapper().read_text() == WRAPPER.read_text()
