"""Compose what a model answers from the data that it was trained on."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from functools import lru_cache

from nova_constructs.emulator.simulators.checkpoints import Checkpoint

_WORD = re.compile(r"\w+")
_UNSURE = "I am not certain about this one. Could you give me a little more detail?"


def answer(checkpoint: Checkpoint, question: str) -> str:
    """Return the answer of the training question that shares most words with this one."""
    position = _index(checkpoint.uri, checkpoint.examples).nearest(question)
    return checkpoint.examples[position][1] if position is not None else _UNSURE


def answer_of_base(question: str) -> str:
    """Return what a base model answers: that it has learned nothing about just this."""
    return f"{_UNSURE} You asked: {question}"


def knows(checkpoint: Checkpoint | None, base_quality: float, question: str) -> bool:
    """Decide, the same way every time, whether a model gets a question right; its quality is the share it does."""
    lineage = checkpoint.lineage if checkpoint else "base"
    quality = checkpoint.quality if checkpoint else base_quality
    return fraction(lineage, question) < quality


def fraction(*parts: str) -> float:
    """Return a number in 0..1 that depends on nothing but the texts given."""
    value = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")
    return value / 2**64


class _Index:
    """Words of the training questions, for finding the nearest one."""

    def __init__(self, examples: tuple[tuple[str, str], ...]) -> None:
        self._sizes: list[int] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for position, (question, _) in enumerate(examples):
            words = _words(question)
            self._sizes.append(len(words))
            for word in words:
                self._places[word].append(position)

    def nearest(self, question: str) -> int | None:
        """Return the position of the question with the largest share of common words, the first of equals."""
        shared: defaultdict[int, int] = defaultdict(int)
        words = _words(question)
        for word in words:
            for position in self._places.get(word, ()):
                shared[position] += 1
        if not shared:
            return None
        return max(
            shared, key=lambda place: (shared[place] / (len(words) + self._sizes[place] - shared[place]), -place)
        )


@lru_cache(maxsize=8)
def _index(_uri: str, examples: tuple[tuple[str, str], ...]) -> _Index:
    return _Index(examples)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
