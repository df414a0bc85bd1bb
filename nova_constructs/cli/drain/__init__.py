"""`nova drain`.

marking.py   the mark that lets nobody begin, and its end
left.py      what of a customization is not at rest yet
staying.py   what stays when everything is, and what that costs
work.py      waits, and stops; telling.py what is said in the end
command.py   the command
"""

from __future__ import annotations

from nova_constructs.cli.drain.command import drain

__all__ = ["drain"]
