"""Serve operations of AWS APIs in place of moto's methods, and put the methods back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from nova_constructs.emulator.simulators.state import Undo

FALL_BACK = object()
"""What a handler returns to let moto answer instead."""

Parameters = Mapping[str, Any]
Handler = Callable[[Parameters], Any]

_ABSENT = object()


def aws_error(code: str, message: str) -> ServiceException:
    """Return the error that boto3 shows as a ClientError with this code and message."""
    return ServiceException(code, message)


def replace_attribute(owner: Any, name: str, value: object) -> Undo:
    """Set an attribute of a class or module and return what puts back the former one."""
    former = vars(owner).get(name, _ABSENT)
    setattr(owner, name, value)

    def undo() -> None:
        if former is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, former)

    return undo


def serve(response_class: type[BaseResponse], handlers: Mapping[str, Handler]) -> Undo:
    """Let handlers answer operations by their API names, with parsed parameters; return what undoes it."""
    undos = [
        replace_attribute(
            response_class,
            camelcase_to_underscores(operation),
            _method(response_class, operation, handler),
        )
        for operation, handler in handlers.items()
    ]
    return undo_all(undos)


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
