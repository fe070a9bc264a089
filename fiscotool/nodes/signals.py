"""Send a signal to one life of a process, and to no other process that may have got its number since.

Theory. Between looking at a pid and signalling it, the process can end and another can get its number. A pidfd is opened first, the
identity is checked then: from there on the descriptor means that very process (pidfd_open(2), Linux 5.3). Elsewhere the check comes
right before kill(2), which leaves a window of microseconds.
"""

from __future__ import annotations

import os
import signal

from fiscotool.errors import EnvironmentFailure
from fiscotool.nodes.process import Identity, is_alive


def send_signal(identity: Identity, number: signal.Signals) -> bool:
    """Send `number` to this life; False if it has ended. Raises EnvironmentFailure where this user may not."""
    try:
        descriptor = os.pidfd_open(identity.pid) if hasattr(os, "pidfd_open") else -1
    except ProcessLookupError:
        return False
    except OSError:
        descriptor = -1
    try:
        if not is_alive(identity):
            return False
        if descriptor >= 0:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(identity.pid, number)
    except ProcessLookupError:
        return False
    except PermissionError as problem:
        raise EnvironmentFailure(
            f"process {identity.pid} in {identity.directory} may not be signalled by this user",
            hint="use the account that started the node",
        ) from problem
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return True
