"""Who may answer, and who is the same person."""

from __future__ import annotations

import pytest

from lambda_handlers.approval.people import Identity, approver_problems

ACCOUNT = "111122223333"
IAM, STS = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sts::{ACCOUNT}"
RELEASE = f"{STS}:assumed-role/Release/carol"
CENTER = f"{STS}:assumed-role/AWSReservedSSO_Ml_0123/carol@example.com"


@pytest.mark.parametrize(
    ("arn", "approver"),
    [
        (f"{IAM}:user/alice", f"{IAM}:user/alice"),
        (f"{IAM}:user/team/bob", f"{IAM}:user/team/*"),
        (RELEASE, f"{IAM}:role/Release"),
        (RELEASE, f"{IAM}:role/with/a/path/Release"),
        (RELEASE, f"{IAM}:role/Rel*"),
        (RELEASE, f"{STS}:assumed-role/Release/carol"),
        (CENTER, f"{IAM}:role/AWSReservedSSO_Ml_*"),
        (CENTER, f"{STS}:assumed-role/AWSReservedSSO_Ml_*/carol@example.com"),
    ],
)
def test_an_approver_is_recognized(arn: str, approver: str) -> None:
    assert Identity.parse(arn).may_answer([f"{IAM}:user/nobody", approver])


@pytest.mark.parametrize(
    ("arn", "approver"),
    [
        (f"{IAM}:user/alice", f"{IAM}:user/alic"),
        (f"{IAM}:user/alice", f"{IAM}:user/alice2"),
        (f"{IAM}:user/alice", f"{IAM}:role/alice"),
        (f"{IAM}:user/alice", "arn:aws:iam::444455556666:user/alice"),
        (f"{IAM}:user/x", f"{IAM}:user/?"),
        (f"{IAM}:user/team/bob", f"{IAM}:user/bob"),
        (RELEASE, f"{IAM}:user/Release"),
        (RELEASE, f"{IAM}:role/Releas"),
        (RELEASE, "arn:aws:iam::444455556666:role/Release"),
        (RELEASE, f"{STS}:assumed-role/Release/dave"),
        (f"{IAM}:user/alice", f"{IAM}:role/*"),
        (f"{IAM}:user/alice", f"{IAM}:*"),
        (f"{IAM}:root", f"{IAM}:role/root"),
        ("something:else", "something:else"),
    ],
)
def test_anybody_else_is_not(arn: str, approver: str) -> None:
    assert not Identity.parse(arn).may_answer([approver])


def test_without_approvers_iam_alone_decides() -> None:
    assert Identity.parse(f"{IAM}:root").may_answer([])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (f"{IAM}:user/alice", f"{IAM}:user/alice", True),
        (f"{IAM}:user/alice", f"{IAM}:user/bob", False),
        (RELEASE, f"{STS}:assumed-role/Release/another-name", True),
        (RELEASE, f"{STS}:assumed-role/Reader/carol", False),
        (RELEASE, "arn:aws:sts::444455556666:assumed-role/Release/carol", False),
        (CENTER, CENTER, True),
        (CENTER, CENTER.replace("carol", "dave"), False),
        (CENTER, CENTER.replace("_Ml_", "_Release_"), True),
        (CENTER, f"{STS}:assumed-role/Release/carol@example.com", False),
        (f"{IAM}:user/Release", RELEASE, False),
        (f"{IAM}:user/alice", f"{STS}:federated-user/bob", True),
        (f"{STS}:federated-user/alice", f"{STS}:federated-user/bob", True),
        (f"{IAM}:user/alice", "arn:aws:sts::444455556666:federated-user/bob", False),
        (RELEASE, f"{STS}:federated-user/bob", False),
    ],
)
def test_whoever_may_have_chosen_the_other_name_is_the_same_person(one: str, other: str, same: bool) -> None:
    assert Identity.parse(one).same_person(Identity.parse(other)) is same
    assert Identity.parse(other).same_person(Identity.parse(one)) is same


@pytest.mark.parametrize(
    "approver",
    [
        *("alice", "*", f"{IAM}:root", f"{IAM}:group/people", f"{IAM}:user/", "arn:aws:iam::*:role/x"),
        *(f"{STS}:role/x", f"{IAM}:assumed-role/x/y", "arn:aws:s3:::bucket", ""),
    ],
)
def test_what_names_nobody_is_told(approver: str) -> None:
    [problem] = approver_problems([approver])
    assert repr(approver) in problem
    assert "role/NAME" in problem


def test_a_pattern_over_the_path_of_a_role_is_told() -> None:
    [problem] = approver_problems([f"{IAM}:role/release/*", f"{IAM}:role/release/Manager", f"{IAM}:role/Release*"])
    assert "attests no path" in problem
