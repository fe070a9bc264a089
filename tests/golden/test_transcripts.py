"""The transcripts in this folder are what the core does. `FISCOTOOL_REWRITE_GOLDEN=1` rewrites them; read the diff line by line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.golden.stage import play

FILES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_transcript(path: Path) -> None:
    written = path.read_text()
    played = play(written)
    if os.environ.get("FISCOTOOL_REWRITE_GOLDEN"):
        path.write_text(played)
        written = played
    assert played == written
    assert "VIOLATION" not in played


def test_golden_there_are_all_seven() -> None:
    assert len(FILES) >= 7


def test_golden_playing_twice_is_the_same() -> None:
    assert play(FILES[0].read_text()) == play(play(FILES[0].read_text()))
