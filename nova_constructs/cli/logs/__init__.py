"""`nova logs`.

command.py    the options, and which way the lines go
sources.py    whose lines: the jobs of a run, or one job that no run knows
printing.py   lines and metrics for people, for a pipe, as JSON
since.py      how long ago, or since when
"""

from __future__ import annotations

from nova_constructs.cli.logs.command import logs

__all__ = ["logs"]
