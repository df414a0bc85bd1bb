"""Prepare one file in a process of its own and print its peak memory: `python -m bench.prepare_child SOURCE FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.timing import timed
from lambda_handlers.datasets.files import prepare_files
from lambda_handlers.datasets.preparation import Operations, Preparation, Split

EVERYTHING = Operations(split=Split(), dedupe=True, no_leak=True)


def main() -> None:
    """Prepare with split, dedupe and leakage on; print `peak` in bytes and `seconds`."""
    source, folder = sys.argv[1], Path(sys.argv[2])
    preparation = Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=EVERYTHING)
    seconds = timed(lambda: prepare_files(source, folder, preparation))
    print(json.dumps({"peak": _peak(), "seconds": seconds}))


def _peak() -> int:
    """Return the most memory that this process held.

    Linux hands a parent's ru_maxrss on to what it starts, so that there the process's own high-water mark is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
