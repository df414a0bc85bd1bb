"""SageMaker's MLflow tracking servers and apps, as far as they are made, described and listed; nothing runs in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.sagemaker.responses import SageMakerResponse

from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.state import SimulatorState, Undo

_PAGE = 10


@dataclass(slots=True, kw_only=True)
class Place:
    """A tracking server or an app. `status` is the API's and may be set."""

    arn: str
    name: str
    created: datetime
    status: str = "Created"


@dataclass(slots=True)
class Places:
    """Tracking servers and apps of one account and Region, by ARN, in the order in which they were made."""

    state: SimulatorState
    servers: dict[str, Place] = field(default_factory=dict)
    apps: dict[str, Place] = field(default_factory=dict)

    def create_server(self, parameters: Parameters) -> dict[str, Any]:
        """Answer CreateMlflowTrackingServer; the server is there at once."""
        name = parameters["TrackingServerName"]
        arn = self._arn(f"mlflow-tracking-server/{name}")
        if arn in self.servers:
            raise aws_error("ConflictException", f"Tracking server {name} already exists.")
        self.servers[arn] = Place(arn=arn, name=name, created=self.state.clock.now())
        return {"TrackingServerArn": arn}

    def create_app(self, parameters: Parameters) -> dict[str, Any]:
        """Answer CreateMlflowApp; the app is there at once, under an id that follows from its name."""
        name = parameters["Name"]
        arn = self._arn(f"mlflow-app/app-{hashlib.sha256(name.encode()).hexdigest()[:12].upper()}")
        if arn in self.apps:
            raise aws_error("ConflictException", f"App {name} already exists.")
        self.apps[arn] = Place(arn=arn, name=name, created=self.state.clock.now())
        return {"Arn": arn}

    def stop_server(self, parameters: Parameters) -> dict[str, Any]:
        """Answer StopMlflowTrackingServer."""
        found = self._server(parameters)
        found.status = "Stopped"
        return {"TrackingServerArn": found.arn}

    def delete_server(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DeleteMlflowTrackingServer."""
        found = self._server(parameters)
        del self.servers[found.arn]
        return {"TrackingServerArn": found.arn}

    def delete_app(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DeleteMlflowApp."""
        found = self._app(parameters)
        del self.apps[found.arn]
        return {"Arn": found.arn}

    def describe_server(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeMlflowTrackingServer."""
        return _shown_server(self._server(parameters))

    def describe_app(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeMlflowApp."""
        return _shown_app(self._app(parameters))

    def list_servers(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListMlflowTrackingServers, a page at a time."""
        shown, token = _listed(list(self.servers.values()), parameters)
        return {"TrackingServerSummaries": [_shown_server(each) for each in shown], "NextToken": token}

    def list_apps(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListMlflowApps, a page at a time."""
        shown, token = _listed(list(self.apps.values()), parameters)
        return {"Summaries": [_shown_app(each) for each in shown], "NextToken": token}

    def clear(self) -> None:
        """Forget everything."""
        self.servers.clear()
        self.apps.clear()

    def _arn(self, rest: str) -> str:
        return f"arn:aws:sagemaker:{self.state.region}:{self.state.account}:{rest}"

    def _server(self, parameters: Parameters) -> Place:
        arn = self._arn(f"mlflow-tracking-server/{parameters['TrackingServerName']}")
        if arn not in self.servers:
            raise aws_error("ResourceNotFound", "Requested resource not found.")
        return self.servers[arn]

    def _app(self, parameters: Parameters) -> Place:
        if parameters["Arn"] not in self.apps:
            raise aws_error("ResourceNotFound", "Requested resource not found.")
        return self.apps[parameters["Arn"]]


def install(state: SimulatorState) -> Undo:
    """Serve the operations."""
    places = Places(state)
    state.on_reset(places.clear)
    return serve(
        SageMakerResponse,
        {
            "CreateMlflowTrackingServer": places.create_server,
            "CreateMlflowApp": places.create_app,
            "StopMlflowTrackingServer": places.stop_server,
            "DeleteMlflowTrackingServer": places.delete_server,
            "DeleteMlflowApp": places.delete_app,
            "DescribeMlflowTrackingServer": places.describe_server,
            "DescribeMlflowApp": places.describe_app,
            "ListMlflowTrackingServers": places.list_servers,
            "ListMlflowApps": places.list_apps,
        },
    )


def _shown_server(place: Place) -> dict[str, Any]:
    return {
        "TrackingServerArn": place.arn,
        "TrackingServerName": place.name,
        "TrackingServerStatus": place.status,
        "CreationTime": place.created,
        "LastModifiedTime": place.created,
    }


def _shown_app(place: Place) -> dict[str, Any]:
    return {
        "Arn": place.arn,
        "Name": place.name,
        "Status": place.status,
        "CreationTime": place.created,
        "LastModifiedTime": place.created,
    }


def _listed(places: list[Place], parameters: Parameters) -> tuple[list[Place], str | None]:
    if unknown := set(parameters) - {"MaxResults", "NextToken"}:
        raise NotImplementedError(f"listing MLflow servers or apps with {', '.join(sorted(unknown))}")
    shown, token = page(places, parameters.get("NextToken"), parameters.get("MaxResults") or _PAGE)
    return list(shown), token
