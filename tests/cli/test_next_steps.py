"""Next steps can be typed as they are told: they name the chain's directory when the command did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fiscotool.cli import main as door
from fiscotool.cli.output import set_directory, with_directory


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    set_directory(None)
    yield
    set_directory(None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("start them: fiscotool start --all", "start them: fiscotool start --dir 'my chain' --all"),
        ("see `fiscotool logs node0`, then run `fiscotool drill heal`", "see `fiscotool logs --dir 'my chain' node0`, then run `fiscotool drill heal --dir 'my chain'`"),
        ("next: fiscotool check run.jsonl", "next: fiscotool check run.jsonl"),
        ("make one: fiscotool deploy -l 127.0.0.1:4", "make one: fiscotool deploy -l 127.0.0.1:4"),
        ("next: fiscotool start --all --dir other", "next: fiscotool start --all --dir other"),
    ],
)  # fmt: skip
def test_a_next_step_names_the_directory(told: str, expected: str) -> None:
    assert with_directory(told) == told
    set_directory(Path("my chain"))
    assert with_directory(told) == expected


@pytest.mark.parametrize(("words", "said"), [(["--dir", "x"], "--dir x"), ([], "")])
def test_only_a_directory_on_the_command_line_is_repeated(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x", "nodes"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FISCOTOOL_DIR", "nodes")
    assert door.run(["status", *words]) == 3
    capsys.readouterr()
    assert with_directory("fiscotool start --all") == f"fiscotool start {said} --all".replace("  ", " ")
