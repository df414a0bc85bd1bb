"""The documentation names the codes that Converse rows can be refused with."""

from __future__ import annotations

import re
from pathlib import Path

from lambda_handlers.datasets.faults import CODES

ROOT = Path(__file__).parents[2]
FORMS = ROOT / "lambda_handlers" / "datasets" / "forms"
MODULES = (
    "converse",
    "converse_media",
    "converse_tools",
    "flat_conversation",
    "openai_chat",
    "openai_messages",
    "parsing",
    "sft",
    "texts",
)
RULES = (ROOT / "docs" / "data-preparation.md").read_text().split("\n## Rules\n")[1].split("\n## ")[0]
DOCUMENTED = {
    code for row in re.findall(r"^\| (`[^|]+) \|", RULES, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
}


def test_every_documented_code_is_a_code() -> None:
    assert set(CODES) >= DOCUMENTED


def test_every_code_of_a_converse_row_is_documented() -> None:
    sources = "".join((FORMS / f"{name}.py").read_text() for name in MODULES)
    used = set(re.findall(r'(?:Fault|reject)\(\s*"(\w+)"', sources))
    used |= {f"{kind}_{what}" for kind in ("image", "video", "document") for what in ("format", "count")}
    assert len(used) > 35
    assert used - DOCUMENTED == set()
