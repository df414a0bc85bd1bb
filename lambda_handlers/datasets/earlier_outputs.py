"""Which files beside a manifest an earlier preparation made: those that it names, and that a preparation can make."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from lambda_handlers.datasets.forms.registry import OUTPUTS
from lambda_handlers.datasets.passes.manifest import read_ours
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.reading.source_format import kind_of
from lambda_handlers.protocol.errors import InvalidRequest

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


def check_no_preparation(place: str, names: Collection[str], read_manifest: Callable[[], bytes]) -> None:
    """Raise InvalidRequest for a folder or prefix whose data, of these names, is what a preparation made.

    Its rows are there for several uses, with those that were rejected among them; one file has to be named.
    """
    if MANIFEST not in names or len({kind_of(name) for name in names}) == 1:
        return
    if made := outputs_in(read_manifest()):
        first = min({*made, QUARANTINE}, key=lambda name: (name == QUARANTINE, name != "train.jsonl", name))
        raise InvalidRequest(
            f"{place} holds a preparation, which its {MANIFEST} describes: give one of its files, {first} for instance"
        )
