"""One recorded HTTP request, sent as it was; one answer, as raw as it came."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    is_closed: bool


def request_bytes(row: dict[str, Any]) -> bytes:
    """The request of a recorded row: verb, path and headers where they were recorded, else a POST of JSON."""
    body = (row["request"] or "").encode()
    headers = row.get("request_headers", {"Content-Type": "application/json"})
    lines = [f"{row.get('http_method', 'POST')} {row.get('path', '/')} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if row["request"] is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def read_reply(reader: asyncio.StreamReader, *, has_body: bool = True) -> Reply:
    """The next response on a connection."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    status_line, *lines = head.rstrip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    status = int(status_line.split()[1])
    length = int(headers["Content-Length"])
    body = await asyncio.wait_for(reader.readexactly(length), 10) if has_body and status != 204 else b""
    is_closed = headers.get("Connection") == "close" and await asyncio.wait_for(reader.read(1), 10) == b""
    return Reply(status, headers, body, is_closed)


async def exchange(port: int, row: dict[str, Any]) -> Reply:
    """Send a recorded request over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request_bytes(row))
        return await read_reply(reader, has_body=row.get("http_method") != "HEAD")
    finally:
        writer.close()
        await writer.wait_closed()
