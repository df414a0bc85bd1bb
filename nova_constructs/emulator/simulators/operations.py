"""Serve operations of AWS APIs in place of moto's methods, and put the methods back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.simulators.state import Undo

FALL_BACK = object()
"""What a handler returns to let moto answer instead."""

Parameters = Mapping[str, Any]
Handler = Callable[[Parameters], Any]


class ApiError(ServiceException):
    """An error answer of a service; a class of our own, so that moto does not look for its service by the module."""


def aws_error(code: str, message: str) -> ApiError:
    """Return the error that boto3 shows as a ClientError with this code and message."""
    return ApiError(code, message)


def serve(response_class: type[BaseResponse], handlers: Mapping[str, Handler]) -> Undo:
    """Let handlers answer operations by their API names, with parsed parameters; return what undoes it."""
    patches = Patches()
    for operation, handler in handlers.items():
        method = _method(response_class, operation, handler)
        patches.replace(response_class, camelcase_to_underscores(operation), method)
    return patches.undo


def undo_all(undos: list[Undo]) -> Undo:
    """Return one function that undoes several things, the last one first."""

    def undo() -> None:
        for each in reversed(undos):
            each()

    return undo


def _method(response_class: type[BaseResponse], operation: str, handler: Handler) -> Callable[[Any], Any]:
    original = getattr(response_class, camelcase_to_underscores(operation), None)

    def method(self: Any) -> Any:
        self.parse_parameters(self.normalized_request)
        parameters = dict(self.params)
        result = handler(parameters)
        if result is FALL_BACK:
            if original is None:
                raise NotImplementedError(f"{operation} is not emulated for this resource")
            return original(self)
        return ActionResult(result or {})

    return method
