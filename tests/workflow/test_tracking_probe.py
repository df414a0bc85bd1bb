"""The plan has a server in a VPC asked by the deployed function, under the roles of the template."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_run_whose_jobs_would_not_reach_their_server_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        uri = f"https://127.0.0.1:{taken.getsockname()[1]}"
    with Emulator(speed=SPEED) as emulator:
        ec2 = emulator.client("ec2")
        name = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=name, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=name)["GroupId"]
        vpc = {"subnets": [subnet], "security_groups": [group]}
        workflow = Workflow(
            emulator, synthesize(tmp_path, platform={**ENTRY["platform"], "vpc": vpc, "mlflow": {"uri": uri}})
        )
        ended = workflow.run()
        assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
        _, *problems = ended["cause"].splitlines()
        [problem] = problems
        assert f"The MLflow server {uri} is not reached from the VPC of the jobs ([Errno 111] " in problem
        assert f"Tried: GET {uri}/health from {subnet} with {group}." in problem
        assert workflow.jobs() == {}
