"""The process `fisco-bcos -c config.ini -g config.genesis` of the embedded engine; without -g in a directory of 2.x.

Rule 1. What it prints is what the real node prints (scripts look for it): "The fisco-bcos is running...",
        "start fisco-bcos failed, error:…", "exit because receive signal N", "fisco-bcos program exit normally.".
Rule 2. A start that fails ends with exit status 255 and one sentence of what and one of what to do; never a traceback.
Rule 3. SIGTERM, SIGINT and SIGABRT stop it cleanly. SIGUSR1: read nodes.json and the certificate lists again. SIGUSR2: the log level.
Rule 4. It refuses to run under `python -O`: the asserts of the core are part of its safety.

Sources: spec 3.x 0, 4.8; fisco-bcos-air `main.cpp`; recordings deploy/port_in_use.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fiscotool.devnet.inifile import SettingsError
from fiscotool.devnet.settings import Settings, read_settings
from fiscotool.devnet.settings2 import is_generation_2, read_settings2
from fiscotool.errors import FiscoToolError

__all__ = ["main"]

EXIT_FAILED_START: Final = 255
EXIT_FAILED_RUN: Final = 1
_STOP_S_MAX: Final = 8.0
_USAGE: Final = """\
fisco-bcos of fiscotool's embedded engine:
  -h [ --help ]            print this help
  -v [ --version ]         version of the node
  -c [ --config ] arg      path of the configuration file, default ./config.ini
  -g [ --genesis ] arg     path of the genesis file, default ./config.genesis"""


def say(text: str) -> None:
    """Print to standard output (nohup.out). A full disk must not stop a node from stopping."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), (text + "\n").encode(errors="replace"))


def _stamp() -> str:
    return time.strftime("[%Y-%m-%d %H:%M:%S]")


def _fail(problem: FiscoToolError | OSError) -> int:
    text = f"{_stamp()} start fisco-bcos failed, error:{problem}"
    hint = getattr(problem, "hint", "")
    say(f"{text}\nhint: {hint}" if hint else text)
    return EXIT_FAILED_START


def _arguments(argv: Sequence[str]) -> dict[str, str] | None:
    """{"config": …, "genesis": …}, or None when the words are not understood."""
    found = {"config": "./config.ini", "genesis": "./config.genesis"}
    names = {"-c": "config", "--config": "config", "-g": "genesis", "--genesis": "genesis"}
    words = iter(argv)
    for word in words:
        key, equals, value = word.partition("=")
        if key not in names:
            return None
        given = value if equals else next(words, "")
        if not given:
            return None
        found[names[key]] = given
    return found


def main(argv: Sequence[str]) -> int:
    """Run the node of the working directory until it is told to stop. Returns the exit status."""
    if any(word in {"-v", "--version"} for word in argv):
        import fiscotool

        say(f"fiscotool embedded engine {fiscotool.__version__}")
        return 0
    if any(word in {"-h", "--help"} for word in argv):
        say(_USAGE)
        return 0
    if sys.flags.optimize:
        return _fail(SettingsError("the embedded node does not run under python -O", hint="unset PYTHONOPTIMIZE"))
    paths = _arguments(argv)
    if paths is None:
        say(_USAGE)
        return EXIT_FAILED_START
    is_2 = is_generation_2(Path(paths["config"]).absolute().parent)
    if is_2:
        del paths["genesis"]
    for what, path in paths.items():
        if not Path(path).exists():
            # The real node leaves with status 0 here (spec 3.x 0); its text is the same.
            say(f"{what} '{path}' not found!")
            return 0
    try:
        config = Path(paths["config"])
        settings = read_settings2(config) if is_2 else read_settings(config, Path(paths["genesis"]))
    except FiscoToolError as problem:
        return _fail(problem)
    return _run(settings)


def _run(settings: Settings) -> int:
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    """Start everything, wait for a signal or a failed disk, stop everything."""
    from fiscotool.devnet.process import NodeProcess

    stop: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def finish(reason: str) -> None:
        if not stop.done():
            stop.set_result(reason)

    failed: list[str] = []

    def on_fatal(reason: str) -> None:
        failed.append(reason)
        finish(reason)

    process = NodeProcess(settings, on_fatal=on_fatal)
    try:
        process.open()
        say(f"{_stamp()} The fisco-bcos is running...")
        await process.start()
    except (FiscoToolError, OSError) as problem:
        await process.stop()
        return _fail(problem)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGABRT):
        loop.add_signal_handler(number, finish, f"signal {int(number)}")
    loop.add_signal_handler(signal.SIGUSR1, process.reload_peers)
    loop.add_signal_handler(signal.SIGUSR2, process.reload_log_level)
    gc.collect()
    gc.freeze()  # What exists now lives as long as the node: the collector need not look at it again.
    gc.set_threshold(20_000, 20, 50)
    reason = await stop
    if failed:
        say(f"{_stamp()} the node stops: {failed[0]}")
        say("hint: free or repair the disk, then start the node again; it continues where its ledger ends")
    else:
        say(f"{_stamp()} exit because receive {reason}")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_S_MAX):
            await process.stop()
    if failed:
        return EXIT_FAILED_RUN
    say(f"{_stamp()} fisco-bcos program exit normally.")
    return 0
