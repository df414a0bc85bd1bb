"""MLflow servers and apps of the emulator: made, described, listed in pages, and gone after a reset."""

from __future__ import annotations

import pytest

from nova_constructs.emulator import Emulator

MORE = {"ArtifactStoreUri": "s3://mlflow", "RoleArn": "arn:aws:iam::123456789012:role/mlflow-mine"}


def test_servers_and_apps_are_held_and_listed_in_pages() -> None:
    with Emulator() as emulator:
        sagemaker = emulator.client("sagemaker")
        apps = [sagemaker.create_mlflow_app(Name=f"app-{n}", **MORE)["Arn"] for n in range(3)]
        server = sagemaker.create_mlflow_tracking_server(TrackingServerName="mine", **MORE)["TrackingServerArn"]
        first = sagemaker.list_mlflow_apps(MaxResults=2)
        rest = sagemaker.list_mlflow_apps(MaxResults=2, NextToken=first["NextToken"])
        assert [each["Arn"] for each in (*first["Summaries"], *rest["Summaries"])] == apps
        assert "NextToken" not in rest
        assert sagemaker.describe_mlflow_app(Arn=apps[1])["Name"] == "app-1"
        sagemaker.stop_mlflow_tracking_server(TrackingServerName="mine")
        [listed] = sagemaker.list_mlflow_tracking_servers()["TrackingServerSummaries"]
        assert (listed["TrackingServerArn"], listed["TrackingServerStatus"]) == (server, "Stopped")
        with pytest.raises(sagemaker.exceptions.ClientError, match="already exists"):
            sagemaker.create_mlflow_tracking_server(TrackingServerName="mine", **MORE)
        sagemaker.delete_mlflow_tracking_server(TrackingServerName="mine")
        sagemaker.delete_mlflow_app(Arn=apps[0])
        for ask in (
            lambda: sagemaker.describe_mlflow_tracking_server(TrackingServerName="mine"),
            lambda: sagemaker.describe_mlflow_app(Arn=apps[0]),
        ):
            with pytest.raises(sagemaker.exceptions.ResourceNotFound):
                ask()
        emulator.reset()
        assert sagemaker.list_mlflow_apps()["Summaries"] == []
