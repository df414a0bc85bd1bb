"""What a synth costs beside that of the smallest app."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator

from bench.figures import ROOT, Figure
from bench.options import Options
from bench.timing import median_ratio, seconds

TITLE = "Synth"
NOTES = """
Both apps spend about 1.7 s of the synth in CDK's built-in template validation; ours spends about a second more there,
and the rest in some 1,100 calls from Python to CDK's Node.js process. On a busy machine the ratio was 2.2 to 2.7.
"""


def measure(options: Options) -> Iterator[Figure]:
    """Compare the synth of one customization with that of a one-bucket app, in turn, caches warm."""
    with tempfile.TemporaryDirectory() as folder:
        settings = str(ROOT / "customizations.yaml")
        ours = [sys.executable, "-m", "nova_constructs.app", settings, "--output", f"{folder}/ours"]
        theirs = [sys.executable, str(ROOT / "bench" / "one_bucket_app.py"), f"{folder}/theirs"]
        seconds(ours), seconds(theirs)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(options.pairs)]
    ratio = median_ratio(pairs)
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    yield Figure(
        what="synth against a one-bucket app",
        figure=f"{ratio:.2f}x ({ours_s:.1f} s / {theirs_s:.1f} s)",
        target="≤ 2x",
        met=ratio <= 2,
    )
