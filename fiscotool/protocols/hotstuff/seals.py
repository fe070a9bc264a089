"""Symbolic signatures for simulators: the text of what is signed and by whom. `protocols.bls` is the same with real cryptography.

Only `sign` makes one, and a simulated liar signs for itself alone, so a certificate holds exactly the votes that were cast.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.types import Digest, NodeIndex, View
from fiscotool.protocols.hotstuff.messages import Certificate, Generic, NewView, SendNodes, Vote


def share(signer: NodeIndex, view: View, digest: Digest) -> bytes:
    """The one signature of `signer` under a vote."""
    return b"vote%d|%d|%s" % (signer, view, digest)


def sign(message: object) -> object:
    """The message as its sender sends it."""
    match message:
        case Vote():
            return replace(message, signature=share(message.sender, message.view, message.digest))
        case NewView(vote=Vote() as vote) if vote.sender == message.sender:
            return replace(message, vote=replace(vote, signature=share(vote.sender, vote.view, vote.digest)))
        case _:
            return message


def is_authentic(message: object) -> bool:
    """Whether every signature in it is its signer's."""
    match message:
        case Vote():
            return message.signature == share(message.sender, message.view, message.digest)
        case NewView():
            return is_genuine(message.justify) and (message.vote is None or is_authentic(message.vote))
        case Generic():
            return is_genuine(message.node.justify)
        case SendNodes():
            return all(is_genuine(node.justify) for node in message.nodes)
        case _:
            return True


def is_genuine(certificate: Certificate) -> bool:
    """Whether its shares are its signers'."""
    expected = tuple(share(signer, certificate.view, certificate.digest) for signer in certificate.signers)
    return certificate.proofs == expected
