"""What NodeClient says when something other than a healthy node is at the other end: each case over a real socket, each in bounded time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fiscotool.errors import EnvironmentFailure, MalformedAnswer, OutcomeUnknown, RpcError, Unreachable, UsageError
from fiscotool.rpc.client import NodeClient
from tests.rpc import fake_server as fake
from tests.support.ports import free_ports

HASH = "0x" + "ab" * 32


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test ends, so that silent servers let go."""
    event = threading.Event()
    yield event
    event.set()


def test_nobody_listens() -> None:
    port = free_ports(1)[0]
    with (
        NodeClient(f"http://127.0.0.1:{port}", name="node2") as client,
        pytest.raises(Unreachable, match=r"node2 cannot be reached.*Connection refused") as caught,
    ):
        client.block_number()
    assert "fiscotool start" in caught.value.hint
    assert caught.value.exit_code == 4


def test_an_unknown_host() -> None:
    with NodeClient("http://no-such-host.invalid:20200", timeout_s=3) as client, pytest.raises(Unreachable):
        client.block_number()


def test_a_frozen_node_is_given_up_after_the_timeout(over: threading.Event) -> None:
    with fake.serving(fake.silent(over)) as server, NodeClient(server.url, name="node1", timeout_s=0.3) as client:
        began_s = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"node1 did not answer getPbftView within 0\.3 s"):
            client.pbft_view()
        assert time.monotonic() - began_s < 10


def test_a_server_that_drips_is_given_up_as_well(over: threading.Event) -> None:
    """Each single read succeeds in time; the exchange as a whole must still end."""
    with fake.serving(fake.trickle(over)) as server, NodeClient(server.url, timeout_s=0.5) as client:
        began_s = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="did not answer"):
            client.block_number()
        assert time.monotonic() - began_s < 10


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        pytest.param(fake.half, MalformedAnswer, "half an HTTP answer", id="half an answer"),
        pytest.param(fake.garbage, MalformedAnswer, "half an HTTP answer or none", id="another protocol"),
        pytest.param(fake.hang_up, OutcomeUnknown, "closed the connection without an answer", id="closed without an answer"),
        pytest.param(fake.web_page, MalformedAnswer, "a web page titled '404 Not Found'", id="a web server"),
        pytest.param(lambda _b, _c: fake.http_answer(b'{"id":1,"result":'), MalformedAnswer, "broken JSON", id="broken JSON"),
        pytest.param(lambda _b, _c: fake.http_answer(b"OK"), MalformedAnswer, "not JSON: 'OK'", id="plain text"),
        pytest.param(lambda _b, _c: fake.http_answer(b"[1]"), MalformedAnswer, "no JSON-RPC answer", id="a JSON list"),
        pytest.param(lambda _b, _c: fake.http_answer(b'{"status":"UP"}'), MalformedAnswer, "no JSON-RPC answer", id="another JSON service"),
        pytest.param(
            lambda _b, _c: fake.http_answer(b'{"id":1,"error":"no"}'), MalformedAnswer, "an error that has no code", id="a bare error"
        ),
        pytest.param(
            lambda _b, _c: fake.http_answer(b'{"id":999999,"result":5}'), MalformedAnswer, "to another request", id="a mixed-up answer"
        ),
        pytest.param(lambda _b, _c: fake.http_answer(b"", status="204 No Content"), MalformedAnswer, "empty body", id="nothing"),
        pytest.param(lambda b, _c: fake.result_answer(b, "12"), MalformedAnswer, "unexpected shape", id="a height that is a text"),
        pytest.param(lambda b, _c: fake.result_answer(b, -4), MalformedAnswer, "unexpected shape", id="a negative height"),
        pytest.param(lambda _b, _c: fake.http_answer(b"[" * 200_000), MalformedAnswer, "broken JSON", id="nested without end"),
    ],
)
def test_other_servers(behaviour: fake.Behaviour, kind: type[RpcError], words: str) -> None:
    with fake.serving(behaviour) as server, NodeClient(server.url, name="node0", timeout_s=3) as client:
        with pytest.raises(kind, match=words) as caught:
            client.block_number()
        assert type(caught.value) is kind
        assert caught.value.hint
        assert caught.value.node == "node0"


def test_a_redirect_is_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with fake.serving(lambda _b, _c: answer) as server, NodeClient(server.url) as client, pytest.raises(MalformedAnswer, match="302"):
        client.block_number()


@pytest.mark.parametrize("behaviour", [fake.half, fake.garbage, fake.hang_up, fake.web_page], ids=["half", "garbage", "closed", "page"])
def test_a_transaction_without_a_readable_answer_is_unknown_and_was_sent_once(behaviour: fake.Behaviour) -> None:
    with fake.serving(behaviour) as server, NodeClient(server.url, name="node0") as client:
        with pytest.raises(OutcomeUnknown) as caught:
            client.send_transaction("0x00", tx_hash=HASH)
        assert caught.value.tx_hash == HASH
        assert HASH in caught.value.hint
        assert len(server.requests) == 1


def test_a_transaction_that_is_never_answered(over: threading.Event) -> None:
    with fake.serving(fake.silent(over)) as server, NodeClient(server.url, send_timeout_s=0.3) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            client.send_transaction("0x00", tx_hash=HASH)
        assert caught.value.tx_hash == HASH


def test_a_transaction_that_could_not_be_sent_is_not_unknown() -> None:
    port = free_ports(1)[0]
    with NodeClient(f"http://127.0.0.1:{port}") as client, pytest.raises(Unreachable):
        client.send_transaction("0x00", tx_hash=HASH)


def test_a_kept_connection_that_the_server_closed_is_opened_again() -> None:
    """A node may close idle connections; the next read must not fail for it."""
    closed = threading.Event()

    def behave(body: bytes, connection: socket.socket) -> bytes | None:
        if not closed.is_set():
            closed.set()
            connection.sendall(fake.result_answer(body, 1))
            connection.shutdown(socket.SHUT_RDWR)
            return None
        return fake.result_answer(body, 2)

    with fake.serving(behave) as server, NodeClient(server.url) as client:
        assert client.block_number() == 1
        assert client.block_number() == 2
        assert client.block_number() == 2
        assert server.connection_count == 2


def test_one_connection_is_kept_for_many_calls() -> None:
    with fake.serving(lambda body, _c: fake.result_answer(body, 5)) as server, NodeClient(server.url) as client:
        assert {client.block_number() for _ in range(20)} == {5}
        assert server.connection_count == 1


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with fake.serving(lambda body, _c: fake.result_answer(body, 5)) as server, NodeClient(server.url) as client:
        assert client.block_number() == 5


@pytest.mark.parametrize("url", ["127.0.0.1:20200", "ftp://127.0.0.1", ""])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError):
        NodeClient(url)


def test_a_tls_node_spoken_to_in_plain_http_is_explained() -> None:
    """Recorded (misc/rpc_with_ssl_on): an empty reply."""

    def behave(_body: bytes, connection: socket.socket) -> bytes | None:
        return fake.hang_up(_body, connection)

    with fake.serving(behave) as server, NodeClient(server.url) as client, pytest.raises(OutcomeUnknown) as caught:
        client.block_number()
    assert "enable_ssl" in caught.value.hint


def test_https_without_certificates_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="no certificates"):
        NodeClient("https://127.0.0.1:20200")


def test_parameters_that_are_no_json() -> None:
    with NodeClient("http://127.0.0.1:1") as client, pytest.raises(UsageError, match="JSON"):
        client.call("getBlockNumber", ["group0", object()])


def test_unknown_methods_are_for_call_only() -> None:
    with NodeClient("http://127.0.0.1:1") as client, pytest.raises(UsageError, match="no native method"):
        client.typed_call("eth_blockNumber")


def test_an_https_url_of_a_plain_server_is_explained(sdk: Path) -> None:
    from fiscotool.rpc.tls import TlsFiles

    def behave(_body: bytes, _connection: socket.socket) -> bytes | None:
        return None

    with fake.serving(behave) as server:
        url = server.url.replace("http://", "https://")
        with NodeClient(url, tls=TlsFiles.from_sdk(sdk), timeout_s=2) as client, pytest.raises(RpcError) as caught:
            client.block_number()
        assert caught.value.hint


def server_context(sdk: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(sdk / "node.crt", sdk / "node.key")
    context.load_verify_locations(sdk / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_mutual_tls_with_the_sdk_certificates(sdk: Path) -> None:
    from fiscotool.rpc.tls import TlsFiles

    with fake.serving(lambda body, _c: fake.result_answer(body, 5), context=server_context(sdk)) as server:
        with NodeClient(server.url, tls=TlsFiles.from_sdk(sdk)) as client:
            assert [client.block_number() for _ in range(3)] == [5, 5, 5]
        assert server.connection_count == 1


def test_a_frozen_tls_node_is_given_up(sdk: Path, over: threading.Event) -> None:
    from fiscotool.rpc.tls import TlsFiles

    with (
        fake.serving(fake.trickle(over), context=server_context(sdk)) as server,
        NodeClient(server.url, tls=TlsFiles.from_sdk(sdk), timeout_s=0.5) as client,
    ):
        began_s = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            client.block_number()
        assert time.monotonic() - began_s < 10


def test_a_server_of_another_ca_is_refused(sdk: Path, other_sdk: Path) -> None:
    from fiscotool.rpc.tls import TlsFiles

    with (
        fake.serving(lambda body, _c: fake.result_answer(body, 5), context=server_context(sdk)) as server,
        NodeClient(server.url, tls=TlsFiles.from_sdk(other_sdk)) as client,
        pytest.raises(Unreachable, match="refused the TLS connection"),
    ):
        client.block_number()


def test_missing_certificate_files_are_named(tmp_path: Path) -> None:
    from fiscotool.rpc.tls import TlsFiles

    with NodeClient("https://127.0.0.1:1", tls=TlsFiles.from_sdk(tmp_path)) as client, pytest.raises(EnvironmentFailure, match=r"ca\.crt"):
        client.block_number()


def test_damaged_certificate_files_are_named(sdk: Path, tmp_path: Path) -> None:
    from fiscotool.rpc.tls import TlsFiles

    for name in ("ca.crt", "sdk.crt", "sdk.key"):
        (tmp_path / name).write_bytes((sdk / name).read_bytes())
    (tmp_path / "sdk.key").write_text("no key")
    with NodeClient("https://127.0.0.1:1", tls=TlsFiles.from_sdk(tmp_path)) as client, pytest.raises(EnvironmentFailure, match=r"sdk\.key"):
        client.block_number()
