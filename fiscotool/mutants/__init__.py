"""Bugs that real PBFT implementations had or could have, to be planted in the core: whoever judges must notice them.

    mutant      what a mutant is
    planter     replacing functions of the core, and putting them back
    plant       a mutant in all replicas of a dialect, or in some
    votes       fisco3: who counts, and for what
    views       fisco3: view changes, new views, recovery
    blocks      fisco3: records, execution, ledger, timers
    of_fisco2   the same for 2.x
    of_classic  the same for PBFT as published
    registry    all of them, by name

A mutant is one wrong thing in a core that is otherwise right. It is planted in the functions of `fiscotool.pbft`, never in what judges
them. Nothing here is used unless somebody asks for a mutant by name.

Sources: observables 2.2 and 4.1 (F1-F18, M1-M50, H1-H8), docs/mutants.md.
"""
