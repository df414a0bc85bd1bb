"""Access entries of Amazon EKS clusters."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties, only, tag_map, words


class AccessEntry(Kind):
    type = "AWS::EKS::AccessEntry"
    applied = words("ClusterName PrincipalArn KubernetesGroups Username Type Tags")
    replaced_by = words("ClusterName PrincipalArn Type")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request: dict[str, Any] = {}
        if tags := tag_map(properties):
            request["tags"] = tags
        made = aws.eks.create_access_entry(
            clusterName=properties["ClusterName"],
            principalArn=properties["PrincipalArn"],
            **_lowered(only(properties, "KubernetesGroups Username Type")),
            **request,
        )["accessEntry"]
        return Made(
            physical_id=f"{properties['PrincipalArn']}|{properties['ClusterName']}",
            attributes={"AccessEntryArn": made["accessEntryArn"]},
        )

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.eks.update_access_entry(
            clusterName=properties["ClusterName"],
            principalArn=properties["PrincipalArn"],
            **{"kubernetesGroups": [], **_lowered(only(properties, "KubernetesGroups Username"))},
        )
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.eks.delete_access_entry(clusterName=properties["ClusterName"], principalArn=properties["PrincipalArn"])

    @override
    def problems(self, properties: Properties) -> list[str]:
        kind = properties.get("Type", "STANDARD")
        return [] if kind == "STANDARD" else [f"Type {kind}"]


def _lowered(properties: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in properties.items()}


KINDS: tuple[Kind, ...] = (AccessEntry(),)
