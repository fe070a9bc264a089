"""Ctrl-C and kill -9 in the middle of a deployment, as real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CODE = """
import pathlib, sys
from fiscotool.chain.deploy import deploy_chain
deploy_chain(layout="203.0.113.1:300", into=pathlib.Path(sys.argv[1]), engine="embedded")
"""


def deploying(root: Path) -> subprocess.Popen[bytes]:
    """A deployment of so many nodes that it takes ten seconds, seen to be at work."""
    child = subprocess.Popen([sys.executable, "-c", CODE, root], stderr=subprocess.DEVNULL)
    ends = time.monotonic() + 30
    while time.monotonic() < ends and not any("deploying" in path.name for path in root.parent.iterdir()):
        assert child.poll() is None
        time.sleep(0.01)
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_deployment_that_is_ended_leaves_nothing_or_what_the_next_clears_away(tmp_path: Path, number: signal.Signals) -> None:
    from fiscotool.chain.deploy import deploy_chain

    root = tmp_path / "nodes"
    with deploying(root) as child:
        child.send_signal(number)
        assert child.wait(30) != 0
    assert not root.exists()
    if number == signal.SIGINT:
        assert list(tmp_path.iterdir()) == []
    deploy_chain(layout="203.0.113.1:1", into=root, engine="embedded")
    assert [path.name for path in tmp_path.iterdir()] == ["nodes"]
