"""Service Quotas on the emulator: training instances by name, in pages; everything else is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator import Emulator

NAME = "ml.p5.48xlarge for training job usage"


@pytest.fixture(scope="module")
def emulator() -> Any:
    with Emulator() as running:
        yield running


def values(emulator: Emulator, **paging: int) -> dict[str, float]:
    pages = emulator.client("service-quotas").get_paginator("list_service_quotas")
    found = pages.paginate(ServiceCode="sagemaker", PaginationConfig=paging)
    return {each["QuotaName"]: each["Value"] for page in found for each in page["Quotas"]}


def test_quotas_are_listed_in_pages_with_the_values_of_the_simulation(emulator: Emulator) -> None:
    assert values(emulator)[NAME] == 64.0
    assert values(emulator, PageSize=3) == values(emulator)
    assert "ml.p5.48xlarge for training warm pool usage" in values(emulator)
    before = emulator.state.simulation
    emulator.state.simulation = replace(before, instance_quota=2.0, quotas={NAME: 0.0})
    try:
        assert (values(emulator)[NAME], values(emulator)["ml.g5.12xlarge for training job usage"]) == (0.0, 2.0)
    finally:
        emulator.state.simulation = before


def test_a_quota_has_a_code_of_its_own(emulator: Emulator) -> None:
    found = emulator.client("service-quotas").list_service_quotas(ServiceCode="sagemaker")["Quotas"]
    codes = {each["QuotaCode"] for each in found}
    assert len(codes) == len(found)
    assert all(each["QuotaArn"].endswith(f"sagemaker/{each['QuotaCode']}") for each in found)


def test_other_services_have_no_quotas_here(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        emulator.client("service-quotas").list_service_quotas(ServiceCode="vpc")


def test_what_is_not_honoured_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="QuotaAppliedAtLevel"):
        emulator.client("service-quotas").list_service_quotas(ServiceCode="sagemaker", QuotaAppliedAtLevel="ACCOUNT")
