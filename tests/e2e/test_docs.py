"""Every command the documentation shows does what the page says, in the order of the page, on a running chain of four nodes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fiscotool.cli.main import cli
from fiscotool.errors import ExitCode
from tests.e2e.documented import Shown, commands, examples, pages
from tests.e2e.user import User, chain_of
from tests.support.shared import ROOT

runs = pytest.mark.devnet
EXEMPT = {"demo", "test"}
"""The demo has a test of its own, and this is the test."""


def plain(shown: list[Shown]) -> list[str]:
    """The commands without what only makes their words Chinese."""
    return [each.text.replace(" --lang zh", "") for each in shown]


def test_the_chinese_readme_has_the_same_commands() -> None:
    assert plain(commands("README.zh-CN.md")) == plain(commands("README.md"))


def test_the_readmes_begin_with_the_two_commands_and_a_picture() -> None:
    for page in ("README.md", "README.zh-CN.md"):
        assert [each.text for each in commands(page)[:2]] == ["make demo", "make test"], page
        text = (ROOT / page).read_text(encoding="utf-8")
        picture = text.index("![")
        assert picture < text.index("fiscotool deploy")
        assert (ROOT / text[text.index("](", picture) + 2 : text.index(")", picture)]).is_file()


def test_the_readme_has_the_table_of_exit_codes() -> None:
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert all(f"| {code.value} | " in text for code in ExitCode), page


@pytest.mark.parametrize("shown", examples(), ids=lambda shown: f"{shown.number}")
def test_an_example_of_the_reference_parses(shown: Shown) -> None:
    command: click.Command = cli
    words, path = list(shown.words[1:]), "fiscotool"
    # A group like `simulate` works by itself, too: then options follow its name, not a command.
    while isinstance(command, click.Group) and not (command.invoke_without_command and (not words or words[0].startswith("-"))):
        name = words.pop(0)
        child = command.get_command(click.Context(command), name)
        assert child is not None, shown.text
        command, path = child, f"{path} {name}"
    command.make_context(path, words)


@pytest.mark.parametrize("target", sorted({each.words[1] for page in pages() for each in commands(page) if each.words[0] == "make"}))
def test_make_knows_the_target(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user whose chain runs, for pages that take one for granted."""
    with chain_of(tmp_path_factory.mktemp("docs")) as user:
        user.environ["FISCOTOOL_DIR"] = str(user.place / "nodes")
        user.run("send", "--count", 5, "--rate", 5)  # A chain without blocks is too little to judge.
        yield user


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of drills, so that a drill that two pages show is run once."""
    return tmp_path_factory.mktemp("kept")


@runs
@pytest.mark.slow
def test_the_readme_from_nothing_to_nothing(tmp_path: Path, kept: Path) -> None:
    user = User(tmp_path)
    try:
        for shown in commands("README.md"):
            if shown.words[0] == "fiscotool":
                user.run(*shown.words[1:], code=shown.code, within_s=120)
                _keep(shown, tmp_path, kept)
    finally:
        for directory in tmp_path.glob("*/.fiscotool.json"):
            user.run("kill", "--all", "--dir", directory.parent, code=None)


@runs
@pytest.mark.parametrize("page", [page for page in pages()[1:] if any(each.words[0] == "fiscotool" for each in commands(page))])
def test_a_page_on_a_running_chain(resident: User, kept: Path, page: str) -> None:
    """Each page in a directory of its own. A drill that an earlier page ran is not run again: its recording is copied."""
    home = resident.place
    place = home / page.replace("/", "-")
    place.mkdir()
    resident.run("start", "--all", "--dir", "nodes")
    resident.place = place
    try:
        for shown in commands(page):
            if shown.words[0] != "fiscotool" or _is_copied(shown, kept, place):
                continue
            resident.run(*shown.words[1:], code=shown.code, within_s=120)
            _keep(shown, place, kept)
    finally:
        resident.place = home


def _recording(shown: Shown, kept: Path) -> tuple[str, Path] | None:
    """Of a drill: the directory of its recording, and where that is kept for other pages."""
    if shown.words[1:3] != ("drill", "run") or "--record" not in shown.words:
        return None
    return shown.words[shown.words.index("--record") + 1], kept / shown.text.replace("/", "_")


def _is_copied(shown: Shown, kept: Path, place: Path) -> bool:
    found = _recording(shown, kept)
    if found is None or not found[1].exists():
        return False
    shutil.copytree(found[1], place / found[0])
    return True


def _keep(shown: Shown, place: Path, kept: Path) -> None:
    found = _recording(shown, kept)
    if found is not None:
        shutil.copytree(place / found[0], found[1])
