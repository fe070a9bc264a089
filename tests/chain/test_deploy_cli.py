"""deploy, lint and --expand as a user types them. Reference: spec 3.x 4.1, 4.10; spec 2.x 4.1."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.ports import free_ports


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "stub"
    path.write_text("#!/bin/sh\necho 'FISCO-BCOS Version : 2.9.1'\n")
    path.chmod(0o755)
    return path


def fiscotool(place: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return forked.run([str(word) for word in words], cwd=place, env=os.environ, within_s=60)


def test_a_2x_chain_from_plan_to_expansion(tmp_path: Path, binary: Path) -> None:
    ports = ",".join(str(port) for port in free_ports(6)[::2])
    options = ("-l", "127.0.0.1:1", "-p", ports, "-e", binary, "-v", "2.9.0", "--maker", "native")
    told = json.loads(fiscotool(tmp_path, "deploy", *options, "--dry-run", "--json").stdout)
    assert (told["version"], told["chain_id"], told["exists"], told["official_script"]) == ("2.9.0", "1", False, None)
    assert list(told["nodes"][0]["ports"]) == ["p2p", "channel", "rpc"]
    assert not (tmp_path / "nodes").exists()
    done = fiscotool(tmp_path, "deploy", *options)
    assert done.returncode == 0, done.stderr
    assert "next: fiscotool start --all" in done.stderr
    assert "would refuse" in fiscotool(tmp_path, "deploy", *options, "--dry-run").stdout
    planned = fiscotool(tmp_path, "deploy", "--expand", "-l", "127.0.0.1:1", "--dry-run")
    assert planned.stdout.startswith("would add 1 nodes to nodes")
    assert not (tmp_path / "nodes/127.0.0.1/node1").exists()
    grown = fiscotool(tmp_path, "deploy", "--expand", "-l", "127.0.0.1:1")
    assert grown.returncode == 0, grown.stderr
    assert "fiscotool start node1; it gets blocks once a transaction has added it" in grown.stderr
    linted = fiscotool(tmp_path, "lint", "--json")
    assert linted.returncode == 0
    assert [finding["id"] for finding in json.loads(linted.stdout)["findings"]] == ["not-in-genesis"]
    # A mistake made by hand: lint names it, in the language asked for, and its exit code says so.
    config = tmp_path / "nodes/127.0.0.1/node1/config.ini"
    config.write_text(config.read_text().replace("supported_version=2.9.0", "supported_version=2.8.0"))
    linted = fiscotool(tmp_path, "lint", "nodes", "--lang", "zh")
    assert linted.returncode == 1
    assert "错误 [setting-differs] node1：[compatibility] supported_version 为 2.8.0" in linted.stdout
    assert fiscotool(tmp_path, "destroy", "--yes").returncode == 0
    assert not (tmp_path / "nodes").exists()


def test_the_protocol_asked_for_is_written_and_told(tmp_path: Path) -> None:
    first = sorted(free_ports(6))
    ports = ",".join(str(port) for port in first[::2])
    made = fiscotool(tmp_path, "deploy", "-l", "127.0.0.1:2", "-p", ports, "--protocol", "classic", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["protocol"] == "classic"
    config = tmp_path / "nodes/127.0.0.1/node1/config.ini"
    config.write_text(config.read_text().replace("protocol=classic", "protocol=fisco3"))
    refused = fiscotool(tmp_path, "status")
    assert refused.returncode != 0
    assert "runs protocol fisco3 ([fiscotool] protocol), and node0 runs classic" in refused.stderr


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("--expand",), "--expand needs -l"),
        (("-l", "127.0.0.1:1", "--ca", "x"), "--ca is for --expand"),
        (("-l", "127.0.0.1:1", "-f", "x"), "say which hosts"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: tuple[str, ...], fact: str) -> None:
    done = fiscotool(tmp_path, "deploy", *words)
    assert done.returncode == 2
    assert fact in done.stderr
    assert "hint: " in done.stderr
