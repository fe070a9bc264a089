"""Reading node logs as they grow and are rotated. Reference: spec 3.x 5.1."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fiscotool.chain.model import NodeHome
from fiscotool.errors import EnvironmentFailure
from fiscotool.nodes.logs import LogLine, follow, log_files, tail


@pytest.fixture
def node(tmp_path: Path) -> NodeHome:
    (tmp_path / "node0/log").mkdir(parents=True)
    return NodeHome("node0", tmp_path / "node0", "127.0.0.1", 1, 2, 3, web3_enabled=False, rpc_tls=False, node_id="", p2p_id="")


def log(node: NodeHome, name: str, text: str) -> Path:
    path = node.directory / "log" / name
    with path.open("a") as file:
        file.write(text)
    return path


def test_the_last_lines_span_files(node: NodeHome) -> None:
    log(node, "log_2026112104.33.log", "one\ntwo\n")
    newest = log(node, "log_2026112105.00.log", "three\n")
    (node.directory / "log/notes.txt").write_text("no log\n")
    assert [path.name for path in log_files(node)] == ["log_2026112104.33.log", "log_2026112105.00.log"]
    assert [line.text for line in tail(node, 2)] == ["two", "three"]
    assert tail(node, 1) == (LogLine("node0", newest, "three"),)
    assert [line.text for line in tail(node, 99)] == ["one", "two", "three"]
    assert tail(node, 0) == ()


def test_the_end_of_a_big_file_is_read_without_the_rest(node: NodeHome) -> None:
    log(node, "log_1.log", "".join(f"line {k} {'x' * 90}\n" for k in range(5000)) + "the last, not ended")
    assert [line.text.split()[1] for line in tail(node, 3)] == ["4998", "4999", "last,"]


def test_a_node_that_died_before_its_log_was_open_has_its_nohup(node: NodeHome) -> None:
    (node.directory / "nohup.out").write_text("start fisco-bcos failed\n")
    assert [line.text for line in tail(node, 5)] == ["start fisco-bcos failed"]


def test_a_node_that_never_ran_says_so(node: NodeHome) -> None:
    with pytest.raises(EnvironmentFailure, match="node0 has no log: it was never started"):
        tail(node, 5)


def followed(node: NodeHome, *acts: Callable[[], object]) -> list[str]:
    """What `follow` tells while `acts` happen, one after the other, each when there is nothing more to tell."""
    todo: Iterator[Callable[[], object]] = iter(acts)
    rounds = itertools.count()

    def act(seconds: float) -> None:
        del seconds
        for each in itertools.islice(todo, 1):
            each()

    lines = follow([node], lines=2, is_over=lambda: next(rounds) > 2 * len(acts) + 4, pause=act)
    return [line.text for line in lines]


def test_lines_are_followed_across_rotation(node: NodeHome) -> None:
    log(node, "log_1.log", "old\nolder\nstart\n")
    assert followed(
        node,
        lambda: log(node, "log_1.log", "a\nb\n"),
        lambda: (log(node, "log_1.log", "c\n"), log(node, "log_2.log", "d\n"), log(node, "log_3.log", "e\n")),
        lambda: log(node, "log_3.log", "f\n"),
    ) == ["older", "start", "a", "b", "c", "d", "e", "f"]


def test_half_a_line_waits_for_its_rest(node: NodeHome) -> None:
    log(node, "log_1.log", "")
    assert followed(
        node, lambda: log(node, "log_1.log", "ha"), lambda: log(node, "log_1.log", "lf\nnext"), lambda: log(node, "log_1.log", "\n")
    ) == [
        "half",
        "next",
    ]


def test_a_node_without_a_log_is_waited_for(node: NodeHome) -> None:
    (node.directory / "log").rmdir()
    assert followed(node, (node.directory / "log").mkdir, lambda: log(node, "log_1.log", "hello\n")) == ["hello"]


def test_a_file_that_is_cut_short_or_replaced_is_read_anew(node: NodeHome) -> None:
    path = log(node, "log_1.log", "a\nb\nc\n")

    def replace() -> None:
        path.unlink()
        log(node, "log_1.log", "a new file of the same name\n")

    assert followed(
        node,
        lambda: path.write_text("cut\n"),
        replace,
    ) == ["b", "c", "cut", "a new file of the same name"]


def test_a_line_the_killed_node_did_not_end_is_told_when_the_next_file_comes(node: NodeHome) -> None:
    log(node, "log_1.log", "a\n")
    assert followed(node, lambda: log(node, "log_1.log", "b, kil"), lambda: log(node, "log_2.log", "c\n")) == ["a", "b, kil", "c"]


def test_a_removed_newest_file_does_not_end_the_following(node: NodeHome) -> None:
    path = log(node, "log_1.log", "a\n")
    assert followed(node, path.unlink, lambda: log(node, "log_2.log", "b\n")) == ["a", "b"]


def test_a_line_without_end_is_told_in_pieces(node: NodeHome) -> None:
    log(node, "log_1.log", "")
    told = followed(node, lambda: log(node, "log_1.log", "x" * (3 << 20)))
    assert sum(map(len, told)) >= 2 << 20
    assert max(map(len, told)) < 2 << 20


def test_bytes_that_are_no_text_are_shown_somehow(node: NodeHome) -> None:
    (node.directory / "log/log_1.log").write_bytes(b"good\nbad \xff\xfe\n")
    assert [line.text for line in tail(node, 2)] == ["good", "bad \ufffd\ufffd"]
