"""The example of the documentation runs, and takes neither aws_cdk nor boto3 with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "data-preparation.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    rows = "".join(f'"question {n % 40}, please","answer {n % 40}"\n' for n in range(50))
    (tmp_path / "tickets.csv").write_text("subject,reply\n" + rows)
    watch = "\nimport sys\nprint(sorted({'aws_cdk', 'boto3', 'botocore'} & set(sys.modules)))\n"
    done = subprocess.run(
        [sys.executable, "-c", code + watch],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts, imported = done.stdout.splitlines()
    assert counts == str({"in": 50, "out": 40, "rejected": 0, "duplicate": 10, "leaked": 0, "over_limit": 0})
    assert imported == "[]"
