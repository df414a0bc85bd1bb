"""What a process of a pool does before it works."""

from __future__ import annotations

import multiprocessing
import os
import signal
from threading import Thread


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it is gone, however that ended.

    Without this it would wait for work for ever. Ctrl-C and a closed terminal reach every process of a group; here they
    are ignored, as the parent sees to the end.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
