"""The reference app: one stack per entry of customizations.yaml.

`cdk deploy` runs this file (see cdk.json); `python app.py` synthesizes the same templates into cdk.out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nova_constructs.app import main

sys.exit(
    main([str(Path(__file__).with_name("customizations.yaml")), "--output", os.environ.get("CDK_OUTDIR", "cdk.out")])
)
