"""`model check` and `model refine` from the command line: exit codes, and clear errors for odd parameters."""

from __future__ import annotations

import json

import pytest

from fiscotool.cli.main import run
from fiscotool.cli.output import Output
from fiscotool.errors import ExitCode

UNREACHED = ("Prepare", "AcceptPrepare", "Commit", "AcceptCommit", "ExecuteNoCheckpoint", "a request is executed")
UNDECIDED = ("Execute: 2F+1 commits", "Execute: is next")


def check(*words: str) -> int:
    return run(["model", "check", *words])


def test_what_is_never_reached_fails_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The specification as published."""
    assert check("--unrepaired", "--json") == ExitCode.INCONCLUSIVE
    told = json.loads(capsys.readouterr().out)
    assert (told["generated"], told["distinct"], told["depth"]) == (2, 2, 2)
    assert set(told["never_explained"]) == {*UNREACHED, *UNDECIDED}
    assert told["impossible"]["ViewChange"] == "there is one view"


def test_what_is_allowed_to_be_missing_does_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    allowed = [word for name in (*UNREACHED, *UNDECIDED) for word in ("--allow-never", name)]
    assert check("--unrepaired", *allowed) == ExitCode.OK
    assert "NOT REACHED" in capsys.readouterr().out


@pytest.mark.parametrize("acc", ["none", "0", "2", "1,0"])
def test_any_subset_accepts_and_what_it_cannot_reach_is_excused(acc: str) -> None:
    assert check("--tstamps", "1..1", "--views", "0..0", "--acc", acc, "--method", "both") == ExitCode.OK


@pytest.mark.parametrize(
    "words",
    [
        ("--tstamps", "0..1"),
        ("--tstamps", "1..16"),
        ("--tstamps", "1..²"),
        ("--views", "1..2"),
        ("--views", "0..x"),
        ("--acc", "0,7"),
        ("--acc", ",,"),
        ("--acc", "all,1"),
        ("--checkpoints", "2"),
        ("--allow-never", "Nothing"),
        ("--spec", "fisco3", "--acc", "0"),
        ("--spec", "fisco3", "--crashes", "1", "--sweep"),
        ("--spec", "fisco3", "--crashes", "1", "--rounds"),
        ("--spec", "fisco3", "--progress", "--rounds"),
        ("--rounds",),
        ("--byzantine", "1"),
        ("--byzantine", "0"),
    ],
)
def test_odd_parameters_are_usage_errors(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(*words) == ExitCode.USAGE
    assert "hint:" in capsys.readouterr().err


def test_a_sweep_and_progress_and_a_fork(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--spec", "fisco3", "--byzantine", "1", "--sweep", "--progress") == ExitCode.OK
    assert check("--spec", "fisco3", "--byzantine", "2", "--hole", "empty-block-unchecked") == ExitCode.VIOLATED
    assert "is sent an empty block" in capsys.readouterr().out


def test_a_walk_ends_at_its_limit_of_memory_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("--views", "0..1", "--acc", "1"), ("--spec", "fisco3", "--sweep"), ("--spec", "fisco3", "--rounds")):
        assert check(*words, "--memory", "1") == ExitCode.INCONCLUSIVE
        assert "not complete: the limit of 1 MiB of memory ended the walk" in capsys.readouterr().out


def test_an_interrupted_walk_tells_what_it_saw(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Interrupted at a level, as Ctrl-C does."""

    def interrupt(_: Output, text: str) -> None:
        if text.startswith(("level 5", "layer 5", "round 2")):
            raise KeyboardInterrupt

    monkeypatch.setattr(Output, "progress", interrupt)
    walks = (("--acc", "0,1", "--method", "both"), ("--method", "plain"), ("--spec", "fisco3", "--sweep"), ("--spec", "fisco3", "--rounds"))
    for words in walks:
        assert check(*words, "--json") == ExitCode.INTERRUPTED
        told = json.loads(capsys.readouterr().out)
        assert told["ended"] == "an interrupt"
        assert told["distinct"] > 1


def test_the_core_is_held_against_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["model", "refine", "--schedules", "2", "--steps", "60", "--depth", "1", "--json"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert told["not_refined"] is None
    assert told["events"] > 120
