"""Chains on disk: one made once and copied where a test changes it, because making RSA keys takes time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fiscotool.chain.layout import HostGroup, PortBases
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain

EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - a value in files, nothing is bound to it


def four(**changes: object) -> ChainSpec:
    """A spec of four nodes on this machine; its ports are never opened here."""
    return ChainSpec(hosts=(HostGroup("127.0.0.1", 4),), ports=PortBases(41300, 41200, 41100), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A chain of four nodes that no test changes."""
    spec = four(byzantine={"node3": "equivocate"}, quirks=("amnesia",), balances={"0x" + "aa" * 20: 10**18}, weights=(1, 1, 2, 1))
    return write_chain(plan_chain(spec), tmp_path_factory.mktemp("pristine") / "nodes", check_ports=False)


@pytest.fixture
def chain(pristine: Chain, tmp_path: Path) -> Chain:
    """A copy of it, to be changed."""
    root = tmp_path / "nodes"
    shutil.copytree(pristine.root, root)
    return read_chain(root)
