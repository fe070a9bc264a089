"""Does a node's RPC answer? One JSON-RPC question over plain HTTP or TLS without the clients of the `rpc` room.

"The fisco-bcos is running..." in nohup.out comes before the ports are opened, also when opening them fails afterwards
(recordings/v3/deploy/port_in_use); an answer over RPC is the only proof that a node is up.
"""

from __future__ import annotations

import functools
import http.client
import ssl
from pathlib import Path

import orjson

from fiscotool.chain.model import NodeHome

_QUESTION = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "getGroupList", "params": []})
_ANSWER_BYTES_MAX = 1 << 20
_STARTING = (-40010, -32004)
"""What nodes of 2.x and of 3.x refuse with while they start (spec 2.x 2.2; spec 3.x 2.5)."""
ASK_S = 2.0


def probe_rpc(node: NodeHome, *, within_s: float = ASK_S) -> str:
    """Empty when the RPC of `node` answered with a JSON-RPC answer, else what happened instead. Bounded by `within_s` per socket step."""
    connection: http.client.HTTPConnection
    try:
        if node.rpc_tls:
            context = _context(node.sdk_directory)
            connection = http.client.HTTPSConnection(node.rpc_host, node.rpc_port, timeout=within_s, context=context)
        else:
            connection = http.client.HTTPConnection(node.rpc_host, node.rpc_port, timeout=within_s)
        try:
            connection.request("POST", "/", _QUESTION, {"Content-Type": "application/json"})
            answer = orjson.loads(connection.getresponse().read(_ANSWER_BYTES_MAX))
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as problem:
        return f"{node.rpc_url} does not answer: {problem or type(problem).__name__}"
    except ValueError:
        return f"{node.rpc_url} answers, but not with JSON"
    if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
        return f"{node.rpc_url} answers, but not as JSON-RPC"
    error = answer.get("error")
    if isinstance(error, dict) and error.get("code") in _STARTING:
        return f"{node.rpc_url} answers that it has not finished starting"
    return ""


@functools.cache
def _context(sdk: Path) -> ssl.SSLContext:
    """TLS with the chain's client certificate. Names are not checked: the certificates have none (spec 3.x 4.4)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(sdk / "ca.crt")
    context.load_cert_chain(sdk / "sdk.crt", sdk / "sdk.key")
    # build_chain.sh's CA has no basicConstraints, which strict checking would refuse.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
