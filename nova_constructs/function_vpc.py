"""A function in a VPC of yours, with what its role needs for the network interfaces that Lambda makes with it.

Source: AWS managed policy AWSLambdaVPCAccessExecutionRole, and Lambda Developer Guide, "Giving Lambda functions access
to resources in an Amazon VPC": describing needs every resource, deleting every interface, whose id nobody knows before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

from nova_constructs.handler_function import HandlerFunction


def place(function: HandlerFunction, vpc: Mapping[str, Sequence[str]]) -> None:
    """Put a function into a VPC: `subnets` and `security_groups` by id."""
    # By the ids alone: the CDK's own way wants the VPC and attaches a managed policy.
    inner = function.function.node.default_child
    assert isinstance(inner, lambda_.CfnFunction)
    inner.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(vpc["subnets"]), security_group_ids=list(vpc["security_groups"])
    )
    stack = Stack.of(function)
    # A shared subnet and its interfaces' security groups may belong to another account.
    ec2 = f"arn:{stack.partition}:ec2:{stack.region}:*"
    subnets = [f"{ec2}:subnet/{name}" for name in vpc["subnets"]]
    groups = [f"{ec2}:security-group/{name}" for name in vpc["security_groups"]]
    interfaces = f"{ec2}:network-interface/*"
    function.allow("CreateInterfaces", ["ec2:CreateNetworkInterface"], [*subnets, *groups, interfaces])
    use = ("DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
    function.allow("UseInterfaces", [f"ec2:{action}" for action in use], [interfaces])
    # Describing has no resource form (Service Authorization Reference, Amazon EC2).
    function.allow("SeeInterfaces", ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"], ["*"])
