"""The packed walk as machine code: optional, only an accelerator, and never the truth.

It knows no protocol. What a part can do in a situation is asked of the model, as in `check.packed`, once for each situation; the tables
of situations and differences then drive two loops that numba compiles: look up every part of every state of a level, and add the
differences, keeping what was never seen. So it must count what the interpreted walk counts; `compare` says whether it did, by level.

States are rows of 64-bit words. What was seen is remembered by its remainder modulo a prime of 63 bits, as TLC remembers fingerprints: the
remainder of a sum is the sum of the remainders, so a successor is made only when it is new. Two of N states share one with a probability of
about N^2 / 2^64, one in two million for three million states; a walk that lost a state so would differ from the interpreted one.

A successor inherits the situations of all parts whose bits the step did not touch.

numba and numpy are imported when a walk begins; the extra `kernel` installs them.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.check.explore import Progress
from fiscotool.check.kernel_loops import DOWN, MIX, PRIME, SHIFT, WORD_BITS, compiled
from fiscotool.check.model import Exploration
from fiscotool.check.packed import PackedModel

WORD: Final = (1 << WORD_BITS) - 1
CHUNK_STATES: Final = 1 << 15
LOAD_MAX: Final = 0.5


class _TooNarrow(Exception):
    """The model gave out more bits than the rows have."""


def explore_compiled(model: PackedModel, *, width: int = WORD_BITS, on_level: Progress | None = None) -> Exploration[int]:
    """Every reachable state, counted. Raises KernelMissing. `width` is a first guess of a state's bits, widened as needed."""
    words = width // WORD_BITS + 1
    while True:
        try:
            return _Walk(model, words).run(on_level)
        except _TooNarrow:
            words += 1


def compare(ours: Exploration[Any], other: Exploration[Any]) -> str:
    """What two walks counted differently, or ""."""
    for what in ("generated", "distinct", "levels", "taken", "decided"):
        if getattr(ours, what) != getattr(other, what):
            return f"{what}: {getattr(ours, what)} against {getattr(other, what)}"
    return ""


class _Walk:
    """One walk with rows of so many words."""

    def __init__(self, model: PackedModel, words: int) -> None:
        self._look_up, self._add, self._grow, self._np = compiled(words)
        np = self._np
        self._model, self._words = model, words
        self._situations: list[Any] = []
        self._keys = np.zeros((1 << 16, words + 1), np.uint64)
        self._values = np.full(1 << 16, -1, np.int32)
        self._differences = np.zeros((0, words), np.uint64)
        self._bounds = np.zeros((0, 2), np.int64)
        self._generated = np.zeros(0, np.int64)
        self._remainders = np.zeros(0, np.uint64)
        self._touched = np.zeros(0, np.uint64)
        self._seen = np.zeros(1 << 20, np.uint64)

    def run(self, on_level: Progress | None) -> Exploration[int]:
        """Breadth first."""
        np = self._np
        first = self._model.initial()
        level, prints = self._rows([first]), np.array([first % PRIME], np.uint64)
        self._seen[first % PRIME * MIX % (1 << WORD_BITS) >> DOWN & len(self._seen) - 1] = first % PRIME + 1
        kinds, needs = np.zeros((1, self._model.parts), np.int32), np.array([(1 << self._model.parts) - 1], np.uint64)
        levels, distinct, generated = [], 1, 1
        hits = np.zeros(0, np.int64)
        while len(level):
            levels.append(len(level))
            found = []
            for at in range(0, len(level), CHUNK_STATES):
                chunk = level[at : at + CHUNK_STATES]
                which = kinds[at : at + CHUNK_STATES]
                self._resolve(chunk, which, needs[at : at + CHUNK_STATES])
                counts = np.bincount(which.ravel(), minlength=len(self._situations))
                generated += int(counts @ self._generated)
                hits = np.concatenate((hits, np.zeros(len(counts) - len(hits), np.int64))) + counts
                most = int(counts @ (self._bounds[:, 1] - self._bounds[:, 0]))
                while distinct + most > LOAD_MAX * len(self._seen):
                    self._seen = self._grow(self._seen)
                room = [np.empty((most, *like.shape[1:]), like.dtype) for like in (level, prints, kinds, needs)]
                tables = (self._bounds, self._differences, self._remainders, self._touched, self._seen)
                new = self._add(chunk, prints[at : at + CHUNK_STATES], which, *tables, *room)
                found.append([one[:new].copy() for one in room])
                distinct += new
            level, prints, kinds, needs = (np.concatenate(parts) for parts in zip(*found, strict=True))
            if on_level:
                on_level(len(levels), distinct, generated)
        taken, decided = dict.fromkeys(self._model.actions, 0), dict.fromkeys(self._model.guards, 0)
        for moves, count in zip(self._situations, hits, strict=True):
            for counts, told in ((taken, moves.taken), (decided, moves.decided)):
                for name, often in told:
                    counts[name] += often * int(count)
        return Exploration(generated, distinct, tuple(levels), taken, decided=decided)

    def _resolve(self, chunk: Any, which: Any, needs: Any) -> None:
        """Fills in the number of its situation for each state and needed part; situations never met before are asked of the model."""
        np = self._np
        unknown = np.empty((len(chunk) * self._model.parts, 2), np.int32)
        masks = self._rows([self._model.mask(part) for part in range(self._model.parts)])
        while 2 * (len(self._situations) + len(unknown)) > len(self._values):
            self._widen_table(4 * len(self._values))
        new = self._look_up(chunk, masks, self._keys, self._values, len(self._situations), which, needs, unknown)
        if new:
            rows = [(int(state), int(part)) for state, part in unknown[:new]]
            self._ask([(part, self._number(chunk[state] & masks[part])) for state, part in rows])

    def _ask(self, situations: list[tuple[int, int]]) -> None:
        np = self._np
        rows: list[int] = []
        changed: list[int] = []
        bounds, generated = [], []
        base = len(self._differences)
        for part, bits in situations:
            moves = self._model.moves(part, bits)
            self._situations.append(moves)
            bounds.append((base + len(rows), base + len(rows) + len(moves.differences)))
            generated.append(moves.generated)
            rows += moves.differences
            changed += [bits + difference ^ bits for difference in moves.differences]
        if max((self._model.mask(part) for part in range(self._model.parts)), default=0) >> self._words * WORD_BITS - 1:
            raise _TooNarrow
        if any(abs(difference) >> self._words * WORD_BITS - 1 for difference in rows):
            raise _TooNarrow
        self._differences = np.concatenate((self._differences, self._rows(rows)))
        self._remainders = np.concatenate((self._remainders, np.array([row % PRIME for row in rows], np.uint64)))
        masks = [self._model.mask(part) for part in range(self._model.parts)]
        touched = [sum(1 << part for part, mask in enumerate(masks) if bits & mask) for bits in changed]
        self._touched = np.concatenate((self._touched, np.array(touched, np.uint64)))
        self._bounds = np.concatenate((self._bounds, np.array(bounds, np.int64)))
        self._generated = np.concatenate((self._generated, np.array(generated, np.int64)))

    def _widen_table(self, places: int) -> None:
        """A larger table of situations, with what the old one has."""
        np = self._np
        old_keys, old_values = self._keys, self._values
        self._keys = np.zeros((places, self._words + 1), np.uint64)
        self._values = np.full(places, -1, np.int32)
        for at in np.flatnonzero(old_values >= 0):
            place = self._place(old_keys[at])
            self._keys[place], self._values[place] = old_keys[at], old_values[at]

    def _place(self, key: Any) -> int:
        """As the compiled look-up finds a free place."""
        mixed = 0
        for word in key[:-1]:
            mixed = (mixed + int(word)) * MIX & WORD
            mixed ^= mixed >> SHIFT
        at = (mixed + int(key[-1])) * MIX % (1 << WORD_BITS) >> DOWN & len(self._values) - 1
        while self._values[at] >= 0:
            at = at + 1 & len(self._values) - 1
        return at

    def _rows(self, numbers: list[int]) -> Any:
        """Numbers as rows of words, negative ones in two's complement."""
        data = b"".join((number % (1 << self._words * WORD_BITS)).to_bytes(self._words * 8, "little") for number in numbers)
        return self._np.frombuffer(data, self._np.uint64).reshape(len(numbers), self._words)

    def _number(self, row: Any) -> int:
        return int.from_bytes(row.tobytes(), "little")
