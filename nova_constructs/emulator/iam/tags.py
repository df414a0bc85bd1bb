"""Tags of resources, for `aws:ResourceTag/…`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from moto.dynamodb.models import dynamodb_backends
from moto.iam.models import iam_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from nova_constructs.emulator.iam.errors import EvaluationError

TagSource = Callable[[str], Mapping[str, str] | None]


class Tags:
    """The tags of one account; simulated services add their own source, asked before moto."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._sources: list[TagSource] = []

    def add_source(self, source: TagSource) -> None:
        """Ask a function first; it answers None for a resource that is not its own."""
        self._sources.append(source)

    def of(self, arn: str) -> Mapping[str, str]:
        """Give the tags of a resource, empty if it does not exist.

        Raises EvaluationError for a kind of resource whose tags are not known here.
        """
        for source in self._sources:
            found = source(arn)
            if found is not None:
                return found
        return self._from_moto(arn)

    def of_role(self, role_arn: str) -> Mapping[str, str]:
        """Give the tags of a role, which become tags of its sessions."""
        role = iam_backends[self._account]["aws"].roles
        found = next((each for each in role.values() if each.arn == role_arn), None)
        return _listed(found.tags) if found is not None else {}

    def _from_moto(self, arn: str) -> Mapping[str, str]:
        service = arn.split(":")[2] if arn.startswith("arn:") else ""
        if service in ("sagemaker", "bedrock"):
            return {}  # those sources have answered; what they do not know does not exist
        if service == "dynamodb":
            tables = dynamodb_backends[self._account][self._region].tables
            table = tables.get(arn.rsplit("table/", 1)[-1].split("/", 1)[0])
            return _listed(table.tags) if table is not None else {}
        if service == "sqs":
            queue = sqs_backends[self._account][self._region].queues.get(arn.rsplit(":", 1)[-1])
            return dict(queue.tags) if queue is not None else {}
        if service == "states":
            machine = stepfunctions_parser_backends[self._account][self._region]
            return _listed(machine.tagger.list_tags_for_resource(arn)["Tags"])
        raise EvaluationError(f"the emulator does not know the tags of {arn}")


def _listed(tags: object) -> Mapping[str, str]:
    if isinstance(tags, Mapping):
        return {str(key): _value(value) for key, value in tags.items()}
    pairs = tags if isinstance(tags, list) else []
    return {_field(pair, "Key"): _field(pair, "Value") for pair in pairs}


def _value(value: object) -> str:
    return _field(value, "Value") if isinstance(value, Mapping) else str(value)


def _field(pair: Mapping[str, str], name: str) -> str:
    return pair.get(name) or pair.get(name.lower()) or ""
