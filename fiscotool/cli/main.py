"""The door: runs a command and turns every way it can end into one exit code and at most two lines on stderr.

Sources: the table of exit codes is `fiscotool.errors.ExitCode`; docs/cli.md shows it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from fiscotool import __version__
from fiscotool.cli.output import Output, complain, set_directory
from fiscotool.cli.registry import LazyGroup
from fiscotool.errors import ExitCode, FiscoToolError

_OF_A_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="fiscotool")
def cli() -> None:
    """Deploy a FISCO BCOS chain, watch its PBFT consensus, break it on purpose, judge what it did.

    \b
    Example: fiscotool deploy -l 127.0.0.1:4 && fiscotool start
             fiscotool drill run kill-leader --record runs/first
             fiscotool report runs/first/recording.jsonl
    """


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code is returned, never raised."""
    set_directory(None)
    try:
        result = cli.main(args=list(arguments), prog_name="fiscotool", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.Abort:
        return _interrupted()
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # A group without a command (click 8.2 and later): its message is the help.
            Output().say(error.format_message())
            return ExitCode.USAGE
        where = f" (see: {error.ctx.command_path} --help)" if error.ctx is not None else ""
        complain(error.format_message(), f"check the command line{where}")
        return ExitCode.USAGE
    except click.ClickException as error:
        complain(error.format_message())
        return ExitCode.USAGE
    except FiscoToolError as error:
        complain(error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit:
        # Only click ends like this here, and only when the reader of our output went away (`| head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        return _unwilling(error)
    except Exception as error:  # noqa: BLE001 - the last door: a bug of ours must end in one clear message, too
        return _bug(error)
    return int(result) if isinstance(result, int) else ExitCode.OK


def _interrupted() -> int:
    complain("interrupted")
    return ExitCode.INTERRUPTED


def _unwilling(error: OSError) -> int:
    """A file or a disk that did not let a command do its work is the machine's affair; an error of a socket that comes this far is ours."""
    if error.filename is None and error.errno not in _OF_A_DISK:
        return _bug(error)
    subject = "" if error.filename is None else f"{error.filename}: "
    complain(f"{subject}{error.strerror or error}", "check that path, its permissions, and the space left on its disk")
    return ExitCode.ENVIRONMENT


def _bug(error: BaseException) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="fiscotool-bug-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    complain(
        f"fiscotool itself failed: {type(error).__name__}: {error}", f"this is our bug; please report it with {file.name} (the full trace)"
    )
    return ExitCode.BUG


def main() -> NoReturn:
    """Entry point of the `fiscotool` command. SIGTERM ends a command as Ctrl-C does: healing what it broke."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(sys.argv[1:]))
