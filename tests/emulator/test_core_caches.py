"""What the emulator keeps from one request to the next is what moto would work out anew."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.core.utils import get_service_model, method_names_from_class
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from moto.stepfunctions.responses import StepFunctionResponse

from nova_constructs.emulator import caches
from nova_constructs.emulator.patches import Patches

OPERATIONS = (
    ("stepfunctions", "GetExecutionHistory"),
    ("stepfunctions", "DescribeExecution"),
    ("iam", "GetRole"),
    ("dynamodb", "DescribeTable"),
    ("rds", "DescribeDBInstances"),
)
HOSTS = ("states.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com", "dynamodb", "moto_api", None)
DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"n": 1}, "End": True}}})


class DBInstance:
    """A value whose class gives its members shorter names."""


class Aliased:
    """A value that says itself under which names its members stand."""

    class Meta:
        serialization_aliases: dict[str, str] = {}  # noqa: RUF012  # as moto's own classes have it


@pytest.fixture
def patches():
    made = Patches()
    caches.install(made)
    yield made
    made.undo()


def _members(shape, depth: int = 0):
    for key, member in getattr(shape, "members", {}).items():
        member.parent = shape
        yield key, member
        inner = getattr(member, "member", member)
        if depth < 4:
            yield from _members(inner, depth + 1)


def _contexts(value):
    for service, operation in OPERATIONS:
        for key, shape in _members(get_service_model(service).operation_model(operation).output_shape):
            yield AttributePickerContext(obj=value, key=key, shape=shape)


@pytest.mark.parametrize("value", [{}, DBInstance(), Aliased()])
def test_members_are_looked_for_under_the_same_names_in_the_same_order(value):
    picker = XFormedAttributePicker()
    expected = [tuple(dict.fromkeys(picker.get_possible_keys(context))) for context in _contexts(value)]
    assert len(expected) > 100
    made = Patches()
    caches.install(made)
    try:
        for _ in range(2):
            found = [tuple(dict.fromkeys(picker.get_possible_keys(context))) for context in _contexts(value)]
            assert found == expected
    finally:
        made.undo()


def test_aliases_that_a_value_changes_are_seen(patches):
    picker = XFormedAttributePicker()
    context = next(_contexts(Aliased()))
    before = list(picker.get_possible_keys(context))
    Aliased.Meta.serialization_aliases[context.key] = "elsewhere"
    try:
        assert list(picker.get_possible_keys(context)) != before
        assert "elsewhere" in picker.get_possible_keys(context)
    finally:
        Aliased.Meta.serialization_aliases.clear()


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_has_the_backend_that_moto_finds(host):
    expected = DomainDispatcherApplication(create_backend_app).get_backend_for_host(host)
    made = Patches()
    caches.install(made)
    try:
        dispatcher = DomainDispatcherApplication(create_backend_app)
        assert [dispatcher.get_backend_for_host(host) for _ in range(2)] == [expected, expected]
    finally:
        made.undo()


def test_the_methods_of_a_class_are_the_same(patches):
    import moto.core.responses as responses

    assert list(responses.method_names_from_class(StepFunctionResponse)) == list(
        method_names_from_class(StepFunctionResponse)
    )


def test_each_parse_gives_components_of_its_own(patches):
    (first, tree), (second, again) = (AmazonStateLanguageParser.parse(DEFINITION) for _ in range(2))
    assert again is tree
    assert second is not first
    assert second.start_at.start_at_name == first.start_at.start_at_name == "A"
    assert second.states.states["A"] is not first.states.states["A"]


@given(st.integers(min_value=1, max_value=30))
def test_a_definition_that_is_no_state_machine_is_refused_every_time(length):
    made = Patches()
    caches.install(made)
    try:
        for _ in range(2):
            with pytest.raises(ASLParserException):
                AmazonStateLanguageParser.parse(DEFINITION[:length])
    finally:
        made.undo()


def test_undoing_gives_moto_its_own_functions_back():
    before = DomainDispatcherApplication.get_backend_for_host
    made = Patches()
    caches.install(made)
    assert DomainDispatcherApplication.get_backend_for_host is not before
    made.undo()
    assert DomainDispatcherApplication.get_backend_for_host is before
    assert isinstance(vars(AmazonStateLanguageParser)["parse"], staticmethod)
