"""What listens at an address: found out by asking, before anything is assumed.

    detect_dialect("127.0.0.1:8545")  →  Detected(dialect=2.x, version="2.9.1", groups=("1",), chain_id="1", …)

What is asked, in this order, until something answers as only one dialect can:

    getClientVersion      2.x: an object with "FISCO-BCOS Version"; 3.x: -32601
    getGroupInfoList      3.x: a list of groups; the Ethereum port: -32601
    web3_clientVersion    the Ethereum port of 3.x: a text that begins with FISCO-BCOS

Rule 1. An address without a scheme is tried as plain HTTP first; a server that closes such a connection without a word, as a 3.x node
        with TLS on does (recorded), is tried with TLS when there are certificates.
Rule 2. What is no FISCO BCOS node is NotFisco, with what it is as far as it can be seen; nothing is guessed.
Rule 3. A node that is reached and does not answer is OutcomeUnknown, one that cannot be reached Unreachable: as every call.

Sources: spec 3.x 2.1 to 2.6; spec 2.x 2.1; recordings v2/rpc, v3/rpc, v3/misc/rpc_with_ssl_on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.errors import EnvironmentFailure, MalformedAnswer, OutcomeUnknown, Refused, RpcError, Unreachable, UsageError
from fiscotool.rpc import replies2_status, replies_group
from fiscotool.rpc.codec import Asked, encode_request, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape, as_quantity
from fiscotool.rpc.neutral import NodeVersion
from fiscotool.rpc.neutral2 import version_of as version_of_2
from fiscotool.rpc.neutral3 import version_of as version_of_3
from fiscotool.rpc.tls import TlsFiles
from fiscotool.rpc.transport import HttpTransport

DETECT_S: Final = 3.0
_NO_METHOD: Final = -32601
_WEB3_NAME: Final = "FISCO-BCOS"
_HINT_PORTS: Final = "3.x: RPC is on 20200 … and the Ethereum RPC on 8545 …; 2.x: RPC is on 8545 … and 20200 … is the channel port"
_HINT_CHANNEL: Final = "on a 2.x chain 20200 … is the channel port; its RPC is on 8545 … (jsonrpc_listen_port in config.ini)"


class NotFisco(MalformedAnswer):
    """Something answers, and it is no FISCO BCOS node's RPC."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found at `url` (with the scheme that worked)."""

    url: str
    dialect: Dialect
    version: NodeVersion

    @property
    def uses_tls(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.url.startswith("https://")


def detect_dialect(address: str, *, tls: TlsFiles | None = None, name: str = "", timeout_s: float = DETECT_S) -> Detected:
    """Which dialect the server at `address` (a URL, or HOST:PORT) speaks, and what it says of itself.

    Raises NotFisco, Unreachable, OutcomeUnknown; UsageError for what is no address. Ends within 4 × `timeout_s` a scheme.
    """
    if "://" in address:
        return _detect_at(address, tls, name or address, timeout_s)
    if not address.rpartition(":")[2].isdigit():
        raise UsageError(f"{address!r} is not the address of a node", hint="write it as HOST:PORT, such as 127.0.0.1:8545")
    plain, secure = f"http://{address}", f"https://{address}"
    try:
        return _detect_at(plain, None, name or address, timeout_s)
    except (OutcomeUnknown, MalformedAnswer) as problem:
        if isinstance(problem, NotFisco) or not _was_cut_off(problem):
            raise
        if tls is None:
            raise _wants_tls(problem, name or address) from problem
    return _detect_at(secure, tls, name or address, timeout_s)


def _was_cut_off(problem: RpcError) -> bool:
    return "closed the connection" in problem.message or "half an HTTP answer" in problem.message


def _wants_tls(problem: RpcError, name: str) -> RpcError:
    return OutcomeUnknown(
        f"{name} closes connections of plain HTTP without an answer, as a node with TLS on does",
        node=name,
        method=problem.method,
        hint="give the chain's certificates (the sdk directory beside the nodes: ca.crt, sdk.crt, sdk.key); on a 2.x chain this may be "
        "the channel port: its RPC is on 8545 …",
    )


def _detect_at(url: str, tls: TlsFiles | None, name: str, timeout_s: float) -> Detected:
    transport = HttpTransport(url, tls=tls)

    def ask(method: str, dialect: Dialect) -> Any:
        asked = Asked(method, 1, name, dialect)
        return parse_answer(transport.post(encode_request(method, [], 1), asked=asked, timeout_s=timeout_s, may_repeat=True), asked)

    try:
        version = _first_known(ask)
    except Unreachable as problem:
        raise _explained(problem, url, name) from problem
    except (OutcomeUnknown, MalformedAnswer) as problem:
        if isinstance(problem, NotFisco) or not url.startswith("https://") or not _was_cut_off(problem):
            raise
        raise OutcomeUnknown(
            f"{name} speaks TLS, and not the RPC of a 3.x node: {problem.message}", node=name, method=problem.method, hint=_HINT_CHANNEL
        ) from problem
    finally:
        transport.close()
    if version is None:
        raise NotFisco(
            f"{name} speaks JSON-RPC and knows none of the methods of a FISCO BCOS node",
            node=name,
            method="getClientVersion",
            hint=_HINT_PORTS,
        )
    return Detected(url, version.dialect, version)


def _explained(problem: Unreachable, url: str, name: str) -> RpcError:
    """A TLS handshake that failed because the server speaks plain HTTP."""
    words = problem.message.upper().replace(" ", "_")
    if url.startswith("https://") and ("WRONG_VERSION_NUMBER" in words or "RECORD_LAYER" in words):
        return Unreachable(
            f"{name} does not speak TLS",
            node=name,
            method=problem.method,
            hint=f"it may speak plain HTTP: {url.replace('https:', 'http:')}",
        )
    return problem


def _first_known(ask: Callable[[str, Dialect], Any]) -> NodeVersion | None:
    for question in (_as_2x, _as_3x, _as_ethereum):
        try:
            return question(ask)
        except Refused as problem:
            if problem.code != _NO_METHOD:
                raise
        except UnexpectedShape as problem:
            raise NotFisco(f"the server answers as no FISCO BCOS node does: {problem}", hint=_HINT_PORTS) from problem
    return None


def _as_2x(ask: Callable[[str, Dialect], Any]) -> NodeVersion:
    told = replies2_status.client_version(ask("getClientVersion", Dialect.FISCO2))
    return version_of_2(told, replies2_status.group_numbers(ask("getGroupList", Dialect.FISCO2)))


def _as_3x(ask: Callable[[str, Dialect], Any]) -> NodeVersion:
    return version_of_3(replies_group.group_infos(ask("getGroupInfoList", Dialect.FISCO3)))


def _as_ethereum(ask: Callable[[str, Dialect], Any]) -> NodeVersion:
    told = ask("web3_clientVersion", Dialect.ETHEREUM)
    if not isinstance(told, str) or not told.startswith(_WEB3_NAME):
        raise NotFisco(f"the server is another Ethereum node: {str(told)[:80]!r}", method="web3_clientVersion", hint=_HINT_PORTS)
    version = told.partition("/")[2].partition("-")[0]
    chain_id = ask("eth_chainId", Dialect.ETHEREUM)
    return NodeVersion(Dialect.ETHEREUM, version, "", str(as_quantity(chain_id, "the chain id")), (), extra={"client": told})


def require_generation(detected: Detected, *, wanted: Dialect) -> None:
    """Raise EnvironmentFailure unless what was found speaks `wanted`."""
    if detected.dialect is not wanted:
        raise EnvironmentFailure(f"{detected.url} speaks {detected.dialect}, not {wanted}", hint=_HINT_PORTS)
