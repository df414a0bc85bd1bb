"""The buckets that a customization may read media from: what the functions are told, and what they may do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack

from lambda_handlers.datasets.stage.request import StageRequest
from nova_constructs.app import props
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.data_format import DataFormat
from nova_constructs.settings import SettingsError

Template = dict[str, Any]
BUCKETS = ["Old_Bucket.1", "my-images"]


def statements(template: Template, role: str) -> dict[str, dict[str, Any]]:
    """Return the statements of the role of a function of the data stage, by Sid."""
    return {
        statement["Sid"]: statement
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy" and name.startswith(f"SupportData{role}Role")
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    }


def objects(of: str, pattern: str) -> dict[str, Any]:
    return {"Fn::Join": ["", [{"Fn::GetAtt": [of, "Arn"]}, f"/{pattern}"]]}


@pytest.fixture(scope="module")
def with_media(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    data = {**entry["data"], "media_buckets": BUCKETS}
    return synthesize({**entry, "data": data})["Nova-Support"]


@pytest.mark.parametrize("role", ["Prepare", "Transform"])
def test_the_functions_that_make_rows_read_these_buckets_and_write_copies(
    with_media: Template, template: Template, role: str
) -> None:
    before, found = statements(template, role), statements(with_media, role)
    [prepared] = [name for name in with_media["Resources"] if name.startswith("SupportStorePrepared")][:1]
    copies = objects(prepared, "runs/*/media/*")
    added = {sid: (each["Action"], each["Resource"]) for sid, each in found.items() if sid not in before}
    images = [{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":s3:::{name}/*"]]} for name in BUCKETS]
    assert added == {
        "ReadMedia": ("s3:GetObject", images),
        "LookAtCopies": ("s3:GetObject", copies),
        "MissCopies": ("s3:ListBucket", {"Fn::GetAtt": [prepared, "Arn"]}),
        **({"WriteCopies": ("s3:PutObject", copies)} if role == "Transform" else {}),
    }
    assert {sid: found[sid] for sid in before} == before


@pytest.mark.parametrize("role", ["Reduce", "Assemble", "Finish"])
def test_the_other_functions_may_do_what_they_could(with_media: Template, template: Template, role: str) -> None:
    assert statements(with_media, role) == statements(template, role) != {}


def test_the_functions_are_told_the_buckets_and_the_account(with_media: Template) -> None:
    [machine] = [r for r in with_media["Resources"].values() if r["Type"] == "AWS::StepFunctions::StateMachine"]
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    definition = json.loads("".join(part if isinstance(part, str) else str(part.get("Ref")) for part in parts))
    told = definition["States"]["PrepareData"]["Parameters"]["config"]
    assert (told["media_buckets"], told["account"]) == (BUCKETS, "AWS::AccountId")
    assert definition["States"]["TransformShards"]["ItemSelector"]["config"] == told


def test_the_functions_read_what_they_are_told() -> None:
    store = ArtifactStore(Stack(App(), "S"), "Store")
    run = dict.fromkeys(("id", "execution_arn", "state_machine_arn", "started_at"), "x")
    base = {"model": "NOVA_LITE_2", "method": "SFT_LORA"}

    def told(data: DataFormat) -> StageRequest:
        return StageRequest.parse({"run": {**run, "lock_generation": 1}, "config": {**base, **data.config(store)}})

    assert told(DataFormat(media_buckets=BUCKETS)).media_buckets == tuple(BUCKETS)
    assert told(DataFormat(media_buckets=BUCKETS)).account
    assert (told(DataFormat()).media_buckets, told(DataFormat()).account) == ((), "")


@pytest.mark.parametrize("name", ["s3://my-images", "my-images/photos", "my-*", "", "ab", "arn:aws:s3:::my-images"])
def test_a_bucket_is_named_by_its_name(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any], name: str
) -> None:
    [problem] = DataFormat(media_buckets=[name]).problems()
    assert problem == f"media_buckets names {name!r}: use the name of a bucket, without s3:// and without a key"
    with pytest.raises(SettingsError, match=r"data.media_buckets\[0\]"):
        synthesize({**entry, "data": {"media_buckets": [name]}})


def test_names_that_are_not_known_yet_and_good_ones_pass(tmp_path: Path, entry: dict[str, Any]) -> None:
    store = ArtifactStore(Stack(App(), "S"), "Store")
    assert DataFormat(media_buckets=[*BUCKETS, store.incoming.bucket_name]).problems() == []
    assert props({**entry, "data": {"media_buckets": BUCKETS}})["data"] == DataFormat(media_buckets=BUCKETS)
