"""The executable PBFT: `step(state, event) -> (state, effects)`, FISCO BCOS 3.x dialect.

Doors: `step.step`, `state.initial_state`, and the words of `types`, `rules`, `messages`, `events`, `effects`. The handlers
(`admission`, `normal`, `checkpoint`, `viewchange`, `recovery`) are private to the room.

Sources: Castro & Liskov, OSDI'99; FISCO-BCOS 3.16.4, `bcos-pbft`. Deviations from both: docs/pbft.md.
"""
