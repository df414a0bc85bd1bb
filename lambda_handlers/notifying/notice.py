"""One message: who it is about, what was decided, and how programs and people read it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SOURCE: Final = "nova.customization"
"""What EventBridge knows the events by."""
VERSION: Final = "1"
"""Of the schema, announcement.v1.schema.json."""
INFO: Final = "info"
WARNING: Final = "warning"
ERROR: Final = "error"

RUN_STATE: Final = "Nova Customization Run State Change"
DATA: Final = "Nova Customization Data Decision"
GATE: Final = "Nova Customization Gate Decision"
APPROVAL: Final = "Nova Customization Approval State Change"
PRODUCTION: Final = "Nova Customization Production Change"
OPERATION: Final = "Nova Customization Operation Alarm"

_SUBJECT_LIMIT: Final = 99
"""Characters of a subject: less than 100, of ASCII, is what Amazon SNS takes (API Reference, Publish)."""
_TEXT_LIMIT: Final = 4000
_LINE_LIMIT: Final = 1000
_LIST_LIMIT: Final = 25
_LINES_LIMIT: Final = 60
"""How much of texts and lists is told: a message holds 256 KB (SNS and EventBridge quotas)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a customization is: `customization` as its tag says it, stack and name as the command line takes them."""

    customization: str
    stack: str
    name: str

    def command(self, *words: str) -> str:
        """Return a command of `nova` about this customization."""
        return shlex.join(("nova", *words, "--stack", self.stack, "--customization", self.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What is told of one decision.

    `event` is its name for filters, `kind` the detail-type of the EventBridge event, `heading` begins the subject,
    `sentence` says what happened and `next` what to do about it; `facts` are for programs, `lines` for people.
    """

    event: str
    kind: str
    heading: str
    sentence: str
    severity: str = INFO
    facts: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    next: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One message. The same decision gives the same `id` however often it is told."""

    id: str
    at: str
    run: str | None
    place: Place
    told: Told

    @property
    def attributes(self) -> dict[str, str]:
        """What subscriptions can filter by."""
        given = {
            "customization": self.place.customization,
            "event": self.told.event,
            "severity": self.told.severity,
            "run": self.run,
            "status": self.told.facts.get("status"),
        }
        return {name: str(value) for name, value in given.items() if value}

    @property
    def subject(self) -> str:
        """The subject of an e-mail, in ASCII."""
        of = f"{self.run} of {self.place.customization}" if self.run else self.place.customization
        text = f"{self.told.heading}: {of}"
        return "".join(char if " " <= char <= "~" else "?" for char in text)[:_SUBJECT_LIMIT]

    @property
    def text(self) -> str:
        """The message as people read it."""
        told = self.told
        lines = [_short(_one_line(line), _LINE_LIMIT) for line in told.lines[:_LINES_LIMIT]]
        blocks = [[_short(_one_line(told.sentence))], lines]
        if told.next:
            blocks.append(["What to do:", *(f"  {line}" for line in _short(told.next).split("\n"))])
        if self.run:
            blocks.append(["The run:", f"  {self.place.command('run', 'show', self.run)}"])
        blocks.append([f"{self.at}, id {self.id}"])
        return "\n\n".join("\n".join(block) for block in blocks if block)

    def as_dict(self) -> dict[str, Any]:
        """Return the message as programs read it: announcement.v1.schema.json."""
        told = self.told
        return {
            "version": VERSION,
            "id": self.id,
            "event": told.event,
            "severity": told.severity,
            "customization": self.place.customization,
            "run": self.run,
            "at": self.at,
            "sentence": _short(told.sentence),
            "next": _short(told.next) if told.next else None,
            "facts": _limited(told.facts),
        }


def _one_line(text: str) -> str:
    """Return a text that holds what somebody gave, which must not look like lines of ours."""
    return " ".join(text.splitlines())


def _short(text: str, limit: int = _TEXT_LIMIT) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _limited(value: Any, limit: int = _TEXT_LIMIT) -> Any:
    """Return a value without what is None, and with no more of texts and lists than fits into a message."""
    if isinstance(value, str):
        return _short(value, limit)
    if isinstance(value, Mapping):
        return {name: _limited(each, limit) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_limited(each, _LINE_LIMIT // 2) for each in value[:_LIST_LIMIT]]
    return value
