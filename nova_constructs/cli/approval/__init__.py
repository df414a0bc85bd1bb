"""`nova approve` and `nova reject`.

signing.py    what proves who answers: a presigned sts:GetCallerIdentity, bound to the run and the answer
sending.py    the function that takes answers, and what it says
command.py    the two commands
requester.py  who asks for a run, attested when it is started
"""

from __future__ import annotations

from nova_constructs.cli.approval.command import approve as approve
from nova_constructs.cli.approval.command import reject as reject
