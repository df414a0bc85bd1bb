"""`nova demo`: checks, synthesis, the emulator, one run, the report. Each step has its file.

checks.py     what the user gave, and the machine     dataset.py   file and columns
synth.py      the app, synthesized in a subprocess    session.py   the emulator with the stack deployed
watch.py      the run, live                           result.py    what came of it, as one object
report.py     the same, for people
"""

from __future__ import annotations

from nova_constructs.cli.demo.command import demo

__all__ = ["demo"]
