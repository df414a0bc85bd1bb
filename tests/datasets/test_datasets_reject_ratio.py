"""The share of rows that may be rejected is a share: anything else is refused and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_handlers.datasets.files import prepare_files, validate_files
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.protocol.errors import InvalidRequest

SFT = Preparation(model="NOVA_LITE_2", method="SFT_LORA")


@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), -0.1, 1.01])
def test_what_is_no_share_is_refused(tmp_path: Path, ratio: float) -> None:
    given = tmp_path / "in.jsonl"
    given.write_text('{"question": "a", "answer": "b"}\n')
    with pytest.raises(InvalidRequest, match=f"max_reject_ratio is {ratio}: use a share from 0 to 1"):
        prepare_files(str(given), tmp_path / "out", SFT, max_reject_ratio=ratio)
    with pytest.raises(InvalidRequest, match="max_reject_ratio"):
        validate_files(str(given), SFT, max_reject_ratio=ratio)
    assert list(tmp_path.iterdir()) == [given]
