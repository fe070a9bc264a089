"""A stand-in for the node's program: a small process that answers RPC, and dies, hangs or fails to open its port when told so.

It is told by a file `behave` in the node's directory: `die <status> <words>`, `deaf` (ignores SIGTERM), `mute` (opens no port). Its signals go to `signals` in the same directory.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fiscotool.chain.layout import HostGroup, PortBases
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from tests.support.ports import free_ports

PROGRAM = """
import configparser, http.server, json, os, pathlib, signal, ssl, sys, threading

is_2 = os.path.exists("conf/group.1.genesis") or "stub2" in sys.argv[0]
version = "FISCO-BCOS Version : 2.9.1" if is_2 else "FISCO BCOS Version : 3.16.4"
if sys.argv[1:2] == ["-v"]:
    print(version)
    sys.exit(0)
if sys.argv[1:] != ["-c", "config.ini"] + ([] if is_2 else ["-g", "config.genesis"]):
    sys.exit("unexpected arguments: " + " ".join(sys.argv[1:]))
behave = pathlib.Path("behave").read_text().split(maxsplit=2) if os.path.exists("behave") else [""]
print(version, flush=True)
if behave[0] == "die":
    print(" ".join(behave[2:]), flush=True)
    sys.exit(int(behave[1]))
text = "\\n".join(line.strip() for line in open("config.ini"))
ini = configparser.RawConfigParser(strict=True)
ini.read_string(text)
print("[2026-11-21 04:32:13] The %s is running..." % ("FISCO-BCOS" if is_2 else "fisco-bcos"), flush=True)

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"id": 1, "jsonrpc": "2.0", "result": [1] if is_2 else {"groupList": ["group0"]}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass

ended = threading.Event()
def on_signal(number, frame):
    with open("signals", "a") as log:
        log.write(signal.Signals(number).name + "\\n")
    if number == signal.SIGTERM and behave[0] != "deaf":
        print(f"exit because receive signal {int(number)}", flush=True)
        ended.set()
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, on_signal)
if behave[0] != "mute":
    kind = "jsonrpc_" if is_2 else ""
    server = http.server.ThreadingHTTPServer((ini["rpc"][kind + "listen_ip"], int(ini["rpc"][kind + "listen_port"])), Answer)
    if ini["rpc"].get("enable_ssl") == "true":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("conf/ssl.crt", "conf/ssl.key")
        context.load_verify_locations("conf/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
# Python's handlers run in the main thread, which a signal that another thread took does not wake.
while not ended.wait(0.1):
    pass
print("fisco-bcos program exit normally.", flush=True)
"""


def stub_program() -> str:
    """The stub with this interpreter in its first line."""
    return f"#!{sys.executable}\n{PROGRAM}"


def stub_chain(root: Path, count: int = 2, *, rpc_tls: bool = False) -> Chain:
    """A deployed chain of `count` nodes on free ports whose program is the stub."""
    ports = free_ports(3 * count)
    bases = PortBases(ports[0], ports[count], ports[2 * count])
    plan = plan_chain(ChainSpec((HostGroup("127.0.0.1", count),), ports=bases, rpc_tls=rpc_tls))
    write_chain(plan, root)
    (root / "127.0.0.1" / "fisco-bcos").write_text(stub_program())
    return read_chain(root)


def stub_binary(directory: Path, generation: int) -> Path:
    """The stub as a file for `deploy -e`."""
    path = directory / f"stub{generation}" / "fisco-bcos"
    path.parent.mkdir()
    path.write_text(stub_program())
    path.chmod(0o755)
    return path


def tell(chain: Chain, name: str, behaviour: str) -> None:
    """Leave word for the node's next start."""
    node = chain.node(name)
    assert node is not None
    (node.directory / "behave").write_text(behaviour)
