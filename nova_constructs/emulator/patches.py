"""Replace attributes of moto, and put back what was there."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

_MISSING = object()


@dataclass(slots=True)
class Patches:
    """The attributes replaced by one part of the emulator; `undo` restores them in reverse."""

    _made: list[tuple[Any, str, Any]] = field(default_factory=list)

    def replace(self, owner: Any, name: str, value: Any) -> Any:
        """Set an attribute and return what it was, or None if it is new."""
        before = vars(owner).get(name, _MISSING)
        self._made.append((owner, name, before))
        setattr(owner, name, value)
        return None if before is _MISSING else before

    def replace_everywhere(self, name: str, before: Any, value: Any) -> None:
        """Set a module-level name in every module of moto that imported this object under it."""
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith("moto.") and getattr(module, name, None) is before:
                self.replace(module, name, value)

    def undo(self) -> None:
        """Restore every attribute."""
        while self._made:
            owner, name, before = self._made.pop()
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
