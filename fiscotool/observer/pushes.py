"""New blocks of 2.x nodes as the node pushes them over its channel port, beside the polls.

Rule 1. A push says only that there is a block to be fetched; what is recorded is what the node answers to questions.
Rule 2. A channel that cannot be had (no certificates, another agency, closed) costs nothing but the pushes: polls find the blocks too.

Source: spec 2.x 2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fiscotool.errors import EnvironmentFailure
from fiscotool.rpc.channel.follow import ChannelFollower, Endpoint
from fiscotool.rpc.channel.words import BlockNotice
from fiscotool.rpc.tls import TlsFiles, channel_context


@dataclass(frozen=True, slots=True)
class ChannelAddress:
    """A node's channel port, HOST:PORT, and the certificates it wants."""

    address: str
    tls: TlsFiles


async def follow_heights(channel: ChannelAddress, *, name: str, group: str, on_height: Callable[[int], None]) -> None:
    """Tell every height the node pushes, until cancelled."""
    try:
        endpoint = Endpoint.of(channel.address, channel_context(channel.tls), name=name)
    except EnvironmentFailure:
        await asyncio.Event().wait()
        return

    def told(notice: BlockNotice) -> None:
        if notice.group == group:
            on_height(notice.number)

    follower = ChannelFollower(endpoint, groups=[group], on_block=told)
    try:
        await follower.run()
    finally:
        await follower.close()
