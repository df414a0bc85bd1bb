"""What Nova accepts as training data."""

from __future__ import annotations

import pytest

from lambda_handlers.catalog import training_data
from lambda_handlers.catalog.methods import Technique


def test_the_reserved_words_are_the_documented_ones() -> None:
    words = training_data.RESERVED_SPEAKERS + training_data.RESERVED_MARKS
    assert set(words) == {"User:", "Bot:", "Assistant:", "System:", "<image>", "<video>", "[EOS]"}


def test_a_sample_has_up_to_ten_images_or_one_video_or_one_document() -> None:
    kinds = training_data.MEDIA_KINDS
    assert {name: kind.per_sample for name, kind in kinds.items()} == {"image": 10, "video": 1, "document": 1}
    assert {name: kind.max_megabytes for name, kind in kinds.items()} == {"image": 10, "video": 50, "document": 10}


@pytest.mark.parametrize(
    ("technique", "version", "rows", "expected"),
    [
        (Technique.SFT, 1, 8, []),
        (Technique.SFT, 1, 20_000, []),
        (
            Technique.SFT,
            1,
            7,
            [
                "7 rows are fewer than the minimum of 8 (documented for fine-tuning)",
                "7 rows are fewer than the minimum of 8 (Amazon Bedrock, Nova 1)",
            ],
        ),
        (Technique.SFT, 2, 199, ["199 rows are fewer than the minimum of 200 (Amazon Bedrock, Nova 2)"]),
        (Technique.SFT, 2, 200, []),
        (
            Technique.SFT,
            2,
            20_001,
            [
                "20,001 rows are more than the maximum of 20,000 (documented for fine-tuning)",
                "20,001 rows are more than the maximum of 20,000 (Amazon Bedrock, Nova 2)",
            ],
        ),
        (
            Technique.RFT,
            2,
            99,
            [
                "99 rows are fewer than the minimum of 100 (documented for reinforcement fine-tuning)",
                "99 rows are fewer than the minimum of 100 (Amazon Bedrock, Nova 2)",
            ],
        ),
        (Technique.RFT, 2, 20_001, ["20,001 rows are more than the maximum of 20,000 (Amazon Bedrock, Nova 2)"]),
        (Technique.CPT, 2, 1, []),
        (Technique.EVALUATION, 2, 1, []),
    ],
)
def test_the_number_of_rows_has_bounds(technique: Technique, version: int, rows: int, expected: list[str]) -> None:
    assert training_data.sample_problems(technique, version, rows) == expected
