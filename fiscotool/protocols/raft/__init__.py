"""Raft (Ongaro & Ousterhout, USENIX ATC 2014, sections 5.1-5.4) behind the contract of `pbft.step`. Crash faults only.

    messages      RequestVote, AppendEntries and their replies; entries of the log
    state         what a replica is; arithmetic of the log and of majorities
    terms         later terms make followers
    election      votes, becoming leader
    replication   the leader's log to everyone, commit by majority
    applying      committed entries are executed and written to the ledger, one after the other
    properties    the five properties of the paper's figure 3, checked at every step
    step          the door

An entry is a block, its index in the log is its height. Not here: log compaction, membership change, pre-vote (sections 6, 7).
"""
