"""Chains whose processes are ended when the test is over, whatever it did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.nodes.control import kill
from tests.nodes.stub import stub_chain


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Two nodes, not started."""
    made = stub_chain(tmp_path / "nodes")
    yield made
    kill(made.nodes)
