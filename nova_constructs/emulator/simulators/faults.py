"""Faults that tests and the demo inject into the simulated services and into the server's requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nova_constructs.emulator.state import InjectedResponse

Match = str | Callable[[str, Mapping[str, str]], bool]
EventMatch = Callable[[Any], bool]
"""Says whether a function's event is meant."""
Phase = Literal["before", "after"]
Callback = Callable[[], None]


@dataclass(slots=True, kw_only=True)
class _Rule:
    """One injected fault: what it applies to and how often it may still fire (None: without limit)."""

    kind: str
    matches: Callable[..., bool]
    text: str = ""
    content: bytes = b""
    seconds: float = 0.0
    remaining: int | None = None
    response: InjectedResponse | None = None
    callback: Callback | None = None


@dataclass(slots=True)
class Faults:
    """Injected faults, thread-safe; `fired` counts each kind that has taken effect.

    `match` is a text found in the resource's name or equal to the value of one of its tags (so that `"training"`
    matches the tag `nova-constructs:stage`), or a predicate of (name, tags). `times` limits how often a fault fires.
    """

    fired: Counter[str] = field(default_factory=Counter)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def fail_job(self, match: Match, reason: str = "AlgorithmError: loss is NaN", times: int | None = None) -> None:
        """Fail matching training jobs while they train."""
        self._add("fail_job", _by_name(match), text=reason, remaining=times)

    def stop_job(self, match: Match, times: int | None = None) -> None:
        """Stop matching training jobs while they train, as somebody in the console would."""
        self._add("stop_job", _by_name(match), remaining=times)

    def no_capacity(
        self, match: Match = "", reason: str | None = None, times: int | None = None, instance_type: str | None = None
    ) -> None:
        """Give matching training jobs no instances: they end Stopped after MaxPendingTimeInSeconds.

        With a `reason`, such as "CapacityError: Unable to provision requested ML compute capacity.", they fail by then.
        With an `instance_type` only jobs on that type are meant; the default `match` is any job.
        """
        by_name = _by_name(match)

        def lacks(name: str, tags: Mapping[str, str], on: str) -> bool:
            return instance_type in (None, on) and by_name(name, tags)

        self._add("no_capacity", lacks, text=reason or "", remaining=times)

    def never_finish(self, match: Match, times: int | None = None) -> None:
        """Keep matching training jobs in Training until they are stopped or reach their maximum run time."""
        self._add("never_finish", _by_name(match), remaining=times)

    def image_pull(self, match: Match, reason: str = "toomanyrequests", times: int | None = None) -> None:
        """Let images of matching pods on HyperPod not be pulled; they are tried again every five minutes."""
        self._add("image_pull", _by_name(match), text=reason, remaining=times)

    def fail_record(self, match: Match, reason: str = "The record was refused.", times: int | None = None) -> None:
        """Let matching batch inference jobs complete with an error in place of the answer to their first record."""
        self._add("fail_record", _by_name(match), text=reason, remaining=times)

    def omit_output(self, match: Match, times: int | None = None) -> None:
        """Let matching training jobs complete without the archive's manifest or results."""
        self._add("omit_output", _by_name(match), remaining=times)

    def replace_output(self, match: Match, archive: bytes, times: int | None = None) -> None:
        """Let matching training jobs complete and leave these bytes as their output.tar.gz."""
        self._add("replace_output", _by_name(match), content=archive, remaining=times)

    def fail_import(
        self, match: Match, reason: str = "The model artifacts could not be read.", times: int | None = None
    ) -> None:
        """Let matching custom models end as Failed."""
        self._add("fail_import", _by_name(match), text=reason, remaining=times)

    def fail_deployment(
        self, match: Match, reason: str = "The model could not be loaded.", times: int | None = None
    ) -> None:
        """Let matching deployments and provisioned throughput end as Failed."""
        self._add("fail_deployment", _by_name(match), text=reason, remaining=times)

    def fail_update(
        self, match: Match, reason: str = "The model could not be loaded.", times: int | None = None
    ) -> None:
        """Let updates of matching deployments and provisioned throughput fail."""
        self._add("fail_update", _by_name(match), text=reason, remaining=times)

    def answer(self, match: Match, text: str, times: int | None = None) -> None:
        """Let matching models answer this text, whoever asks them through whatever serves them."""
        self._add("answer", _by_name(match), text=text, remaining=times)

    def no_answer(
        self, match: Match, reason: str = "The model could not process the request.", times: int | None = None
    ) -> None:
        """Let matching models fail every question (ModelErrorException), whatever serves them."""
        self._add("no_answer", _by_name(match), text=reason, remaining=times)

    def crash_function(self, match: Match, times: int | None = 1, when: EventMatch | None = None) -> None:
        """Kill the processes of matching functions as they take an invocation, as for lack of memory.

        `when` singles out invocations by the event that they are about.
        """
        self._add("crash_function", _by_invocation(match, when), remaining=times)

    def before_function(
        self, match: Match, callback: Callback, times: int | None = 1, when: EventMatch | None = None
    ) -> None:
        """Run a callback before matching functions take an invocation."""
        self._add("before_function", _by_invocation(match, when), remaining=times, callback=callback)

    def lose_response(self, service: str, operation: str, times: int = 1) -> None:
        """Run the operation but drop the caller's connection."""
        self._add(
            "lose_response", _by_operation(service, operation), remaining=times, response=InjectedResponse(drop=True)
        )

    def error(
        self, service: str, operation: str, code: str, message: str, times: int | None = 1, status: int | None = None
    ) -> None:
        """Answer the operation with an error, without running it."""
        response = InjectedResponse(code=code, message=message, status=status or _status(code))
        self._add("error", _by_operation(service, operation), remaining=times, response=response)

    def lose_event(self, detail_type: str, times: int | None = 1) -> None:
        """Let events of a detail type disappear before any rule sees them."""
        self._add("lose_event", lambda seen: seen == detail_type, remaining=times)

    def duplicate_event(self, detail_type: str, times: int | None = 1) -> None:
        """Deliver events of a detail type twice."""
        self._add("duplicate_event", lambda seen: seen == detail_type, remaining=times)

    def delay_event(self, detail_type: str, seconds: float, times: int | None = 1) -> None:
        """Deliver events of a detail type so many simulated seconds late; others overtake them."""
        self._add("delay_event", lambda seen: seen == detail_type, seconds=seconds, remaining=times)

    def reverse_events(self, detail_type: str, count: int) -> None:
        """Hold the next events of a detail type until there are so many, then deliver the last one first."""
        self._add("reverse_events", lambda seen: seen == detail_type, remaining=count)

    def before(self, service: str, operation: str, callback: Callback, times: int | None = 1) -> None:
        """Run a callback in the server's thread before the operation."""
        self._add("before", _by_operation(service, operation), remaining=times, callback=callback)

    def after(self, service: str, operation: str, callback: Callback, times: int | None = 1) -> None:
        """Run a callback in the server's thread after the operation has taken effect."""
        self._add("after", _by_operation(service, operation), remaining=times, callback=callback)

    def clear(self) -> None:
        """Remove every fault and forget what fired."""
        with self._lock:
            self._rules.clear()
            self.fired.clear()

    def on_request(self, service: str, operation: str, phase: Phase) -> InjectedResponse | None:
        """Apply the faults of one request; the server answers with the returned response, if there is one.

        Call it with phase `before` ahead of the operation and with `after` once it has run. Service is the botocore
        service name, operation the API's own name; both are compared without regard to case.
        """
        for rule in self._take_all(phase, service, operation):
            if rule.callback:
                rule.callback()
        kind = "error" if phase == "before" else "lose_response"
        rule_hit = self._take(kind, service, operation)
        return rule_hit.response if rule_hit else None

    def on_invocation(self, name: str, event: Any) -> bool:
        """Apply the faults of one invocation; return whether the function's process is to be killed."""
        for rule in self._take_all("before_function", name, event):
            if rule.callback:
                rule.callback()
        return self._take("crash_function", name, event) is not None

    def copies_of_event(self, detail_type: str) -> int:
        """Return how often an event of this detail type is to be delivered: 0, 1 or 2."""
        if self._take("lose_event", detail_type):
            return 0
        return 2 if self._take("duplicate_event", detail_type) else 1

    def delay_of_event(self, detail_type: str) -> float:
        """Return how many simulated seconds an event of this detail type is late."""
        rule = self._take("delay_event", detail_type)
        return rule.seconds if rule else 0.0

    def outstanding_of_reversal(self, detail_type: str) -> int | None:
        """Return how many events are still to come before this one may go, None where it may go at once."""
        rule = self._take("reverse_events", detail_type)
        return rule.remaining if rule else None

    def reason(self, kind: str, name: str, tags: Mapping[str, str], *more: str) -> str | None:
        """Return the text of a fault of this kind for a resource, using it up, or None.

        `more` is what else such a fault looks at: the instance type for `no_capacity`.
        """
        rule = self._take(kind, name, tags, *more)
        return rule.text if rule else None

    def content(self, kind: str, name: str, tags: Mapping[str, str]) -> bytes | None:
        """Return the bytes of a fault of this kind for a resource, using it up, or None."""
        rule = self._take(kind, name, tags)
        return rule.content if rule else None

    def applies(self, kind: str, name: str, tags: Mapping[str, str]) -> bool:
        """Tell whether a fault of this kind holds for a resource, using it up."""
        return self._take(kind, name, tags) is not None

    def _add(self, kind: str, matches: Callable[..., bool], **rest: Any) -> None:
        rule = _Rule(kind=kind, matches=matches, **rest)
        with self._lock:
            self._rules.append(rule)

    def _take(self, kind: str, *facts: object) -> _Rule | None:
        with self._lock:
            return next((rule for rule in self._rules if self._fires(rule, kind, facts)), None)

    def _take_all(self, kind: str, *facts: object) -> list[_Rule]:
        with self._lock:
            return [rule for rule in self._rules if self._fires(rule, kind, facts)]

    def _fires(self, rule: _Rule, kind: str, facts: tuple[object, ...]) -> bool:
        if rule.kind != kind or rule.remaining == 0 or not rule.matches(*facts):
            return False
        if rule.remaining is not None:
            rule.remaining -= 1
        self.fired[kind] += 1
        return True


def _by_name(match: Match) -> Callable[[str, Mapping[str, str]], bool]:
    if callable(match):
        return match
    return lambda name, tags: match in name or match in tags.values()


def _by_invocation(match: Match, when: EventMatch | None) -> Callable[[str, Any], bool]:
    by_name = _by_name(match)
    return lambda name, event: by_name(name, {}) and (when is None or when(event))


def _by_operation(service: str, operation: str) -> Callable[[str, str], bool]:
    wanted = (service.lower(), operation.lower())
    return lambda seen_service, seen_operation: (seen_service.lower(), seen_operation.lower()) == wanted


def _status(code: str) -> int:
    if code in {"InternalServerException", "InternalFailure", "InternalError", "ServiceUnavailable"}:
        return 500
    return 429 if code in {"ThrottlingException", "TooManyRequestsException"} else 400
