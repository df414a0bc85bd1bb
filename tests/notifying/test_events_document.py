"""docs/events.md shows what is told: each event in the table, with the example that the code makes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lambda_handlers.notifying.names import EVENTS
from lambda_handlers.notifying.operations import notice_of_alarm
from tests.notifying.notifying_support import DETAILS, PLACE, noticed
from tests.notifying.test_notices import ALARM

DOCUMENT = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def examples() -> dict[str, Any]:
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]
    return {each["event"]: each for each in found if "event" in each}


def test_the_table_has_every_event_with_its_kind_and_severity() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (Nova Customization [\w ]+) \| (\w+) \|", DOCUMENT, re.MULTILINE)
    told = {**{name: noticed(name).told for name in DETAILS}, "alarm": notice_of_alarm(ALARM, PLACE).told}
    assert rows == [(name, told[name].kind, told[name].severity) for name in EVENTS]


def test_every_event_has_the_example_that_the_code_makes() -> None:
    made = {**{name: noticed(name).as_dict() for name in DETAILS}, "alarm": notice_of_alarm(ALARM, PLACE).as_dict()}
    assert examples() == made


def test_the_text_of_a_message_is_what_people_get() -> None:
    notice = noticed("gate_failed")
    assert f"```text\n{notice.subject}\n\n{notice.text}\n```" in DOCUMENT
