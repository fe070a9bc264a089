"""HTTP under JSON-RPC, blocking, over `requests`: keep-alive, TLS, and a bound on every exchange.

Rule 1. What is raised says whether anything was sent: Unreachable (no connection was made, so nothing was asked) or OutcomeUnknown
        (it was sent, and no answer came) or MalformedAnswer (half an answer came).
Rule 2. Reads are repeated once when a kept connection turns out to be closed; what may change something is never repeated.
Rule 3. Proxies of the environment are not used: nodes are on this machine or in the operator's network, and a proxy's web page
        instead of a node's answer has cost people hours.

`requests` is imported when the first transport is made, not with this module.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from fiscotool.errors import EnvironmentFailure, MalformedAnswer, OutcomeUnknown, Unreachable, UsageError
from fiscotool.rpc.codec import Asked, RawAnswer
from fiscotool.rpc.deadline import within
from fiscotool.rpc.tls import TlsFiles, client_context

if TYPE_CHECKING:
    import requests

ANSWER_BYTES_MAX: Final = 256 << 20
_CHUNK_BYTES: Final = 1 << 16
_HINT_UNREACHABLE: Final = "is the node running? fiscotool status shows it, fiscotool start starts it"
_HINT_SILENT: Final = "the node may be frozen or overloaded: fiscotool status; a longer wait: --timeout"
_HINT_TLS: Final = "the node may expect TLS (rpc.enable_ssl in its config.ini), or another program listens there"


class Transport(Protocol):
    """Whatever can carry one request and bring back one answer."""

    def post(self, body: bytes, *, asked: Asked, timeout_s: float, may_repeat: bool) -> RawAnswer:
        """Send `body` and return the answer, in `timeout_s` at most. `may_repeat`: sending it twice does no harm."""

    def close(self) -> None:
        """Drop kept connections."""


class HttpTransport:
    """A Transport to one URL. Safe from several threads: each has its own connections."""

    def __init__(self, url: str, *, tls: TlsFiles | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is not the URL of a node's RPC", hint="write it as http://HOST:PORT or https://HOST:PORT")
        if url.startswith("https://") and tls is None:
            raise EnvironmentFailure(
                f"{url} is reached over TLS, and no certificates were given",
                hint="give the chain's sdk directory, which has ca.crt, sdk.crt and sdk.key",
            )
        self._url = url
        self._tls = tls
        self._sessions: list[requests.Session] = []
        self._of_thread = threading.local()
        self._lock = threading.Lock()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            from fiscotool.rpc.http_session import new_session

            session = new_session(client_context(self._tls) if self._tls and self._url.startswith("https://") else None, self._tls)
            self._of_thread.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def post(self, body: bytes, *, asked: Asked, timeout_s: float, may_repeat: bool) -> RawAnswer:
        """See Transport."""
        import requests

        session = self._session()
        with within(timeout_s):
            try:
                return self._exchange(session, body, asked, timeout_s)
            except requests.ConnectionError as problem:
                if not (may_repeat and _was_closed(problem)):
                    raise _explain(problem, self._url, asked, timeout_s) from problem
            except (requests.RequestException, OSError) as problem:
                raise _explain(problem, self._url, asked, timeout_s) from problem
            try:
                return self._exchange(session, body, asked, timeout_s)
            except (requests.RequestException, OSError) as problem:
                raise _explain(problem, self._url, asked, timeout_s) from problem

    def _exchange(self, session: requests.Session, body: bytes, asked: Asked, timeout_s: float) -> RawAnswer:
        with session.post(
            self._url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=timeout_s,
            stream=True,
            allow_redirects=False,
        ) as response:
            parts: list[bytes] = []
            size_bytes = 0
            for part in response.iter_content(_CHUNK_BYTES):
                parts.append(part)
                size_bytes += len(part)
                if size_bytes > ANSWER_BYTES_MAX:
                    raise MalformedAnswer(
                        f"{asked.node or self._url} answered {asked.method} with more than {ANSWER_BYTES_MAX >> 20} MiB",
                        node=asked.node,
                        method=asked.method,
                        hint="ask for less, or check what listens there",
                    )
            return RawAnswer(response.status_code, b"".join(parts), response.headers.get("Content-Type", ""))

    def close(self) -> None:
        """Drop the kept connections of all threads."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
        self._of_thread = threading.local()


def _causes(problem: BaseException) -> list[BaseException]:
    """`problem` and what is wrapped in it, outermost first: requests wraps urllib3, which wraps the system's error."""
    found: list[BaseException] = []
    waiting: list[Any] = [problem]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found


def _was_closed(problem: BaseException) -> bool:
    """Whether the server closed the connection before a byte of an answer, as happens to kept connections."""
    import http.client

    return any(isinstance(cause, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)) for cause in _causes(problem))


def _explain(problem: Exception, url: str, asked: Asked, timeout_s: float) -> Exception:
    """The exception of ours for one of `requests` or the system."""
    import ssl

    import requests
    import urllib3

    if isinstance(problem, (Unreachable, OutcomeUnknown, MalformedAnswer)):
        return problem
    who = asked.node or url
    names = {"node": asked.node, "method": asked.method}
    causes = _causes(problem)
    never_connected = (requests.ConnectTimeout, urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    if any(isinstance(cause, requests.exceptions.InvalidURL | urllib3.exceptions.LocationParseError) for cause in causes):
        return UsageError(f"{url!r} is not a URL: {problem}", hint="write it as http://HOST:PORT")
    if any(isinstance(cause, never_connected) for cause in causes):
        system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror and cause.errno), None)
        reason = system.strerror if system is not None else f"no connection within {timeout_s:g} s"
        return Unreachable(f"{who} cannot be reached at {url}: {reason}", hint=_HINT_UNREACHABLE, **names)
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        hint = "the certificates must be of this chain's CA (nodes/<ip>/sdk), and the node must have rpc.enable_ssl=true"
        return Unreachable(f"{who} at {url} refused the TLS connection: {tls.reason or tls}", hint=hint, **names)
    if any(isinstance(cause, (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)) for cause in causes):
        return OutcomeUnknown(f"{who} did not answer {asked.method} within {timeout_s:g} s", hint=_HINT_SILENT, **names)
    if _was_closed(problem):
        return OutcomeUnknown(f"{who} closed the connection without an answer to {asked.method}", hint=_HINT_TLS, **names)
    detail = " ".join(str(causes[-1]).split())[:200] or type(causes[-1]).__name__
    hint = "another program may listen there, or the node died while it answered"
    return MalformedAnswer(f"{who} answered {asked.method} with half an HTTP answer or none: {detail}", hint=hint, **names)
