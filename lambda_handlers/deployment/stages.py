"""The stages of the deployment part, as the job registry and the tag of what they make name them."""

from __future__ import annotations

from typing import Final

IMPORT: Final = "import"
DEPLOYMENT: Final = "deployment"
CANDIDATE: Final = "deployment-candidate"
UPDATE: Final = "deployment-update"

TEMPORARY: Final = (CANDIDATE,)
"""What they make is there for the run alone."""
UNLESS_PROMOTED: Final = (DEPLOYMENT, UPDATE)
"""What they make is undone by the end of a run that did not bring it into production."""
