"""Chained HotStuff (Yin et al., PODC 2019, sections 5 and 6) behind the contract of `pbft.step`.

    messages     nodes of the tree, certificates, what replicas say to each other
    state        what a replica is; leaders, quorums, the record that survives a crash
    tree         finding nodes, what may be added, lock and commit by chains of certificates
    voting       the safety rule and the vote
    leading      when a leader may propose, and what
    pacemaker    views: entering them, timers, asking for the next one
    handlers     what arrives: proposals, votes, new views, nodes that were asked for
    applying     committed blocks are executed and written, one after the other
    seals        symbolic signatures for simulators; `protocols.bls` has the real ones
    properties   what must be true, checked at every step
    step         the door

A node carries one block or none; its view is its height in the sense of the paper's algorithm 4. Leaders change with every view.
"""
