"""Which files beside a manifest an earlier preparation made: those that it names, and that a preparation can make."""

from __future__ import annotations

from typing import Final

from lambda_handlers.datasets.forms.registry import OUTPUTS
from lambda_handlers.datasets.passes.manifest import read_ours
from lambda_handlers.datasets.passes.splitting import PARTS

MANIFEST: Final = "manifest.json"
QUARANTINE: Final = "quarantine.jsonl"
_POSSIBLE: Final = frozenset({*OUTPUTS, *(f"{part}.jsonl" for part in PARTS), QUARANTINE})


def outputs_in(manifest: bytes) -> set[str]:
    """Return the names of the outputs that a manifest lists; empty for one that is not ours.

    What is in a manifest may come from anyone. Only names that our outputs can have are taken from it, whatever folder
    they stand in there.
    """
    listed = (read_ours(manifest) or {}).get("outputs")
    uris = [each.get("uri") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return {uri.rpartition("/")[2] for uri in uris if isinstance(uri, str)} & _POSSIBLE
