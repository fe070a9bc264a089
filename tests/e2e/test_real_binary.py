"""The binary on which the end-to-end tests run beside the embedded engine, when there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.user import User


@pytest.mark.node
def test_the_binary_is_one_of_3x(tmp_path: Path) -> None:
    binary = os.environ.get("FISCOTOOL_BINARY", "")
    if not binary:
        pytest.skip(
            "no real node here: FISCOTOOL_BINARY does not name a fisco-bcos of 3.x; with one, the tests of this directory run on it, too"
        )
    done = User(tmp_path).run("deploy", "-l", "127.0.0.1:4", "--engine", "fisco", "-e", Path(binary).absolute())
    assert "engine: the real node" in done.err
    assert "Version : 3." in done.err
