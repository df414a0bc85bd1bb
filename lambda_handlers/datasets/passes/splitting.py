"""Which row of a dataset goes to training, which to validation, which to the test."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from hashlib import blake2b
from typing import Final

from lambda_handlers.datasets.preparation import Split

PARTS: Final = ("train", "validation", "test")
"""The parts of a split; a part is told by its position here."""


def sizes(rows: int, split: Split) -> tuple[int, int, int]:
    """Return how many of `rows` rows go to training, validation and test; the sum is `rows`.

    Each part gets the whole rows of its share, what is left goes to the greatest fractions (the earlier part where they
    are equal). Then each part with a share that got nothing takes a row of the largest, in the order train, validation,
    test, as long as there is one to take: two rows are one for training and one for validation.
    """
    shares = _exact(split)
    counts = [int(rows * share) for share in shares]
    by_fraction = sorted(range(3), key=lambda part: counts[part] - rows * shares[part])
    for part in by_fraction[: rows - sum(counts)]:
        counts[part] += 1
    for part, share in enumerate(shares):
        largest = max(range(3), key=lambda other: counts[other])
        if share and not counts[part] and counts[largest] > 1:
            counts[part] += 1
            counts[largest] -= 1
    return counts[0], counts[1], counts[2]


def by_rows(rows: int, split: Split, seed: int) -> Callable[[], int]:
    """Return what tells the part of one row after the other, such that each part gets exactly its size.

    Every row is drawn with the chance of what is left of each part (selection sampling), so that no list is needed.
    """
    train, validation, test = sizes(rows, split)
    draw = random.Random(seed).random

    def part_of() -> int:
        nonlocal train, validation, test
        drawn = int(draw() * (train + validation + test))
        if drawn < train:
            train -= 1
            return 0
        if drawn < train + validation:
            validation -= 1
            return 1
        test -= 1
        return 2

    return part_of


def by_content(split: Split, seed: int) -> Callable[[bytes], int]:
    """Return what tells the part of a row by the hash of its line alone, so that other rows do not matter."""
    shares = _exact(split)
    key = blake2b(str(seed).encode(), digest_size=32).digest()
    train, validation = int(shares[0] * 2**64), int((shares[0] + shares[1]) * 2**64)

    def part_of(line_hash: bytes) -> int:
        drawn = int.from_bytes(blake2b(line_hash, digest_size=8, key=key).digest(), "big")
        return 0 if drawn < train else 1 if drawn < validation else 2

    return part_of


def _exact(split: Split) -> list[Fraction]:
    # As the shares are written, in decimal: the float nearest to 0.1 is a little more than a tenth.
    shares = [Fraction(str(getattr(split, part))) for part in PARTS]
    return [share / sum(shares) for share in shares]
