"""What was found out about short texts, kept from block to block: asked in a compiled loop, without the GIL.

A text of at most twelve bytes is its own Arrow view, so it is compared as two numbers and nothing is left to chance.
"""

from __future__ import annotations

import os
import threading
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from holdfast.marc.kernel import compiled

Ints = npt.NDArray[Any]
UNKNOWN = -1
_SLOTS = 1 << 16
_FULL = _SLOTS // 2  # memory stays bounded whatever comes


class Slots(NamedTuple):
    """A hash table with open addressing: uint64[n, 2] texts, what they were asked for, and the answers."""

    texts: Ints
    subjects: Ints
    answers: Ints
    seeds: Ints


@compiled
def _slot(texts: Any, subjects: Any, answers: Any, seeds: Any, subject: int, low: Any, high: Any) -> Any:
    """The slot that has the text, or the free one where it belongs."""
    mixed = (low ^ seeds[0]) * seeds[1] + (high ^ seeds[2]) * seeds[3] + np.uint64(subject) * seeds[4]
    mixed ^= mixed >> np.uint64(32)
    mixed *= seeds[5]
    at = np.int64(mixed >> np.uint64(40)) & (len(answers) - 1)
    while answers[at] != UNKNOWN and (texts[at, 0] != low or texts[at, 1] != high or subjects[at] != subject):
        at = (at + 1) & (len(answers) - 1)
    return at


@compiled
def recall(texts: Any, subjects: Any, answers: Any, seeds: Any, subject: int, low: Any, high: Any) -> int:
    """The answer, or UNKNOWN."""
    return answers[_slot(texts, subjects, answers, seeds, subject, low, high)]


@compiled
def _learn(
    texts: Any, subjects: Any, answers: Any, seeds: Any, own_subjects: Any, own_texts: Any, own_answers: Any
) -> int:
    """How many were new."""
    new = 0
    for k in range(len(own_subjects)):
        at = _slot(texts, subjects, answers, seeds, own_subjects[k], own_texts[k, 0], own_texts[k, 1])
        new += answers[at] == UNKNOWN
        texts[at, 0], texts[at, 1] = own_texts[k, 0], own_texts[k, 1]
        subjects[at], answers[at] = own_subjects[k], own_answers[k]
    return new


class Memory:
    """Answers, numbers from 0, by subject and text."""

    def __init__(self) -> None:
        seeds = np.frombuffer(os.urandom(48), dtype=np.uint64) | np.uint64(1)  # nobody can make texts that meet
        self.slots = Slots(
            np.zeros((_SLOTS, 2), dtype=np.uint64),
            np.zeros(_SLOTS, dtype=np.int32),
            np.full(_SLOTS, UNKNOWN, dtype=np.int32),
            seeds,
        )
        self._known = 0
        self._learning = threading.Lock()

    @property
    def has_room(self) -> bool:
        return self._known < _FULL

    def learn(self, subjects: Ints, texts: Ints, answers: Ints) -> None:
        """`texts`: uint64[n, 2], their views. Forgotten at once when the memory is full."""
        with self._learning:
            subjects, texts, answers = (each[: _FULL - self._known] for each in (subjects, texts, answers))
            if not len(subjects):
                return
            # The table is replaced, never changed: other threads may be reading it.
            slots = Slots(*(each.copy() for each in self.slots))
            self._known += _learn(
                *slots, subjects.astype(np.int32), np.ascontiguousarray(texts), answers.astype(np.int32)
            )
            self.slots = slots
