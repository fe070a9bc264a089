"""Every error a user can cause or meet, with the next step and the exit code of the command that meets it.

    FiscoToolError
    ├── UsageError            the command line or a file the user wrote is wrong                      exit 2
    ├── EnvironmentFailure    this machine cannot do it: port taken, no binary, disk full             exit 3
    │   └── ChainDirectoryError   a chain directory is missing, foreign or damaged                    exit 3
    ├── RpcError              a node refused a call or did not answer it as it must                   exit 4
    │   ├── Refused           the node said no: definitely not done
    │   ├── Unreachable       nothing was sent: connection refused, TLS refused
    │   ├── MalformedAnswer   something answered that does not speak this protocol
    │   └── OutcomeUnknown    sent, no answer: it may still happen
    ├── WaitTimeout           a condition did not come true in time                                   exit 6
    └── Interrupted           the user stopped it; what was broken has been healed                    exit 130

A finding is not an error: `check` exits 1 or 5 by its verdict without raising.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller. The table of docs/cli.md is generated from this class."""

    OK = 0
    VIOLATED = 1
    USAGE = 2
    ENVIRONMENT = 3
    RPC = 4
    INCONCLUSIVE = 5
    TIMED_OUT = 6
    BUG = 70
    INTERRUPTED = 130


class FiscoToolError(Exception):
    """A failure that is expected in normal operation: what it is about, what is the fact, what to do next.

    `hint` is one sentence with the next step; the command line prints it on a line of its own.
    """

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(FiscoToolError):
    """The user's words or files are wrong; nothing was done."""

    exit_code = ExitCode.USAGE


class EnvironmentFailure(FiscoToolError):
    """This machine cannot do what was asked."""

    exit_code = ExitCode.ENVIRONMENT


class ChainDirectoryError(EnvironmentFailure):
    """A chain directory is missing, belongs to something else, or is damaged."""


class RpcError(FiscoToolError):
    """A call to a node did not give a result. `node` names whom it was sent to, `method` what was asked."""

    exit_code = ExitCode.RPC

    def __init__(self, message: str, *, node: str = "", method: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.node = node
        self.method = method


class Refused(RpcError):
    """The node answered with an error: what was asked is definitely not done. `code` is the JSON-RPC error code."""

    def __init__(self, message: str, *, code: int, node: str = "", method: str = "", hint: str = "", data: object = None) -> None:
        super().__init__(message, node=node, method=method, hint=hint)
        self.code = code
        self.data = data


class Unreachable(RpcError):
    """No connection could be made, so nothing was asked."""


class MalformedAnswer(RpcError):
    """Something answered, but not in this protocol (not JSON, half an answer, another server)."""


class OutcomeUnknown(RpcError):
    """The request left and no answer came: it may have been done, and may yet be. `tx_hash` is set for transactions."""

    def __init__(self, message: str, *, node: str = "", method: str = "", hint: str = "", tx_hash: str = "") -> None:
        super().__init__(message, node=node, method=method, hint=hint)
        self.tx_hash = tx_hash


class WaitTimeout(FiscoToolError):
    """A condition that was waited for did not come true in time; the message says what was last seen."""

    exit_code = ExitCode.TIMED_OUT


class Interrupted(FiscoToolError):
    """The user interrupted the command (Ctrl-C, SIGTERM); whatever it broke has been healed."""

    exit_code = ExitCode.INTERRUPTED
