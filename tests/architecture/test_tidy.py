"""House rules a machine can read (plain `ast`): sizes, docstrings, banned text, units in names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.shared import ROOT

PACKAGE = ROOT / "fiscotool"
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if not path.stem.endswith("_pb2"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def of_every_module(rule: Callable[[Path], None]) -> Callable[[], None]:
    """One test for a rule, not one for each of some hundred modules: it names all modules that break the rule."""

    def test() -> None:
        broken = []
        for path in modules():
            try:
                rule(path)
            except AssertionError as error:
                broken.append(str(error).splitlines()[0])
        if broken:
            pytest.fail("\n".join(broken))

    return test


def test_a_broken_rule_is_told_with_every_module_that_breaks_it() -> None:
    def only_inits(path: Path) -> None:
        assert path.name == "__init__.py", f"{name_of(path)} is none"

    with pytest.raises(pytest.fail.Exception) as caught:
        of_every_module(only_inits)()
    assert len(str(caught.value).splitlines()) == sum(path.name != "__init__.py" for path in modules()) > 100


@of_every_module
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MODULE_LINES_MAX, f"{name_of(path)} has {lines} lines: split it by what it knows"


@of_every_module
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        f"{name_of(path)}:{function.lineno} {function.name} has {(function.end_lineno or 0) - function.lineno + 1} lines"
        for function in functions(parse(path))
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long, long


@of_every_module
def test_a_module_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(parse(path)) or ""
    assert docstring, f"{name_of(path)} has no docstring"
    if path.parent.name == "pbft" and path.name != "__init__.py":
        assert "Sources:" in docstring, f"{name_of(path)}: the core names its sources"


# pattern, why, and the places where it is allowed
BANNED: list[tuple[str, str, tuple[str, ...]]] = [
    (r"(?<![\w.])print\(", "return or report; only cli/output.py prints", ("cli/output.py", "devnet/main.py")),
    (r"except Exception\b|except:\s", "name the exception", ("cli/main.py",)),
    (r"shell=True|os\.system\(", "argv lists, through hosts or subprocess", ()),
    (r"(?<![\w.])eval\(", "parse it", ()),
    (r"sys\.exit\(", "raise; cli.main turns errors into exit codes", ("cli/main.py",)),
    (r"(?<![\w.])time\.sleep\(", "wait for a condition with a deadline", ("nodes/wait.py", "observer/waits.py", "rpc/client.py", "cli/")),
    (r"FIXME|TODO|XXX", "do it or file it", ()),
    (r"NotImplementedError", "no stubs", ()),
    (r"datetime\.utcnow|datetime\.now\(\)", "time zones are explicit", ()),
]


@of_every_module
def test_banned_text(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    text = path.read_text(encoding="utf-8")
    code = "\n".join(line.split("  #", 1)[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = [
        f"{pattern}: {why}" for pattern, why, allowed in BANNED if re.search(pattern, code) and not where.startswith(allowed or ("\0",))
    ]
    assert not found, f"{where}: {found}"


def test_the_banned_patterns_find_what_they_ban() -> None:
    bad = "print('x')\nexcept Exception as e:\nshell=True\neval('1')\nsys.exit(1)\ntime.sleep(1)\n# TODO\nraise NotImplementedError\ndatetime.now()\n"
    assert all(re.search(pattern, bad) for pattern, _, _ in BANNED)


@of_every_module
def test_a_duration_says_its_unit(path: Path) -> None:
    plain = [
        f"{function.name}({argument.arg})"
        for function in functions(parse(path))
        for argument in [*function.args.args, *function.args.kwonlyargs]
        if argument.arg in {"timeout", "delay", "interval", "duration"}
    ]
    assert not plain, f"{name_of(path)}: {plain} need _s, _ms or _ticks"
