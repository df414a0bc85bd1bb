"""What is remembered of every good row, so that rows can be compared without holding them: hashes of fixed size."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from lambda_handlers.datasets.writers import Sink

HASH: Final = 16
"""Bytes of one hash. Two of 10^9 different rows are the same with a probability of about 10^-21."""

NO_PROMPT: Final = bytes(HASH)
"""Stands for a row in which nobody asks; it equals no other row's."""

_ROWS: Final = 16 * 1024


class IndexWriter:
    """Write the index of a shard: per good row the hash of its line and, with `prompts`, that of its prompt."""

    def __init__(self, sink: Sink, *, prompts: bool) -> None:
        self.prompts = prompts
        self._sink = sink
        self._hashes: list[bytes] = []

    def add(self, line: bytes, prompt: Callable[[], str]) -> None:
        """Take the next good row; without `prompts`, its prompt is not asked for."""
        hashes = self._hashes
        hashes.append(blake2b(line, digest_size=HASH).digest())
        if self.prompts:
            hashes.append(prompt_hash(prompt()))
        if len(hashes) >= _ROWS:
            self._flush()

    def write_block(self, block: bytes) -> None:
        """Take what another index holds, in pieces of any size."""
        self._flush()
        self._sink.write(block)

    def close(self) -> None:
        """Write what is left and make the index visible."""
        self._flush()
        self._sink.close()

    def abort(self) -> None:
        """Forget what was written."""
        self._sink.abort()

    def _flush(self) -> None:
        self._sink.write(b"".join(self._hashes))
        self._hashes.clear()


def record_bytes(*, prompts: bool) -> int:
    """Return the size of what the index holds per row."""
    return 2 * HASH if prompts else HASH


def prompt_hash(prompt: str) -> bytes:
    """Return the hash of a normalized prompt; NO_PROMPT where nothing is left of it."""
    text = normalized(prompt)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH).digest() if text else NO_PROMPT


def normalized(prompt: str) -> str:
    """Return what prompts are compared by: NFKC, case folded, runs of white space as one space.

    Format characters (Unicode's category Cf, such as zero-width spaces and joiners) are left out: nobody sees them.
    """
    if prompt.isascii():  # What follows does the same to ASCII, at ten times the cost.
        return " ".join(prompt.lower().split())
    return " ".join(_compatible(_compatible(_seen(prompt)).casefold()).split())


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _seen(text: str) -> str:
    return text.translate({ord(each): None for each in set(text) if unicodedata.category(each) == "Cf"})
