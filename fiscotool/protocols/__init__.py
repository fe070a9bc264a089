"""Two protocols that articles compare PBFT with, behind the same `step(state, event) -> (state, effects)`.

    raft       Ongaro & Ousterhout, USENIX ATC 2014: crash faults only
    hotstuff   Yin et al., PODC 2019: chained, three-phase, with quorum certificates
    registry   both as a `pbft.dialects.Dialect`, so that the simulator runs them like the PBFTs
    bls        signs, aggregates and verifies quorum certificates with real cryptography

They speak the events and effects of `pbft` with messages of their own (`words`). They are here to be measured and
broken, no node runs them.
"""
