"""Imports look down only: the table of ARCHITECTURE.md, checked with plain `ast`, and a light `import fiscotool`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shared import ROOT

PACKAGE = ROOT / "fiscotool"
LAYERS: list[set[str]] = [
    {"cli"},
    {"trials"},
    {"drills", "doctor"},
    {"observer", "devnet", "nodes", "report"},
    {"sim", "check", "rpc", "ledger", "hosts", "chain"},
    {"protocols", "mutants"},
    {"consistency", "pbft"},
    {"errors"},
]
HEIGHT = {room: len(LAYERS) - level for level, rooms in enumerate(LAYERS) for room in rooms}
PURE = ("pbft", "protocols", "mutants", "check", "consistency")
OUTSIDE = {
    "asyncio", "socket", "ssl", "http", "urllib", "subprocess", "threading", "multiprocessing", "os", "pathlib", "io", "tempfile",
    "shutil", "sqlite3", "time", "datetime", "random", "secrets", "uuid", "logging", "click", "requests", "paramiko",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def rooms_of(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("fiscotool.")}


@pytest.mark.parametrize("room", sorted(HEIGHT))
def test_imports_look_down_only(room: str) -> None:
    files = sorted((PACKAGE / room).rglob("*.py")) if (PACKAGE / room).is_dir() else [PACKAGE / f"{room}.py"]
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in files
        for other in rooms_of(imported(path)) - {room, "__version__"}
        if HEIGHT[other] >= HEIGHT[room]
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_nothing_outside(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] in OUTSIDE
    ]
    assert not wrong, wrong


def test_every_room_has_its_place() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms == set(HEIGHT) - {"errors"}


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        pytest.param("import fiscotool", {"click", "requests", "web3", "paramiko", "asyncio"}, id="the package is light"),
        pytest.param("import fiscotool.cli.main", {"requests", "web3", "paramiko", "cryptography", "jinja2"}, id="so is the command line"),
        pytest.param("import fiscotool.devnet.main", {"requests", "web3", "eth_account", "paramiko", "click", "jinja2"}, id="so is a node"),
    ],
)
def test_imports_stay_light(code: str, heavy: set[str]) -> None:
    assert not loaded_by(code) & heavy
