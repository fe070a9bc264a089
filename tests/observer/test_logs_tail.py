"""Following log files through everything that happens to them."""

from __future__ import annotations

import io
import os
import random
from datetime import UTC, datetime
from pathlib import Path

from fiscotool.observer.logs.tail import LogTail, read_lines, seek_time


def take(tail: LogTail) -> list[str]:
    return [line for _, lines in tail.new_lines() for line in lines]


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_directory_that_appears_later_and_hourly_files(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    tail = LogTail(directory)
    assert take(tail) == []
    assert "no log files" in tail.problem
    directory.mkdir()
    assert take(tail) == []
    append(directory / "log_2026112104.30.log", "a\nb\n")
    assert take(tail) == ["a", "b"]
    assert tail.problem == ""
    assert take(tail) == []
    append(directory / "log_2026112104.30.log", "c\n")
    append(directory / "log_2026112105.00.log", "d\n")
    assert take(tail) == ["c", "d"]


def test_half_a_line_waits_for_its_rest_or_for_the_next_file(tmp_path: Path) -> None:
    first, tail = tmp_path / "log_2026112104.30.log", LogTail(tmp_path)
    append(first, "whole\nha")
    assert take(tail) == ["whole"]
    append(first, "lf\nki")
    assert take(tail) == ["half"]
    assert take(tail) == []
    append(tmp_path / "log_2026112104.31.log", "next life\n")
    assert take(tail) == ["ki", "next life"]
    append(first, "lled late\n")
    assert take(tail) == ["lled late"]


def test_a_character_cut_in_two_by_a_read_is_whole(tmp_path: Path) -> None:
    path, tail = tmp_path / "log_2026112104.30.log", LogTail(tmp_path)
    encoded = "节点\n".encode()
    path.write_bytes(encoded[:4])
    assert take(tail) == []
    path.write_bytes(encoded)
    assert take(tail) == ["节点"]


def test_a_renamed_file_is_not_read_twice(tmp_path: Path) -> None:
    """With enable_rotate_by_hour=false the file being written gets another name when it is rotated."""
    active, tail = tmp_path / "log_20261121_0430.log", LogTail(tmp_path)
    append(active, "a\n")
    assert take(tail) == ["a"]
    append(active, "b\n")
    active.rename(tmp_path / "log_2026112104.30.log")
    append(active, "c\n")
    assert take(tail) == ["b", "c"]


def test_a_file_cut_short_is_read_from_its_start(tmp_path: Path) -> None:
    path, tail = tmp_path / "log_2026112104.30.log", LogTail(tmp_path)
    append(path, "first line of the file\nsecond\n")
    assert len(take(tail)) == 2
    os.truncate(path, 0)
    append(path, "new\n")
    assert take(tail) == ["new"]
    path.write_text("other\n" * 20)
    assert take(tail) == ["other"] * 20, "cut short and longer than before at the next look: known by its first bytes"
    path.write_text("again\n" * 20)
    assert take(tail) == ["again"] * 20, "and even at the same length"


def test_a_file_that_takes_the_place_of_a_removed_one_is_new(tmp_path: Path) -> None:
    path, tail = tmp_path / "log_2026112104.30.log", LogTail(tmp_path)
    append(path, "a\nb\n")
    assert take(tail) == ["a", "b"]
    path.unlink()
    assert take(tail) == []
    append(path, "c\nd\n")
    assert take(tail) == ["c", "d"]


def test_what_is_not_a_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "nohup.out").write_text("x\n")
    (tmp_path / "log_directory.log").mkdir()
    tail = LogTail(tmp_path)
    assert take(tail) == []
    assert "log_directory" in tail.problem


def test_any_way_of_writing_gives_every_line_once(tmp_path: Path) -> None:
    for seed in range(30):
        chance = random.Random(seed)
        directory = tmp_path / str(seed)
        directory.mkdir()
        tail, written, got, half = LogTail(directory), [], list[str](), ""
        path = directory / "log_00.log"
        for step in range(60):
            match chance.randrange(5):
                case 0:
                    path = directory / f"log_{step + 1:02d}.log"
                    if half:
                        written.append(half)
                        half = ""
                case 1 | 2:
                    text = half + f"{seed}.{step}"
                    append(path, f"{seed}.{step}\n")
                    written.append(text)
                    half = ""
                case 3:
                    append(path, f"h{step}")
                    half += f"h{step}"
                case _:
                    got += take(tail)
        append(directory / "log_99.log", "end\n")
        if half:
            written.append(half)
        assert [*got, *take(tail)] == [*written, "end"], seed


def test_old_files_are_passed_over_and_a_long_one_is_entered_in_the_middle(tmp_path: Path) -> None:
    base_s = datetime(2026, 11, 21, 4, tzinfo=UTC).timestamp()
    lines = [
        f"info|{datetime.fromtimestamp(base_s + second, UTC):%Y-%m-%d %H:%M:%S}.000000|t-0x1|[A]{second}{'x' * 180}"
        for second in range(20_000)
    ]
    old, path = tmp_path / "log_2026112103.00.log", tmp_path / "log_2026112104.00.log"
    old.write_text("very old\n")
    os.utime(old, (base_s - 9000, base_s - 9000))
    path.write_text("\n".join(lines) + "\n")
    since_s = base_s + 15_000
    got = take(LogTail(tmp_path, since_s=since_s, zone=UTC))
    assert set(lines[15_000:]) <= set(got)
    assert len(got) < 6_000
    with path.open("rb") as stream:
        assert seek_time(stream, base_s - 100, UTC) == 0


def test_lines_of_a_stream() -> None:
    assert [line for lines in read_lines(io.BytesIO(b"a\n\nb\xff\nc")) for line in lines] == ["a", "", "b\ufffd", "c"]
    assert list(read_lines(io.BytesIO(b""))) == []
    long = b"x" * (3 << 20)
    assert "".join(line for lines in read_lines(io.BytesIO(long)) for line in lines) == long.decode()
