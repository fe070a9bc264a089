"""TLS on the native port: version 1.2, a client certificate of the chain's CA, or nothing. As recorded in misc/rpc_with_ssl_on.txt."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.model import NodeHome
from fiscotool.devnet.rpc_servers import RpcServers, rpc_tls_context, start_rpc
from tests.devnet.chains import make_chain
from tests.devnet.rpc_world import identity, small_world
from tests.recordings.exchange import Reply, read_reply, request_bytes

ROW = {"request": '{"jsonrpc": "2.0", "method": "getBlockNumber", "params": ["group0", ""], "id": 1}'}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> NodeHome:
    return make_chain(tmp_path_factory.mktemp("tls") / "nodes", 1, rpc_tls=True).nodes[0]


def client_context(home: NodeHome, *, has_certificate: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(home.sdk_directory / "ca.crt")
    if has_certificate:
        context.load_cert_chain(home.sdk_directory / "sdk.crt", home.sdk_directory / "sdk.key")
    return context


async def ask(port: int, context: ssl.SSLContext | None) -> tuple[Reply, str | None]:
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, ssl=context), 10)
    try:
        writer.write(request_bytes(ROW))
        reply = await read_reply(reader)
        tls = writer.get_extra_info("ssl_object")
        return reply, tls.version() if tls else None
    finally:
        writer.transport.abort()


def serving(home: NodeHome, scenario: Callable[[RpcServers], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # Failed handshakes are expected here.
        conf: Path = home.directory / "conf"
        tls = rpc_tls_context(conf / "ca.crt", conf / "ssl.crt", conf / "ssl.key")
        world = small_world()
        servers = await start_rpc(world, identity(world), host="127.0.0.1", native_port=0, web3_port=0, tls=tls)
        try:
            await scenario(servers)
        finally:
            await servers.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_client_of_the_chain_is_answered_over_tls_1_2(home: NodeHome) -> None:
    async def scenario(servers: RpcServers) -> None:
        reply, version = await ask(servers.native.port, client_context(home))
        assert (reply.status, reply.body, version) == (200, b'{"id":1,"jsonrpc":"2.0","result":0}', "TLSv1.2")

    serving(home, scenario)


def test_everybody_else_is_not(home: NodeHome) -> None:
    async def scenario(servers: RpcServers) -> None:
        too_new = client_context(home)
        too_new.minimum_version = ssl.TLSVersion.TLSv1_3
        for context in (client_context(home, has_certificate=False), too_new, None):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await ask(servers.native.port, context)
        reply, _ = await ask(servers.native.port, client_context(home))
        assert reply.status == 200

    serving(home, scenario)


def test_the_ethereum_port_is_plain(home: NodeHome) -> None:
    async def scenario(servers: RpcServers) -> None:
        assert servers.web3 is not None
        reply, version = await ask(servers.web3.port, None)
        assert (reply.status, version) == (200, None)

    serving(home, scenario)
