"""The same tests on both engines: always on the embedded chain, and on real nodes where FISCOTOOL_BINARY names a fisco-bcos of 3.x.

What the tests expect of real nodes is what recordings of real nodes show (tests/e2e/shapes.py; recordings/v3/OBSERVED.md): the views and
heights under each fault, an idle chain that keeps its view when its leader dies, error codes, the format of log lines. Byzantine nodes
and doctored ledgers need the embedded engine.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BINARY = os.environ.get("FISCOTOOL_BINARY", "")
EMBEDDED = pytest.param(("--engine", "embedded"), id="embedded")
REAL = pytest.param(("--engine", "fisco", "-e", str(Path(BINARY).absolute())), marks=pytest.mark.node, id="fisco")


@pytest.fixture(scope="module", params=[EMBEDDED, REAL] if BINARY else [EMBEDDED])
def engine(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Options of `fiscotool deploy` for this engine."""
    options: tuple[str, ...] = request.param
    return options
