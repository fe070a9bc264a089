"""PBFT of FISCO BCOS 2.x (2.9.1 to 2.11.1) behind the contract of `pbft.step`: `step.step`, `state.initial_state`, `state.status`.

The words are those of the room. 2.x names some of them otherwise:

    2.x          here         meaning
    PrepareReq   PrePrepare   the leader proposes; `digest` is the hash before execution
    SignReq      Prepare      the sender executed the proposal; `digest` is the hash *after* execution
    CommitReq    Commit       the sender holds Signs of a quorum and is locked; its signature ends in the block
    ViewChange   ViewChange   the sender asks for a view; never carries certificates

There is no NewView and no checkpoint: a view begins locally with ViewChanges of a quorum, a block is final with Commits of a quorum.
`state` has what is remembered, `proposing` sealing and accepting (spec 2.x 1.4, 1.5, 1.10), `signing` Sign, Commit and the lock (1.6,
1.11), `viewchange` timers and views (1.8, 1.9), `report` blocks, start and synchronisation (1.7, 1.11), `step` dispatches.

Sources: FISCO-BCOS branch master-2.0, `libconsensus/pbft/`; spec 2.x section 1. Deviations: docs/pbft.md, rows E1…
"""
