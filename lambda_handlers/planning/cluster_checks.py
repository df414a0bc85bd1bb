"""Check the HyperPod clusters of a run before anything is created there: the cluster, access, room, roles and quotas.

What the cluster itself has to be asked goes by the same client, under the same access entry and in the same group, as
the jobs will.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog import Technique, clusters
from lambda_handlers.checks import function, quota, role
from lambda_handlers.checks.role_needs import instance_role_needs
from lambda_handlers.hyperpod import capacity, rbac
from lambda_handlers.hyperpod.access import ClusterAccess, RestrictedGroup, status_problem
from lambda_handlers.hyperpod.api import KubernetesApi, ObjectExists
from lambda_handlers.jobs.choices import instances_of, on_hyperpod
from lambda_handlers.planning.account_checks import inputs_of, jobs_of
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.modes import Mode
from lambda_handlers.planning.planned_objects import objects_of_job
from lambda_handlers.planning.resource_checks import Job, functions_of
from lambda_handlers.planning.training_checks import TRAINING
from lambda_handlers.training.recipe import ResolvedRecipe

Recipes = Mapping[str, ResolvedRecipe]
_PROBE: Final = "nova-constructs-check"


def check_clusters(context: RunContext, mode: Mode, recipes: Recipes) -> None:
    """Note what of a run's clusters does not fit its jobs; `recipes` are theirs by stage.

    A cluster that gives no answer now is noted as such, so that it does not hide what else is wrong.
    """
    jobs = [job for job in jobs_of(context.config, mode) if on_hyperpod(job[1])]
    _check_rewards(context, jobs)
    for stage, settings in jobs:
        if stage in recipes:
            with context.findings.checking(stage):
                objects_of_job(settings, recipes[stage], context.places, context.places.output_uri(context.run_id))
    for arn in functions_of(jobs):
        mark = function.check(context.findings, context.account.functions, arn, context.places.region)
        context.functions[arn] = mark
    for name in dict.fromkeys(settings["cluster_name"] for _, settings in jobs):
        here = [job for job in jobs if job[1]["cluster_name"] == name]
        with context.findings.checking(), context.findings.asking():
            _check_cluster(context, mode, name, here, recipes)


def _check_rewards(context: RunContext, jobs: Iterable[Job]) -> None:
    for stage, settings in jobs:
        arn = settings.get("reward_function")
        if arn and clusters.REWARD_WORD not in str(arn).split(":")[6]:
            context.findings.problem(
                f"{stage}: the reward function {arn} cannot be called by a job on HyperPod, which calls only functions "
                f"with {clusters.REWARD_WORD} (in these letters) in their name: give it such a name"
            )


def _check_cluster(context: RunContext, mode: Mode, name: str, jobs: Sequence[Job], recipes: Recipes) -> None:
    access = context.account.reach_cluster(name)
    if problem := status_problem(access):
        context.findings.problem(problem)
    for expected in dict.fromkeys(settings["eks_cluster_name"] for _, settings in jobs):
        if access.eks_cluster_name != expected:
            context.findings.problem(
                f"HyperPod cluster {name} is on EKS cluster {access.eks_cluster_name}, and eks_cluster_name of its "
                f"platform is {expected}: the functions have no access there; give {access.eks_cluster_name} and deploy"
            )
            return
    _check_roles(context, mode, access, jobs)
    _check_quotas(context, jobs, recipes)
    api = context.account.speak_with(access)
    for namespace in dict.fromkeys(settings["namespace"] for _, settings in jobs):
        here = [job for job in jobs if job[1]["namespace"] == namespace]
        with context.findings.checking():
            if _check_access(context, api, namespace, here):
                _check_room(context, api, namespace, here, recipes)


def _check_access(context: RunContext, api: KubernetesApi, namespace: str, jobs: Sequence[Job]) -> bool:
    """Note what the functions may not do in a namespace, and whether there is one; return whether pods may be seen."""
    needed = rbac.rules(reinforcement=any(_reinforces(context, stage) for stage, _ in jobs))
    missing = {
        rule: [verb for verb in rule.verbs if not api.review(verb, rule.group, rule.resource, namespace)]
        for rule in needed
    }
    denied = {str(rule): verbs for rule, verbs in missing.items() if verbs}
    if denied:
        context.findings.problem(_denied(api.access, namespace, denied, nothing=len(denied) == len(needed)))
    if "configmaps" not in denied:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _PROBE, "namespace": namespace}}
        # Nothing is created: the API looks whether it could be, and says so where there is no such namespace.
        with suppress(ObjectExists):
            api.create(body, dry_run=True)
    return "pods" not in denied


def _denied(access: ClusterAccess, namespace: str, denied: Mapping[str, Sequence[str]], *, nothing: bool) -> str:
    listed = "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in denied.items())
    where = f"namespace {namespace} of HyperPod cluster {access.cluster_name}"
    advice = f"have its admin apply what `nova hyperpod rbac --namespace {namespace}` prints"
    there = " That may also be because there is no such namespace." if nothing else ""
    return f"The functions may not do in {where} what jobs need ({listed}): {advice}.{there}"


def _reinforces(context: RunContext, stage: str) -> bool:
    methods = {TRAINING: context.config["method"]} | {
        f"{TRAINING}-{each['name']}": each["method"] for each in context.config.get("further_training") or ()
    }
    return stage in methods and catalog.method(methods[stage]).technique is Technique.RFT


def _check_room(context: RunContext, api: KubernetesApi, namespace: str, jobs: Sequence[Job], recipes: Recipes) -> None:
    for kind in dict.fromkeys(instances_of(settings).type for _, settings in jobs):
        here = [job for job in jobs if instances_of(job[1]).type == kind]
        groups = [group for group in api.access.restricted_groups if group.instance_type == kind]
        if not groups:
            context.findings.problem(_no_group(api.access, kind, here))
            continue
        total = capacity.available(api.access, kind)
        for group in groups:
            if group.status != clusters.IN_SERVICE:
                context.findings.warn(f"The instance group {_named(api.access, group)} is {group.status}.")
        _check_sizes(context, api.access, kind, total, here, recipes)
        taken = min(capacity.taken(api, namespace, kind), total)
        most = max(_replicas(settings, recipes.get(stage)) for stage, settings in here)
        if taken and total - taken < most <= total:
            context.findings.warn(
                f"Jobs that run in HyperPod cluster {api.access.cluster_name} have taken {taken} of its {total} x "
                f"{kind}: a job that needs {most} will wait until they end."
            )


def _check_sizes(
    context: RunContext, access: ClusterAccess, kind: str, total: int, jobs: Sequence[Job], recipes: Recipes
) -> None:
    beside: dict[str, int] = {}
    for stage, settings in jobs:
        recipe = recipes.get(stage)
        needed = _replicas(settings, recipe)
        whole = clusters.footprint(recipe.recipe.values, instances_of(settings).count) if recipe else needed
        if needed > total:
            context.findings.problem(
                f"{stage}: it needs {needed} x {kind}{_of_which(settings, needed)}, and the restricted instance groups "
                f"of HyperPod cluster {access.cluster_name} have {total}: ask for fewer, or let the cluster have more"
            )
        elif whole > total:
            context.findings.warn(
                f"{stage}: with the services beside its replicas it may need {whole} x {kind}, and HyperPod cluster "
                f"{access.cluster_name} has {total}; services may share instances."
            )
        if not stage.startswith(TRAINING):
            beside[stage] = needed
    if sum(beside.values()) > total >= max(beside.values(), default=0):
        context.findings.warn(
            f"{', '.join(beside)} run side by side and need {sum(beside.values())} x {kind} together, and HyperPod "
            f"cluster {access.cluster_name} has {total}: some will wait for others."
        )


def _replicas(settings: Mapping[str, Any], recipe: ResolvedRecipe | None) -> int:
    count = instances_of(settings).count
    return clusters.replicas_of(recipe.recipe.values, count) if recipe else count


def _of_which(settings: Mapping[str, Any], needed: int) -> str:
    count = instances_of(settings).count
    return f" ({count} to train, {needed - count} to generate and roll out)" if needed > count else ""


def _no_group(access: ClusterAccess, kind: str, jobs: Sequence[Job]) -> str:
    has = ", ".join(sorted({group.instance_type for group in access.restricted_groups})) or "none"
    return (
        f"{', '.join(stage for stage, _ in jobs)}: HyperPod cluster {access.cluster_name} has no restricted instance "
        f"group of {kind}; it has: {has}"
    )


def _named(access: ClusterAccess, group: RestrictedGroup) -> str:
    return f"{group.name} of HyperPod cluster {access.cluster_name}"


def _check_roles(context: RunContext, mode: Mode, access: ClusterAccess, jobs: Sequence[Job]) -> None:
    """Note what the roles of the instances cannot do that jobs do under them."""
    types = {instances_of(settings).type for _, settings in jobs}
    groups = [group for group in access.restricted_groups if group.instance_type in types and group.execution_role]
    places = context.places
    for arn in dict.fromkeys(group.execution_role for group in groups):
        needs = instance_role_needs(
            role_arn=arn,
            inputs=inputs_of(context, mode, jobs, recipes=False),
            output_uri=places.output_uri(context.run_id),
            key_arn=places.key_arn,
            functions=functions_of(jobs),
        )
        role.check(context.findings, context.account.iam, role_arn=arn, needs=needs)


def _check_quotas(context: RunContext, jobs: Sequence[Job], recipes: Recipes) -> None:
    wanted: dict[str, int] = {}
    for stage, settings in jobs:
        name = clusters.usage_quota(instances_of(settings).type)
        wanted[name] = max(wanted.get(name, 0), _replicas(settings, recipes.get(stage)))
    quota.check(context.findings, context.account.service_quotas, {}, advised=wanted)
