"""What a new view must propose again: the set O of OSDI'99 section 4.4, for all dialects that have NewViews.

Rule. From the highest height committed (fisco3) or stable (classic) among the view changes up to the highest prepared one, each height
      gets the proposal prepared in the latest view, or an empty block. Backups compute this themselves and compare.

Sources: Castro & Liskov, OSDI'99, section 4.4 (the sets V and O); bcos-pbft `PBFTCacheProcessor.cpp` `generatePrePrepareMsg`;
spec 3.x 1.11.
"""

from __future__ import annotations

from fiscotool.pbft.messages import NewView, PreparedCertificate, ViewChange
from fiscotool.pbft.types import Height, NodeIndex, View

Reproposals = dict[Height, tuple[PreparedCertificate, NodeIndex] | None]
"""For each height that must be proposed again, in order: certificate and who reported it, or None for an empty block."""


def reproposals_of(view_changes: tuple[ViewChange, ...]) -> Reproposals:
    """What follows from these view changes (rule 2). Equal views with different digests need more than f faulty weight."""
    assert view_changes
    first = max(vc.index for vc in view_changes) + 1
    best: dict[Height, tuple[PreparedCertificate, NodeIndex]] = {}
    for vc in view_changes:
        for cert in vc.prepared:
            index = cert.proposal.index
            known = best.get(index)
            if index >= first and (known is None or _rank(cert) > _rank(known[0])):
                best[index] = (cert, vc.sender)
    last = max(best, default=first - 1)
    return {Height(index): best.get(Height(index)) for index in range(first, last + 1)}


def follows(message: NewView) -> bool:
    """Whether the proposals are those that follow from the view changes, and every filler is said to be one."""
    wanted = reproposals_of(message.view_changes)
    if [entry.index for entry in message.preprepares] != list(wanted):
        return False
    for entry in message.preprepares:
        found = wanted[entry.index]
        if entry.view != message.view or entry.proposal.index != entry.index or entry.proposal.digest != entry.digest:
            return False
        if found is None and not (entry.proposal.is_filler and entry.proposal.data):
            return False
        if found is not None and found[0].proposal.digest != entry.digest:
            return False
    assert len(message.preprepares) == len(wanted)
    return True


def _rank(cert: PreparedCertificate) -> tuple[View, bytes]:
    """Later views win; the digest only makes the choice the same everywhere."""
    return cert.view, cert.proposal.digest
