"""PBFT as Castro and Liskov published it (OSDI'99, the variant with signatures), behind the contract of `pbft.step`.

A request is a block here, its sequence number the height. `state` has what is remembered, `normal` the three phases and execution
(section 4.2), `checkpoint` stable checkpoints, water marks and garbage collection (4.3), `viewchange` and `newview` the change of
the primary (4.4), `timers` liveness (4.5.2), `step` dispatches.

Sources: Castro & Liskov, Practical Byzantine Fault Tolerance, OSDI'99; Castro, PhD thesis, MIT 2001 (retransmission, section 5.2).
Deviations: docs/pbft.md, rows C1...
"""
