"""The one way in: whatever may start a run is told here, and what is due is started from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.starting.dispatching import Dispatcher
from lambda_handlers.starting.reception import OutputOf, receive


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """Take messages of triggers, and the reconciler's call for what is due."""

    dispatcher: Dispatcher
    output_of: OutputOf

    def take(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return whether something arrived that was not known, and the runs that were started."""
        if message.get("dispatch"):
            return {"arrived": False, "started": self.dispatcher.dispatch_all()}
        if "trigger" not in message or "event" not in message:
            raise InvalidRequest(
                f"received the keys {', '.join(sorted(message))}; allowed: trigger and event, or dispatch"
            )
        arrival = receive(message, self.dispatcher.clock.now(), self.output_of)
        if arrival is None:
            return {"arrived": False, "started": []}
        arrived = self.dispatcher.arrivals.enter(arrival)
        # What waits for more to come is started by the reconciler's call, so that a burst costs one look and not many.
        started = [] if arrival.trigger.waits else self.dispatcher.dispatch(arrival.trigger.name, arrival)
        return {"arrived": arrived, "started": started}
