"""What listens at an address is found out by asking: three dialects, and whatever else may listen there, over real sockets."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiscotool.errors import EnvironmentFailure, MalformedAnswer, OutcomeUnknown, Refused, Unreachable, UsageError
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.detect import NotFisco, detect_dialect, require_generation
from fiscotool.rpc.dialect import Dialect, is_group_number
from fiscotool.rpc.refusals import NoSuchGroupHere
from fiscotool.rpc.refusals2 import NotInTheGroup, StillInitialising
from fiscotool.rpc.tls import TlsFiles
from tests.rpc import fake_server as fake
from tests.rpc.recorded2 import READS, recorded_behaviour2, rows2
from tests.support.ports import free_ports

NO_METHOD = {
    Dialect.FISCO3: "The method does not exist/is not available.",
    Dialect.FISCO2: "METHOD_NOT_FOUND: The method being requested is not available on this server",
    Dialect.ETHEREUM: "Method not found",
}


def refused_answer(request: bytes, code: int, message: str) -> bytes:
    """An error answer under the request's id."""
    return fake.http_answer(
        json.dumps({"error": {"code": code, "message": message}, "id": json.loads(request)["id"], "jsonrpc": "2.0"}).encode()
    )


def node_of(dialect: Dialect) -> fake.Behaviour:
    """A recorded node; what it was not asked then it does not know, and says so in its own words."""
    if dialect is Dialect.FISCO2:
        recorded = recorded_behaviour2([row for row in rows2(READS[1]) if row["node"] == 0])
    else:
        api = "web3" if dialect is Dialect.ETHEREUM else "fisco"
        recorded = fake.recorded_behaviour([row for row in fake.recorded("read_methods_with_blocks") if row["api"] == api])

    def behave(body: bytes, connection: socket.socket) -> bytes | None:
        try:
            return recorded(body, connection)
        except KeyError:
            return refused_answer(body, -32601, NO_METHOD[dialect])

    return behave


@pytest.mark.parametrize(
    ("dialect", "version", "compatibility", "chain_id", "groups"),
    [
        (Dialect.FISCO2, "2.9.1", "2.9.0", "1", ("1",)),
        (Dialect.FISCO3, "3.16.4", "3.16.0", "chain0", ("group0",)),
        (Dialect.ETHEREUM, "3.16.4", "", "20200", ()),
    ],
)
def test_each_dialect_is_recognised(dialect: Dialect, version: str, compatibility: str, chain_id: str, groups: tuple[str, ...]) -> None:
    with fake.serving(node_of(dialect)) as server:
        for address in (server.url, server.url.removeprefix("http://")):
            found = detect_dialect(address, name="node0")
            assert found.dialect is dialect
            assert found.url == server.url
            assert not found.uses_tls
            told = found.version
            assert (told.version, told.compatibility, told.chain_id, told.groups) == (version, compatibility, chain_id, groups)
        require_generation(found, wanted=dialect)
        with pytest.raises(EnvironmentFailure, match=f"speaks {dialect}, not"):
            require_generation(found, wanted=Dialect.FISCO2 if dialect is not Dialect.FISCO2 else Dialect.FISCO3)


def test_a_client_becomes_the_client_of_what_it_found() -> None:
    with fake.serving(node_of(Dialect.FISCO3)) as server, AnyClient(server.url) as client:
        assert isinstance(client.node, NodeClient)
        assert client.group == ""
        assert client.node.group == "group0"
        assert client.version().version == "3.16.4"
        asked = len(server.requests)
        assert client.block_number() > 0
        assert len(server.requests) == asked + 1
    with fake.serving(node_of(Dialect.FISCO2)) as server, AnyClient(server.url) as client:
        assert isinstance(client.node, NodeClient2)
    with (
        fake.serving(node_of(Dialect.ETHEREUM)) as server,
        AnyClient(server.url) as client,
        pytest.raises(UsageError, match="neither views nor sealers"),
    ):
        client.block_number()


def test_a_name_of_3x_for_a_2x_node_is_explained() -> None:
    with (
        fake.serving(node_of(Dialect.FISCO2)) as server,
        AnyClient(server.url, group="group0", name="node0") as client,
        pytest.raises(UsageError, match=r"node0 is a 2\.x node, and 'group0' is no group of one") as caught,
    ):
        client.block_number()
    assert "1" in caught.value.hint
    with pytest.raises(UsageError, match="groups there are numbers"):
        NodeClient2("http://127.0.0.1:1", group="group0")
    assert [is_group_number(text) for text in ("1", "0", "group0", "", "-1", "99999999999", "²")] == [True, True, *[False] * 5]


def test_a_node_that_changes_its_dialect_is_asked_again_when_told_so() -> None:
    with fake.serving(node_of(Dialect.FISCO2)) as server, AnyClient(server.url) as client:
        assert str(client.dialect) == "2.x"
        server.behaviour = node_of(Dialect.FISCO3)
        with pytest.raises(MalformedAnswer, match="unexpected shape"):
            client.typed_call("getGroupList")
        client.forget()
        assert str(client.dialect) == "3.x"


def test_a_node_that_is_down_is_asked_again_at_the_next_call() -> None:
    port = free_ports(1)[0]
    with AnyClient(f"127.0.0.1:{port}", name="node3") as client:
        with pytest.raises(Unreachable, match="node3 cannot be reached"):
            client.block_number()
        with fake.serving(node_of(Dialect.FISCO2), port=port):
            assert client.block_number() == 1


# Other servers


def geth(body: bytes, _connection: socket.socket) -> bytes:
    """An Ethereum node that has nothing to do with FISCO BCOS."""
    if json.loads(body)["method"] == "web3_clientVersion":
        return fake.result_answer(body, "Geth/v1.14.0-stable/linux-amd64/go1.22")
    return refused_answer(body, -32601, "the method getClientVersion does not exist/is not available")


def ethereum_without_chain_id(body: bytes, _connection: socket.socket) -> bytes:
    """Nearly the Ethereum port of a node."""
    method = json.loads(body)["method"]
    if method in ("web3_clientVersion", "eth_chainId"):
        return fake.result_answer(body, "FISCO-BCOS-Web3RPC/3.16.4-Release/Linux" if method.startswith("web3") else "none")
    return refused_answer(body, -32601, "Method not found")


def other_json_rpc(body: bytes, _connection: socket.socket) -> bytes:
    """A JSON-RPC server that knows none of the methods."""
    return refused_answer(body, -32601, "Method not found")


def says(value: Any) -> fake.Behaviour:
    """Answers everything with `value`."""
    return lambda body, _connection: fake.result_answer(body, value)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        pytest.param(geth, NotFisco, "another Ethereum node: 'Geth/v1.14.0", id="geth"),
        pytest.param(ethereum_without_chain_id, NotFisco, "the chain id is 'none', not a hex quantity", id="no chain id"),
        pytest.param(other_json_rpc, NotFisco, "none of the methods of a FISCO BCOS node", id="another JSON-RPC server"),
        pytest.param(says("1.0"), NotFisco, "as no FISCO BCOS node does", id="a text for a version"),
        pytest.param(says({"version": "1"}), NotFisco, "no member 'FISCO-BCOS Version'", id="another object"),
        pytest.param(fake.web_page, MalformedAnswer, "a web page titled '404 Not Found'", id="a web server"),
        pytest.param(fake.garbage, OutcomeUnknown, "closes connections of plain HTTP", id="garbage"),
        pytest.param(lambda _b, _c: fake.http_answer(b'{"id":1,"result":'), MalformedAnswer, "broken JSON", id="half JSON"),
        pytest.param(
            lambda _b, _c: fake.http_answer(b'{"id":7,"jsonrpc":"2.0","result":{}}'), MalformedAnswer, "to another request", id="wrong id"
        ),
        pytest.param(
            lambda b, _c: refused_answer(b, -40010, "RPC module initialization is incomplete"), StillInitialising, "starting", id="starting"
        ),
    ],
)
def test_what_is_no_node_is_said_to_be_none(behaviour: fake.Behaviour, kind: type[Exception], words: str) -> None:
    with fake.serving(behaviour) as server, pytest.raises(kind, match=words) as caught:
        detect_dialect(server.url.removeprefix("http://"), name="127.0.0.1:8545", timeout_s=2)
    assert caught.value.hint  # type: ignore[attr-defined]


def test_addresses_that_are_none() -> None:
    for address in ("", "node0", "127.0.0.1", "127.0.0.1:http", "ftp://127.0.0.1:21"):
        with pytest.raises(UsageError):
            detect_dialect(address)


def test_a_silent_server_is_given_up() -> None:
    over = threading.Event()
    with fake.serving(fake.silent(over)) as server:
        began_s = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="did not answer getClientVersion"):
            detect_dialect(server.url, timeout_s=0.3)
        assert time.monotonic() - began_s < 10
        over.set()


# TLS


def tls_context(sdk: Path) -> ssl.SSLContext:
    """A node with enable_ssl: TLS 1.2, the client must present a certificate of the chain's CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(sdk / "node.crt", sdk / "node.key")
    context.load_verify_locations(sdk / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_node_with_tls_on_is_found_with_and_without_a_scheme(sdk: Path) -> None:
    with fake.serving(node_of(Dialect.FISCO3), context=tls_context(sdk)) as server:
        for address in (server.url, server.url.removeprefix("https://")):
            found = detect_dialect(address, tls=TlsFiles.from_sdk(sdk), timeout_s=2)
            assert (found.dialect, found.url, found.uses_tls) == (Dialect.FISCO3, server.url, True)
        with AnyClient(server.url.removeprefix("https://"), tls=TlsFiles.from_sdk(sdk), timeout_s=2) as client:
            assert client.block_number() > 0


def test_a_node_with_tls_on_and_no_certificates_says_what_is_needed(sdk: Path) -> None:
    with fake.serving(node_of(Dialect.FISCO3), context=tls_context(sdk)) as server:
        with pytest.raises(OutcomeUnknown, match="as a node with TLS on does") as caught:
            detect_dialect(server.url.removeprefix("https://"), timeout_s=2)
        assert "sdk" in caught.value.hint
        assert "8545" in caught.value.hint


def test_certificates_of_another_agency_are_refused_by_either_side(sdk: Path, other_sdk: Path) -> None:
    with fake.serving(node_of(Dialect.FISCO3), context=tls_context(sdk)) as server:
        with pytest.raises(Unreachable, match="refused the TLS connection") as caught:
            detect_dialect(server.url, tls=TlsFiles.from_sdk(other_sdk), timeout_s=2)
        assert "this chain's CA" in caught.value.hint
        mixed = TlsFiles(sdk / "ca.crt", other_sdk / "sdk.crt", other_sdk / "sdk.key")
        with pytest.raises(Unreachable, match="refused the TLS connection"):
            detect_dialect(server.url, tls=mixed, timeout_s=2)


def test_a_frozen_node_behind_tls_is_silent_and_nothing_else(sdk: Path) -> None:
    over = threading.Event()
    with fake.serving(fake.silent(over), context=tls_context(sdk)) as server:
        with pytest.raises(OutcomeUnknown, match="did not answer getClientVersion") as caught:
            detect_dialect(server.url, tls=TlsFiles.from_sdk(sdk), timeout_s=2)
        assert "frozen" in caught.value.hint
        over.set()


def test_tls_spoken_to_a_plain_port_is_explained(sdk: Path) -> None:
    with fake.serving(lambda _b, _c: None) as server:
        url = server.url.replace("http://", "https://")

        def plain(connection: socket.socket) -> None:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        server.serve = plain  # type: ignore[method-assign]
        with pytest.raises(Unreachable, match="does not speak TLS") as caught:
            detect_dialect(url, tls=TlsFiles.from_sdk(sdk), timeout_s=2)
        assert server.url in caught.value.hint


def test_the_channel_port_of_2x_taken_for_an_rpc_port(sdk: Path) -> None:
    """TLS with the same certificates succeeds there; then the node hangs up, since what comes is no frame."""

    def hang_up_on_what_is_no_frame(connection: socket.socket) -> None:
        assert int.from_bytes(connection.recv(4), "big") > 100 << 20, "POST as a length"
        connection.shutdown(socket.SHUT_RDWR)

    with fake.serving(lambda _b, _c: None, context=tls_context(sdk)) as server:
        server.serve = hang_up_on_what_is_no_frame  # type: ignore[method-assign]
        for address in (server.url, server.url.removeprefix("https://")):
            with pytest.raises(OutcomeUnknown) as caught:
                detect_dialect(address, tls=TlsFiles.from_sdk(sdk), timeout_s=2)
            assert "8545" in caught.value.hint
            assert "channel port" in caught.value.hint


# Groups


@pytest.mark.parametrize(
    ("make", "behaviour", "kind"),
    [
        pytest.param(
            lambda url: NodeClient2(url, group="2"),
            lambda b, _c: refused_answer(b, -40001, "GroupID does not exist"),
            NoSuchGroupHere,
            id="2.x",
        ),
        pytest.param(
            lambda url: NodeClient(url, group="group7"),
            lambda b, _c: refused_answer(
                b, -32000, "Invalid request for the specified node of doesn't exist or doesn't started!,request=x,chain=,group=group7,node="
            ),
            NoSuchGroupHere,
            id="3.x",
        ),
        pytest.param(
            NodeClient2,
            lambda b, _c: refused_answer(b, -40009, "Don't send request to this node who doesn't belong to the group"),
            NotInTheGroup,
            id="2.x, not in the group",
        ),
    ],
)
def test_a_group_the_node_does_not_run(make: Callable[[str], Any], behaviour: fake.Behaviour, kind: type[Refused]) -> None:
    with fake.serving(behaviour) as server, make(server.url) as client:
        with pytest.raises(kind) as caught:
            client.consensus_status()
        assert caught.value.hint
