"""Where the recordings of real chains are: beside the repository, or where FISCOTOOL_SHARED says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared(*parts: str) -> Path:
    """Path below the shared folder; the test is skipped, with a reason, where it is not there."""
    base = Path(os.environ.get("FISCOTOOL_SHARED", ROOT.parent / "shared"))
    path = base.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the recordings of real chains are not here: {'/'.join(parts)} (set FISCOTOOL_SHARED)", allow_module_level=True)
    return path
