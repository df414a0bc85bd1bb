"""`nova hyperpod rbac`: what the functions do in a namespace, as the admin of a cluster applies it."""

from __future__ import annotations

import json

import pytest
import yaml

from lambda_handlers.hyperpod.kinds import KINDS
from tests.cli.cli_support import Nova

RBAC = ("hyperpod", "rbac", "--namespace", "kubeflow")
_MADE = ["create", "delete", "get"]


def test_the_role_has_what_jobs_need_and_no_more(nova: Nova) -> None:
    ran = nova(*RBAC)
    role, binding = yaml.safe_load_all(ran.out)
    assert (ran.code, role["kind"], role["metadata"]["namespace"]) == (0, "Role", "kubeflow")
    verbs = {(rule["apiGroups"][0], rule["resources"][0]): rule["verbs"] for rule in role["rules"]}
    assert verbs == {
        ("", "configmaps"): _MADE,
        ("", "secrets"): _MADE,
        ("", "services"): _MADE,
        ("", "pods"): ["list"],
        ("", "events"): ["list"],
        ("apps", "deployments"): _MADE,
        ("apps", "statefulsets"): _MADE,
        ("batch", "jobs"): _MADE,
        ("kubeflow.org", "pytorchjobs"): _MADE,
    }
    assert {(kind.group, kind.plural) for kind in KINDS.values()} == set(verbs)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(each["kind"], each["name"]) for each in binding["subjects"]] == [("Group", "nova-constructs")]


def test_without_reinforcement_there_is_less(nova: Nova) -> None:
    role, binding = yaml.safe_load_all(nova(*RBAC, "--without-rft", "--group", "mine").out)
    assert {rule["resources"][0] for rule in role["rules"]} == {"configmaps", "pytorchjobs", "pods", "events"}
    assert binding["subjects"][0]["name"] == "mine"


def test_json_is_a_list_that_kubectl_applies(nova: Nova) -> None:
    found = json.loads(nova(*RBAC, "--json").out)
    assert found["kind"] == "List"
    assert found["items"] == list(yaml.safe_load_all(nova(*RBAC).out))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--namespace", "Kube"), "received: Kube"),
        (("--namespace", "kubeflow", "--group", "system:masters"), "received: system:masters"),
    ],
)
def test_names_that_cannot_be_are_refused(nova: Nova, arguments: tuple[str, ...], words: str) -> None:
    ran = nova("hyperpod", "rbac", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
