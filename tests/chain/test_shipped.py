"""Templates and the wrapper reach whoever installs the wheel, and are found from any directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.shared import ROOT

DEPLOY = """
import pathlib, fiscotool
from fiscotool.chain.deploy import deploy_chain
from fiscotool.chain.templates import shipped_wrapper
print(pathlib.Path(fiscotool.__file__).parent.parent)
chain, why = deploy_chain(layout="203.0.113.1:1", into=pathlib.Path("nodes"), engine="embedded")
print(len(chain.nodes), len(shipped_wrapper().read_text()) > 1000, shipped_wrapper())
"""


def run_in(place: Path, package_parent: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(package_parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", DEPLOY], cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_wheels_layout_works_from_anywhere(tmp_path: Path) -> None:
    """The package with what pyproject.toml forces into it, and nothing of the checkout beside it."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "fiscotool", site / "fiscotool", ignore=shutil.ignore_patterns("__pycache__"))
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    for source, target in build["targets"]["wheel"]["force-include"].items():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        (site / target).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, site / target)
    (tmp_path / "work").mkdir()
    where, result = run_in(tmp_path / "work", site)
    assert Path(where) == site
    assert result == f"1 True {site}/fiscotool/_shipped/build_chain_wrapper.sh"


def test_a_checkout_works_from_anywhere(tmp_path: Path) -> None:
    where, result = run_in(tmp_path, ROOT)
    assert Path(where) == ROOT
    assert result.startswith("1 True ")


def test_the_embedded_program_finds_the_tool_without_an_installation(tmp_path: Path) -> None:
    """A tool that is run from a checkout by path, in an interpreter that has it neither installed nor on its path."""
    run_in(tmp_path, ROOT)
    program = tmp_path / "nodes/203.0.113.1/fisco-bcos"
    done = subprocess.run([sys.executable, "-I", "-S", program, "-h"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "No module named 'fiscotool'" not in done.stderr
    program.write_text(program.read_text().replace(str(ROOT), "/nowhere"))
    done = subprocess.run([sys.executable, "-I", "-S", program, "-h"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "install fiscotool there again, or deploy the chain anew" in done.stderr
