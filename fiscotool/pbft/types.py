"""The nouns of the protocol, as types that cannot be mixed up.

Upstream calls a height `index` or `number`; here `Height` is the type and `index` the field of a message, as on the wire.

Sources: bcos-pbft `core/Common.h`, `pbft/utilities/Common.h`; Castro & Liskov, OSDI'99, section 4.
"""

from __future__ import annotations

from typing import Final, NewType

Height = NewType("Height", int)
"""Number of a block; in a PBFT message its field is `index`. 0 is the genesis block."""

View = NewType("View", int)
"""Number of a configuration of leaders. Starts at 0 in every process, in memory only (spec 3.x 1.12)."""

NodeIndex = NewType("NodeIndex", int)
"""Position of a sealer in the list sorted by node id. Not the number of the directory `nodeN`."""

Weight = NewType("Weight", int)
"""Voting weight of one sealer or the sum of several."""

Digest = NewType("Digest", bytes)
"""32 bytes: hash of a proposal (before execution) or of a block (after execution)."""

Ticks = NewType("Ticks", int)
"""Time as the core knows it. Whoever drives decides how long a tick is; the embedded node uses one millisecond."""

NO_DIGEST: Final = Digest(b"")
"""Stands where no hash is known yet."""
