"""How the rows of a customization's datasets are read, and what is done with them before training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aws_cdk import Stack, Token

from lambda_handlers.datasets.preparation import Split as Split
from nova_constructs.artifact_store import EVALUATION_PREFIX, ArtifactStore

# As S3 names buckets, and as it named them before 2018.
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFormat:
    """How rows are read and prepared.

    `columns` maps the standard names (`question`, `answer`, `system` …) to those of the file; equal names need no
    mapping. `system_prompt` goes to rows that bring none. `max_reject_ratio` (default 0.01) is the share of rows that
    may be faulty before the run is refused.

    Off unless given: `dedupe` keeps the first of equal rows, `limit` the first so many, `split` puts rows aside for
    validation and test (by `seed`, default 42), `no_leak` takes from training what stands in the test rows, and
    `no_leak_with` what stands in evaluation sets, named by their keys under `evaluation/` of the incoming bucket.

    `media_buckets` names the buckets from which images, videos and documents of rows may be read; they are copied to
    the bucket of prepared data, beside the rows. Media elsewhere make a row faulty. The functions are allowed
    s3:GetObject there; what else that takes is the user's to grant, to `data.prepare.role` and
    `data.transform_shard.role` of the customization: kms:Decrypt on a key that objects are encrypted with (unless it is
    the customization's own), in the key's policy as well, and for a bucket of another account its bucket policy.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    system_prompt: str | None = None
    max_reject_ratio: float = 0.01
    split: Split | None = None
    seed: int = 42
    dedupe: bool = False
    limit: int | None = None
    no_leak: bool = False
    no_leak_with: Sequence[str] = ()
    media_buckets: Sequence[str] = ()

    def problems(self) -> list[str]:
        """Return what cannot work."""
        found = [] if self.split is None else [f"split: {problem}" for problem in self.split.problems()]
        if not 0 <= self.max_reject_ratio <= 1:
            found.append(f"max_reject_ratio is {self.max_reject_ratio}: use a share between 0 and 1")
        if self.limit is not None and self.limit < 1:
            found.append(f"limit is {self.limit}: use a number of rows from 1")
        for key in self.no_leak_with:
            if not key.startswith(EVALUATION_PREFIX) or key == EVALUATION_PREFIX:
                found.append(f"no_leak_with names {key!r}: use a key under {EVALUATION_PREFIX} of the incoming bucket")
        for name in self.media_buckets:
            if not Token.is_unresolved(name) and not _BUCKET.fullmatch(name):
                found.append(f"media_buckets names {name!r}: use the name of a bucket, without s3:// and without a key")
        if self.no_leak and not self.no_leak_with and not (self.split and self.split.test):
            found.append("no_leak has nothing to compare with: give split a test share, or name sets in no_leak_with")
        return found

    @property
    def validates(self) -> bool:
        """Whether rows are put aside for validation, which training uses."""
        return bool(self.split and self.split.validation)

    @property
    def compares_rows(self) -> bool:
        """Whether something is done with all rows together."""
        return bool(self.split or self.dedupe or self.limit or self.no_leak or self.no_leak_with)

    def config(self, store: ArtifactStore) -> dict[str, Any]:
        """Return the format as the functions read it; what is off is left out."""
        operations = {
            "split": asdict(self.split) if self.split else None,
            "dedupe": self.dedupe,
            "limit": self.limit,
            "no_leak": self.no_leak or bool(self.no_leak_with),
            "no_leak_with": [f"s3://{store.incoming.bucket_name}/{key}" for key in self.no_leak_with],
        }
        wanted = {name: value for name, value in operations.items() if value}
        return {
            "columns": dict(self.columns),
            "system_prompt": self.system_prompt,
            "max_reject_ratio": self.max_reject_ratio,
            **({"seed": self.seed} if self.split else {}),
            **wanted,
            **self._media(store),
        }

    def _media(self, store: ArtifactStore) -> dict[str, Any]:
        if not self.media_buckets:
            return {}
        return {"media_buckets": list(self.media_buckets), "account": Stack.of(store).account}
