"""IAM of the emulator: every call is evaluated against the caller's policies and the resource's, and recorded.

`actions` says which permissions a call needs, `evaluator` decides, `guard` stands in front of every API call,
`credentials` lets services assume roles, `delivery` checks deliveries that need no role, `recorder` keeps what
happened. What is not evaluated is listed in `limits`.
"""

from __future__ import annotations

from nova_constructs.emulator.iam.errors import AccessDeniedError, EvaluationError, UnknownOperationError
from nova_constructs.emulator.iam.limits import NOT_EVALUATED
from nova_constructs.emulator.iam.recorder import Call, Recorder

__all__ = ["NOT_EVALUATED", "AccessDeniedError", "Call", "EvaluationError", "Recorder", "UnknownOperationError"]
