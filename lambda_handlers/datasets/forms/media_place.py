"""Where the images, videos and documents of a row come to lie: a job reads them from the bucket of its dataset only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MediaItem:
    """An image, video or document (`kind`), as a good row names it: its format in lower case, its s3:// address."""

    kind: str
    file_format: str
    uri: str


class MediaPlace(Protocol):
    """Sees to it that media lie where the prepared rows will be."""

    def place(self, item: MediaItem, owner: str) -> tuple[str, str]:
        """Return the address under which the item can be read there, and the account that owns the bucket.

        `owner` is the account that the row names. Raises RejectedRowError for media that cannot be had.
        """

    def expect(self, items: Collection[MediaItem]) -> None:
        """Begin with items that will be placed soon; what is wrong with them is told when they are."""
