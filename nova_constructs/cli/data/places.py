"""Where data is: local files or S3, and which functions of the library do the work there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lambda_handlers.datasets import files
from lambda_handlers.datasets.earlier_outputs import MANIFEST
from lambda_handlers.datasets.forms.registry import conversion_form
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading import local_files
from lambda_handlers.datasets.reading.rows import SourceObject
from nova_constructs.cli.aws import client
from nova_constructs.cli.data.bar import Report

# The model that can be told the most: what a conversion keeps is not for one model.
_ANY: Any = {"model": "NOVA_LITE_2", "method": "SFT_LORA"}
Manifest = Mapping[str, Any]


def prepare(inputs: Sequence[str], target: str, preparation: Preparation, **options: Any) -> tuple[Manifest, str]:
    """Prepare inputs into a folder; return the manifest and where it is. `options` are those of `prepare_files`."""
    if any(map(_is_s3, (*inputs, target, *options.get("evaluation_sets", ())))):
        from lambda_handlers.datasets.s3_files import prepare_objects

        prepared = prepare_objects(
            client("s3"), inputs, target, preparation, raise_rejected=False, account=_account, **options
        )
    else:
        prepared = files.prepare_files(inputs, Path(target), preparation, raise_rejected=False, **options)
    return prepared.manifest.as_dict(), f"{target.rstrip('/') or target}/{MANIFEST}"


def convert(
    inputs: Sequence[str], target: str, form: str, *, max_reject_ratio: float, progress: Report | None
) -> tuple[Manifest, str]:
    """Convert chat rows to another form, as `prepare` does."""
    made = conversion_form(form)
    return prepare(inputs, target, Preparation(**_ANY), form=made, max_reject_ratio=max_reject_ratio, progress=progress)


def validate(
    inputs: Sequence[str], preparation: Preparation, *, max_reject_ratio: float, progress: Report | None
) -> Manifest:
    """Check inputs; return the manifest that they would have."""
    options: Any = {"max_reject_ratio": max_reject_ratio, "progress": progress, "raise_rejected": False}
    if any(map(_is_s3, inputs)):
        from lambda_handlers.datasets.s3_files import validate_objects

        return validate_objects(client("s3"), inputs, preparation, **options).manifest.as_dict()
    return files.validate_files(inputs, preparation, **options).manifest.as_dict()


def find(given: str) -> Sequence[SourceObject]:
    """Return the files or objects that an input stands for; boto3 is only loaded for addresses of S3."""
    if not _is_s3(given):
        return local_files.find(given)
    from lambda_handlers.datasets import s3_files

    return s3_files.find(client("s3"), given)


def _account() -> str:
    return str(client("sts").get_caller_identity()["Account"])


def _is_s3(place: str) -> bool:
    return place.startswith("s3://")
