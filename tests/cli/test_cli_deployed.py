from __future__ import annotations

import pytest

from nova_constructs.cli.deployed import find
from nova_constructs.cli.errors import BadInputError
from tests.cli.cli_support import MACHINE, FakeAws, stack


@pytest.fixture(autouse=True)
def _no_stack_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVA_STACK", raising=False)


def test_the_only_customization_of_the_account_needs_no_name() -> None:
    found = find(
        FakeAws({"StackName": "Other", "StackStatus": "CREATE_COMPLETE"}, stack()), stack=None, customization=None
    )

    assert (found.stack, found.name, found.state_machine_arn) == ("NovaSupport", "Support", MACHINE)
    assert found.outputs["JobRegistryTableName"] == "registry"


def test_a_run_id_is_an_execution_name() -> None:
    found = find(FakeAws(), stack=None, customization=None)

    assert found.execution_arn("r1") == "arn:aws:states:us-east-1:123456789012:execution:Support:r1"


def test_the_environment_names_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_STACK", "B")

    assert find(FakeAws(stack("A"), stack("B")), stack=None, customization=None).stack == "B"


def test_the_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_STACK", "B")

    assert find(FakeAws(stack("A"), stack("B")), stack="A", customization=None).stack == "A"


def test_several_stacks_are_listed_and_refused() -> None:
    with pytest.raises(BadInputError, match=r"several customizations.*\n.*Support \(stack A\), Support \(stack B\)"):
        find(FakeAws(stack("A"), stack("B")), stack=None, customization=None)


def test_a_customization_of_a_stack_is_chosen_in_any_case() -> None:
    aws = FakeAws(stack("A", "Support", "Sales"))

    assert find(aws, stack="A", customization="sALES").name == "Sales"


def test_an_unknown_customization_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInputError, match=r"received: Legal\n.*Sales \(stack A\), Support \(stack A\)"):
        find(FakeAws(stack("A", "Support", "Sales")), stack="A", customization="Legal")


def test_an_unknown_stack_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match=r"no such stack.*\n.*Nope"):
        find(FakeAws(), stack="Nope", customization=None)


def test_a_stack_of_someone_else_holds_no_customization() -> None:
    aws = FakeAws({"StackName": "Other", "StackStatus": "CREATE_COMPLETE", "Outputs": []})

    with pytest.raises(BadInputError, match="holds no customization"):
        find(aws, stack="Other", customization=None)


def test_a_stack_that_is_being_deleted_does_not_count() -> None:
    aws = FakeAws(stack("A") | {"StackStatus": "DELETE_IN_PROGRESS"})

    with pytest.raises(BadInputError, match="no customization is deployed"):
        find(aws, stack=None, customization=None)
