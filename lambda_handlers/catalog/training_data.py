"""What Amazon Nova accepts as training data: reserved words, media, and how many rows.

Sources: AWS, data preparation pages of Nova 1 and Nova 2 (schema `bedrock-conversation-2024`), and the bounds by which
Amazon Bedrock checks a customization job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lambda_handlers.catalog.methods import Technique

SCHEMA_VERSION: Final = "bedrock-conversation-2024"

RESERVED_SPEAKERS: Final = ("User:", "Bot:", "Assistant:", "System:")
RESERVED_MARKS: Final = ("<image>", "<video>", "[EOS]")
"""With the speakers, the words that AWS documents as making a job fail, in any letter case.

Some validators refuse `Thought:` and `<unk>` too; the documentation does not, and both stand in honest data.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaKind:
    """Describe images, videos or documents: formats by model version, how many a sample may have, and their size.

    Sizes are AWS's, data preparation page of Nova 2 (the Nova Forge SDK checks the same for images and videos). Neither
    says how many bytes a megabyte has; the larger reading is taken, so that nothing is refused that may be good. They
    disagree about how long a video may be (15 minutes, 90 seconds), which the size of an object does not tell.
    """

    name: str
    formats: Mapping[int, tuple[str, ...]]
    per_sample: int
    max_megabytes: int

    @property
    def max_bytes(self) -> int:
        """Return the most bytes that an image, video or document may have."""
        return self.max_megabytes * 1024 * 1024


MEDIA_KINDS: Final[Mapping[str, MediaKind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            MediaKind(
                name="image",
                formats={1: ("jpeg", "png", "gif", "webp"), 2: ("jpeg", "png", "gif")},
                per_sample=10,
                max_megabytes=10,
            ),
            MediaKind(
                name="video",
                formats={1: ("mov", "mkv", "mp4", "webm"), 2: ("mov", "mkv", "mp4")},
                per_sample=1,
                max_megabytes=50,
            ),
            MediaKind(name="document", formats={1: (), 2: ("pdf",)}, per_sample=1, max_megabytes=10),
        )
    }
)

MEDIA_URI: Final = r"s3://[\w\-/.]+"
"""A regular expression (ASCII) of the addresses that media may have."""

MIXES_NO_MEDIA: Final = "a dataset has text only, or text with one kind of media"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBounds:
    """How many rows a dataset may have: from `minimum` to `maximum` (None: no limit known), and who says so."""

    source: str
    minimum: int
    maximum: int | None = None

    def problem(self, rows: int) -> str | None:
        """Return what is wrong with a number of rows, or None."""
        if rows < self.minimum:
            return f"{rows:,} rows are fewer than the minimum of {self.minimum:,} ({self.source})"
        if self.maximum is not None and rows > self.maximum:
            return f"{rows:,} rows are more than the maximum of {self.maximum:,} ({self.source})"
        return None


_DOCUMENTED: Final = MappingProxyType(
    {
        Technique.SFT: SampleBounds(source="documented for fine-tuning", minimum=8, maximum=20_000),
        Technique.RFT: SampleBounds(source="documented for reinforcement fine-tuning", minimum=100),
    }
)
_BEDROCK: Final = MappingProxyType(
    {
        (Technique.SFT, 1): SampleBounds(source="Amazon Bedrock, Nova 1", minimum=8, maximum=20_000),
        (Technique.SFT, 2): SampleBounds(source="Amazon Bedrock, Nova 2", minimum=200, maximum=20_000),
        (Technique.RFT, 2): SampleBounds(source="Amazon Bedrock, Nova 2", minimum=100, maximum=20_000),
    }
)


def documented_bounds(technique: Technique) -> SampleBounds | None:
    """Return the documented bounds of a technique, or None where none are documented."""
    return _DOCUMENTED.get(technique)


def bedrock_bounds(technique: Technique, version: int) -> SampleBounds | None:
    """Return the bounds by which Amazon Bedrock checks a job on a model of this version, or None where it has none."""
    return _BEDROCK.get((technique, version))


def sample_problems(technique: Technique, version: int, rows: int) -> list[str]:
    """Return a sentence for every bound that a number of rows breaks, the documented one first."""
    bounds = (documented_bounds(technique), bedrock_bounds(technique, version))
    found = (bound.problem(rows) for bound in bounds if bound is not None)
    return [problem for problem in found if problem is not None]
