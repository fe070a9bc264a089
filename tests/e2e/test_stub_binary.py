"""A chain deployed with a binary of one's own (`-e`): any program that prints a version line is taken, and run as a node."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.user import User, chain_of
from tests.support.shared import ROOT

pytestmark = [pytest.mark.devnet]

STUB = f"""#!{sys.executable}
import sys
if sys.argv[1:2] == ["-v"]:
    print("FISCO BCOS Version : 3.16.4")
    sys.exit(0)
sys.path.insert(0, {str(ROOT)!r})
from fiscotool.devnet.main import main
sys.exit(main(sys.argv[1:]))
"""
"""To look at, it is a fisco-bcos; inside, it is the embedded node. It shows that all that is done for a real binary is done."""


def stub(place: Path, text: str = STUB) -> Path:
    path = place / "my-fisco-bcos"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody keeps in a cache is not used."""
    monkeypatch.setenv("FISCOTOOL_CACHE", str(tmp_path / "cache"))


def test_a_chain_of_ones_own_binary_runs_from_deploy_to_destroy(tmp_path: Path) -> None:
    binary = stub(tmp_path)
    with chain_of(tmp_path, "--engine", "fisco", "-e", binary, "--maker", "native") as user:
        assert (tmp_path / "nodes" / "127.0.0.1" / "fisco-bcos").read_text(encoding="utf-8") == STUB
        assert user.run("send", "--json").json["committed"] == 1
        user.run("restart", "node1")
        user.run("stop", "--all")
    assert "removed nodes" in user.run("destroy", "--yes").err
    assert binary.exists()


def test_deploy_says_which_binary_it_uses(tmp_path: Path) -> None:
    binary = stub(tmp_path)
    done = User(tmp_path).run("deploy", "-l", "127.0.0.1:4", "-e", binary, "--maker", "native")
    assert "engine: the real node" in done.err
    assert "FISCO BCOS Version : 3.16.4" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("#!/bin/sh\necho hello\n", "does not look like fisco-bcos", id="says no version"),
        pytest.param("#!/no/such/interpreter\n", "cannot be run", id="cannot be run"),
        pytest.param("#!/bin/sh\nexit 1\n", "does not look like fisco-bcos", id="fails"),
    ],
)
def test_what_is_no_node_is_refused_before_anything_is_made(tmp_path: Path, text: str, said: str) -> None:
    done = User(tmp_path).run("deploy", "-l", "127.0.0.1:4", "-e", stub(tmp_path, text), "--maker", "native", code=3)
    assert said in done.err
    assert "hint: " in done.err
    assert not (tmp_path / "nodes").exists()


def test_a_binary_that_dies_at_once_leaves_its_last_words(tmp_path: Path) -> None:
    dying = (
        '#!/bin/sh\ncase "$1" in -v) echo "FISCO BCOS Version : 3.16.4";; *) echo "cannot open the ledger: disk on fire"; exit 3;; esac\n'
    )
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4", "-e", stub(tmp_path, dying), "--maker", "native")
    done = user.run("start", "--all", code=3)
    assert "ended with status 3" in done.err
    assert "disk on fire" in done.err
    assert set(user.states().values()) == {"stopped"}
    assert os.listdir(tmp_path / "nodes" / "127.0.0.1" / "node0")  # noqa: PTH208 - nothing was cleared away
