"""What a job left, whichever platform it ran on: one archive of a training job, or a folder of a HyperPod job.

Amazon Nova SDK and user guide: `<output>/<job>/output/output.tar.gz`; on HyperPod `<output>/<job>/` with
`manifest.json`, `eval-result/…` and records for TensorBoard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lambda_handlers.catalog.platforms import Platform, platform_of_job
from lambda_handlers.training import output_archive, output_folder


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOutput:
    """Name the archive or the folder that a job left; what it is follows from the platform that the job ran on."""

    uri: str
    platform: Platform

    @classmethod
    def of(cls, submitted: Mapping[str, Any]) -> Self:
        """Return the output of a stage's result: `output_uri`, and `job` with its `kind`."""
        return cls(uri=str(submitted["output_uri"]), platform=platform_of_job(submitted["job"]["kind"]))

    def place(self, name: str) -> str:
        """Return where people find a file of the output."""
        return f"{self.uri}#{name}" if self.platform is Platform.SMTJ else f"{self.uri.removesuffix('/')}/{name}"

    def walk(self, s3: Any, visit: output_archive.Visit) -> None:
        """Show every file to `visit`; raise ArchiveError naming the place for what is missing, broken, or too large.

        Nothing is used of an output that holds links, devices, or paths that leave it.
        """
        if self.platform is Platform.SMTJ:
            output_archive.walk(s3, self.uri, visit, only_plain=True)
        else:
            output_folder.walk(s3, self.uri, visit)
