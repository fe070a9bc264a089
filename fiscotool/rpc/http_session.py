"""A `requests` session whose sockets obey the deadline of rpc.deadline. The only module that imports requests at its top."""

from __future__ import annotations

import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from fiscotool.rpc.deadline import DeadlineSSLSocket, adopt
from fiscotool.rpc.tls import TlsFiles


class _Connection(HTTPConnection):
    def _new_conn(self) -> Any:
        return adopt(super()._new_conn())


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> Any:
        return adopt(super()._new_conn())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Keeps one connection a session, repeats nothing, follows nothing."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=4, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **given: Any) -> None:  # noqa: FBT001, FBT002
        """As HTTPAdapter's, with our sockets and TLS context."""
        if self._context is not None:
            given |= {"ssl_context": self._context, "assert_hostname": False}
        super().init_poolmanager(connections, maxsize, block=block, **given)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def new_session(context: ssl.SSLContext | None, files: TlsFiles | None) -> requests.Session:
    """A session for one node. `context`: for https."""
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.headers.update({"Accept": "application/json", "Connection": "keep-alive"})
    if context is not None and files is not None:
        context.sslsocket_class = DeadlineSSLSocket
        session.verify = str(files.ca)
    adapter = _Adapter(context)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
