"""Removing a chain removes what deploy and its nodes made, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.write import destroy_chain
from fiscotool.errors import ChainDirectoryError


def run_for_a_while(chain: Chain) -> None:
    """Leave what nodes leave."""
    for node in chain.nodes:
        for name in ("data/consensus_log", "log", ".fiscotool"):
            (node.directory / name).mkdir(parents=True)
            (node.directory / name / "something").write_text("x")
        (node.directory / "nohup.out").write_text("The fisco-bcos is running...\n")
        (node.directory / "core.123").write_text("")
    (chain.root / ".fiscotool").mkdir()
    (chain.root / ".fiscotool/faults.jsonl").write_text("")


def test_nothing_is_left(chain: Chain) -> None:
    run_for_a_while(chain)
    assert destroy_chain(chain) == ()
    assert not chain.root.exists()


def test_files_of_others_are_left_and_named(chain: Chain) -> None:
    run_for_a_while(chain)
    mine = [chain.root / "notes.txt", chain.nodes[1].directory / "conf/my.crt", chain.root / "127.0.0.1/console/start.sh"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    kept = destroy_chain(chain)
    assert sorted(kept) == sorted([mine[0], mine[1], mine[2].parent])
    assert sorted(path for path in chain.root.rglob("*") if path.is_file()) == sorted(mine)
    with pytest.raises(ChainDirectoryError, match="was not made by fiscotool"):
        destroy_chain(chain.root)


def test_files_of_others_can_stop_it(chain: Chain) -> None:
    (chain.root / "notes.txt").write_text("mine")
    count = len(list(chain.root.rglob("*")))
    with pytest.raises(ChainDirectoryError, match=r"neither deploy nor the nodes made: notes\.txt; nothing was removed"):
        destroy_chain(chain, refuse_unknown=True)
    assert len(list(chain.root.rglob("*"))) == count


def test_a_directory_of_build_chain_is_never_removed(chain: Chain) -> None:
    (chain.root / ".fiscotool.json").unlink()
    count = len(list(chain.root.rglob("*")))
    with pytest.raises(ChainDirectoryError, match="was not made by fiscotool") as caught:
        destroy_chain(read_chain(chain.root))
    assert "rm -r" in caught.value.hint
    assert len(list(chain.root.rglob("*"))) == count


def test_links_are_removed_and_not_followed(chain: Chain, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    (chain.nodes[0].directory / "data").symlink_to(precious)
    (chain.nodes[1].directory / "log").symlink_to(precious)
    destroy_chain(chain)
    assert not chain.root.exists()
    assert (precious / "file").read_text() == "mine"


def test_a_directory_replaced_by_a_link_is_somebody_elses(chain: Chain, tmp_path: Path) -> None:
    away = tmp_path / "away"
    chain.nodes[0].directory.rename(away)
    chain.nodes[0].directory.symlink_to(away)
    kept = destroy_chain(chain)
    assert kept == (chain.nodes[0].directory,)
    assert (away / "config.ini").exists()


def test_a_manifest_cannot_name_files_elsewhere(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    manifest = chain.root / ".fiscotool.json"
    for path in ("../victim", str(tmp_path / "victim")):
        data = json.loads(manifest.read_text())
        data["files"] = [path]
        manifest.write_text(json.dumps(data))
        with pytest.raises(ChainDirectoryError, match="not below the chain's directory"):
            destroy_chain(chain)
    assert (tmp_path / "victim").read_text() == "mine"


def test_half_a_chain_can_be_removed_by_its_root(chain: Chain) -> None:
    shutil.rmtree(chain.nodes[0].directory)
    (chain.nodes[1].directory / "config.ini").unlink()
    assert destroy_chain(chain.root) == ()
    assert not chain.root.exists()
