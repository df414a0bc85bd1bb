"""What a cluster cannot do for a run is told before anything is created there, together with everything else."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, TransientServiceError, WorkflowError
from tests.checks.checks_support import ROLE, refusal
from tests.planning.planning_clusters import P5, REWARD, Cluster, config, group, hyperpod, pod
from tests.planning.planning_world import World

RFT = config("RFT_LORA", {**hyperpod(4), "reward_function": REWARD})


def world(cluster: Cluster) -> World:
    found = World()
    found.clients = {"reach_cluster": cluster.reach, "speak_with": cluster.speak}
    return found


def problems(cluster: Cluster, settings: dict[str, Any] | None = None) -> list[str]:
    with pytest.raises(WorkflowError) as caught:
        world(cluster).plan(config=settings or config())
    return list(caught.value.problems)


def warnings(cluster: Cluster, settings: dict[str, Any] | None = None) -> list[str]:
    return list(world(cluster).plan(config=settings or config())["plan"]["warnings"])


def test_a_cluster_as_it_should_be_has_nothing_said_of_it() -> None:
    cluster = Cluster()
    assert [each for each in warnings(cluster) if "cluster" in each.lower()] == [
        'The quota "ml.p5.48xlarge for cluster usage" was not checked: Service Quotas lists none of that name.'
    ]
    assert [each["kind"] for each in cluster.created] == ["ConfigMap"]


@pytest.mark.parametrize(
    ("cluster", "settings", "message"),
    [
        (Cluster(exists=False), None, "There is no HyperPod cluster hp"),
        (Cluster(status="Updating"), None, "HyperPod cluster hp is Updating, not InService"),
        (Cluster(eks_name="other"), None, "is on EKS cluster other, and eks_cluster_name of its platform is hp"),
        (Cluster(namespaces=()), None, "has no namespace kubeflow (404)"),
        (Cluster(deny_all=True), None, "That may also be because there is no such namespace."),
        (
            Cluster(denied={("create", "pytorchjobs"), ("delete", "pytorchjobs"), ("list", "pods")}),
            None,
            "(create, delete pytorchjobs.kubeflow.org; list pods): have its admin apply what `nova hyperpod rbac "
            "--namespace kubeflow` prints",
        ),
        (Cluster(denied={("create", "statefulsets")}), RFT, "(create statefulsets.apps)"),
        (Cluster(failure=InvalidRequest("hp does not know the role (401)")), None, "does not know the role (401)"),
        (
            Cluster(groups=(group(instance_type="ml.p4d.24xlarge"),)),
            None,
            "training, evaluation-mmlu: HyperPod cluster hp has no restricted instance group of ml.p5.48xlarge; it "
            "has: ml.p4d.24xlarge",
        ),
        (
            Cluster(groups=(group(3),)),
            None,
            "training: it needs 4 x ml.p5.48xlarge, and the restricted instance groups",
        ),
        (
            Cluster(groups=(group(6),)),
            RFT,
            "training: it needs 7 x ml.p5.48xlarge (4 to train, 3 to generate and roll out), and the restricted",
        ),
    ],
)
def test_what_cannot_work_is_told(cluster: Cluster, settings: dict[str, Any] | None, message: str) -> None:
    found = problems(cluster, settings)
    assert len(found) == 1
    assert message in found[0]


def test_kinds_of_reinforcement_are_not_needed_without_it() -> None:
    assert warnings(Cluster(denied={("create", "statefulsets"), ("create", "secrets")}))


def test_everything_is_told_at_once() -> None:
    cluster = Cluster(status="Failed", groups=(group(1),), denied={("get", "configmaps")})
    found = problems(cluster, config(overrides={"no_such_value": 1}))
    assert len(found) == 4
    assert sum("no_such_value" in each for each in found) == 1


def test_a_cluster_that_does_not_answer_now_is_asked_again() -> None:
    cluster = Cluster(failure=TransientServiceError("the Kubernetes API cannot be reached"))
    with pytest.raises(TransientServiceError, match=r"^the Kubernetes API cannot be reached$"):
        world(cluster).plan(config=config())


def test_a_cluster_that_does_not_answer_now_hides_no_other_problem() -> None:
    cluster = Cluster(status="Updating", failure=TransientServiceError("the Kubernetes API cannot be reached"))
    of = world(cluster)
    of.quotas.values[f"{P5} for cluster usage"] = 2
    with pytest.raises(InvalidRequest) as caught:
        of.plan(config=config(overrides={"no_such_value": 1}))
    assert sum("no_such_value" in each for each in caught.value.problems) == 1
    assert sum("is Updating" in each for each in caught.value.problems) == 1
    assert caught.value.problems[-1] == "the Kubernetes API cannot be reached"
    assert len(caught.value.problems) == 3


def test_a_cluster_that_cannot_be_described_now_hides_no_other_problem() -> None:
    of = world(Cluster())

    def reach(_: str) -> Any:
        raise TransientServiceError("ThrottlingException: slow down")

    of.clients["reach_cluster"] = reach
    with pytest.raises(TransientServiceError, match=r"^ThrottlingException: slow down$"):
        of.plan(config=config())
    with pytest.raises(RecipeInvalid) as caught:
        of.plan(config=config(overrides={"no_such_value": 1}))
    assert caught.value.problems[1:] == ("ThrottlingException: slow down",)


def test_a_config_map_that_has_the_name_asked_about_is_no_problem() -> None:
    cluster = Cluster(existing=True)
    assert warnings(cluster)
    assert len(cluster.created) == 1


def test_instances_that_running_jobs_have_taken_are_a_warning() -> None:
    told = warnings(Cluster(groups=(group(5),), pods=[pod("node-1"), pod("node-2"), pod("node-3", "ml.p4d.24xlarge")]))
    assert any("have taken 2 of its 5 x ml.p5.48xlarge: a job that needs 4 will wait" in each for each in told)
    assert not any("have taken" in each for each in warnings(Cluster(groups=(group(6),), pods=[pod("node-1")])))


def test_services_of_reinforcement_without_instances_of_their_own_are_a_warning() -> None:
    told = warnings(Cluster(groups=(group(12),)), RFT)
    assert any(
        "training: with the services beside its replicas it may need 13 x ml.p5.48xlarge" in each for each in told
    )
    assert not any("services" in each for each in warnings(Cluster(groups=(group(13),)), RFT))


def test_evaluations_that_have_to_wait_for_each_other_are_a_warning() -> None:
    task = config()["evaluation"][0]
    settings = config(evaluation=[{**task, "task": name, "instance_count": 3} for name in ("mmlu", "bbh")])
    assert any(
        "run side by side and need 6 x ml.p5" in each for each in warnings(Cluster(groups=(group(4),)), settings)
    )


def test_a_group_that_is_not_in_service_is_a_warning() -> None:
    told = warnings(Cluster(groups=(group(status="Degraded"),)))
    assert "The instance group nova of HyperPod cluster hp is Degraded." in told


def test_a_quota_below_what_a_job_needs_is_a_warning() -> None:
    of = world(Cluster())
    of.quotas.values[f"{P5} for cluster usage"] = 2
    told = of.plan(config=config())["plan"]["warnings"]
    assert any("for cluster usage" in each and "is 2, and the run needs 4 instances" in each for each in told)


def test_the_role_of_the_instances_has_to_be_allowed_what_jobs_do() -> None:
    of = world(Cluster())
    of.iam.decide = lambda action, _resource, _context: (
        {"EvalDecision": "implicitDeny"} if action == "s3:PutObject" else {}
    )
    with pytest.raises(InvalidRequest) as caught:
        of.plan(config=config())
    [found] = caught.value.problems
    assert found.startswith(f"The execution role {ROLE} cannot write below s3://artifacts-bucket/runs/run-1/jobs")


def test_no_training_job_is_looked_for() -> None:
    of = world(Cluster())
    of.plan(config=config())
    assert not any("recipe" in resource for _, resource in of.iam.asked)
    assert not any(action.startswith(("ecr:", "logs:")) for action, _ in of.iam.asked)


def test_a_reward_function_that_is_not_there_is_told() -> None:
    of = world(Cluster())
    of.functions.error = refusal("ResourceNotFoundException", "GetFunctionConfiguration", 404)
    with pytest.raises(InvalidRequest, match=f"{REWARD} does not exist"):
        of.plan(config=RFT)
