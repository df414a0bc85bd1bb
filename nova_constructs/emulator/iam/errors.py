"""What can go wrong while a call is authorized."""

from __future__ import annotations


class EvaluationError(Exception):
    """The evaluator cannot decide: a policy or a call has a form that it does not know. Never an allow."""


class UnknownOperationError(EvaluationError):
    """The action table has no row for a call, so nothing is known of the permission it needs."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(f"the emulator's IAM evaluator does not know {service}:{operation}")


class AccessDeniedError(Exception):
    """A principal may not do what it asked for; the text is the one that AWS sends."""
