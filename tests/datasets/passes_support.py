"""What several tests of the passes use."""

from __future__ import annotations

import json
from typing import Any


class MemorySink:
    uri = "memory"

    def __init__(self) -> None:
        self.content = b""
        self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        self.content += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.content.splitlines()]
