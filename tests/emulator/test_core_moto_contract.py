"""Each part of moto that the emulator replaces or relies on exists and has the signature it expects.

A failure here means that moto's version changed: look at the patch that is named, then change the expectation.
"""

from __future__ import annotations

import importlib
import inspect

import pytest

PARSER = "moto.stepfunctions.parser"
TASK = f"{PARSER}.asl.component.state.exec.state_task"
MAP = f"{PARSER}.asl.component.state.exec.state_map"
SIGNATURES = {
    "moto.awslambda.models:LambdaFunction.invoke": "self body request_headers response_headers",
    "moto.awslambda.models:LambdaFunction.__init__": "self account_id spec region version",
    "moto.awslambda.models:LambdaFunction.update_configuration": "self config_updates",
    "moto.awslambda.models:LambdaFunction.get_configuration": "self on_create",
    "moto.awslambda.models:LambdaBackend.create_event_source_mapping": "self spec",
    "moto.awslambda.models:LambdaBackend.send_dynamodb_items": "self function_arn items source",
    "moto.awslambda.models:LambdaStorage.publish_version": "self name_or_arn description",
    "moto.cloudformation.parsing:ResourceMap.create": "self template",
    "moto.cloudformation.parsing:ResourceMap.update": "self template parameters",
    "moto.cloudformation.parsing:ResourceMap.delete": "self",
    "moto.cloudformation.parsing:ResourceMap.load": "self",
    "moto.cloudformation.parsing:ResourceMap.validate_outputs": "self",
    "moto.cloudformation.parsing:clean_json": "resource_json resources_map",
    "moto.cloudformation.models:Stack.parse_template": "template",
    "moto.cloudformation.models:Stack._create_output_map": "self",
    "moto.cloudformation.models:ChangeSet.apply": "self",
    "moto.core.loaders:create_loader": "",
    "moto.core.serialize:AttributePicker.__call__": "self context",
    "moto.core.serialize:XFormedAttributePicker.get_possible_keys": "self context",
    "moto.core.utils:method_names_from_class": "clazz",
    "moto.moto_server.werkzeug_app:DomainDispatcherApplication.get_backend_for_host": "self host",
    "moto.core.routing:get_service_router": "service_name",
    "moto.core.utils:get_service_model": "service_name",
    "moto.core.base_backend:BackendDict.reset": "",
    "moto.core.model_instances:reset_model_data": "",
    "moto.events.models:Rule.send_to_targets": "self original_event transform_input",
    "moto.events.models:EventsBackend.put_rule": (
        "self name description event_bus_arn event_pattern role_arn scheduled_expression state managed_by tags"
    ),
    "moto.events.models:EventsBackend.delete_rule": "self name event_bus_arn",
    "moto.events.models:EventsBackend.describe_rule": "self name event_bus_arn",
    "moto.events.models:EventsBackend.enable_rule": "self name event_bus_arn",
    "moto.events.models:EventsBackend.disable_rule": "self name event_bus_arn",
    "moto.s3.notifications:_send_event_bridge_message": "account_id bucket event_name key",
    "moto.s3.notifications:_detail_type": "event_name",
    "moto.scheduler.models:EventBridgeSchedulerBackend.delete_schedule": "self group_name name",
    "moto.scheduler.models:EventBridgeSchedulerBackend.get_schedule": "self group_name name",
    f"{PARSER}.asl.parse.asl_parser:AmazonStateLanguageParser.parse": "definition",
    f"{PARSER}.asl.parse.preprocessor:Preprocessor.visit": "self tree",
    f"{PARSER}.models:StepFunctionsParserBackend.start_execution": (
        "self state_machine_arn name execution_input trace_header"
    ),
    f"{PARSER}.models:StepFunctionsParserBackend.send_task_success": "self task_token outcome",
    f"{PARSER}.models:StepFunctionsParserBackend.send_task_failure": "self task_token error cause",
    f"{PARSER}.models:StepFunctionsParserBackend.send_task_heartbeat": "self task_token",
    f"{PARSER}.models:StepFunctionsParserBackend._validate_definition": "definition",
    f"{PARSER}.models:StepFunctionsParserBackend.describe_execution": "self execution_arn",
    f"{PARSER}.backend.execution:Execution.__init__": (
        "self name sm_type role_arn exec_arn account_id region_name state_machine start_date"
        " cloud_watch_logging_session activity_store input_data trace_header"
    ),
    f"{PARSER}.backend.execution:Execution.start": "self",
    f"{PARSER}.backend.execution:Execution.get_start_execution_details": "self",
    f"{PARSER}.backend.execution:BaseExecutionWorkerCommunication.terminated": "self",
    f"{PARSER}.backend.execution:BaseExecutionWorkerCommunication._reflect_execution_status": "self",
    f"{PARSER}.asl.eval.event.event_manager:EventManager.add_event": (
        "self context event_type event_details timestamp update_source_event_id"
    ),
    f"{PARSER}.asl.eval.environment:Environment.__init__": (
        "self aws_execution_details execution_type context event_history_context cloud_watch_logging_session"
        " activity_store variable_store mock_test_case"
    ),
    f"{PARSER}.asl.eval.environment:Environment.set_stop": "self stop_date cause error",
    f"{PARSER}.asl.eval.environment:Environment.set_error": "self error",
    f"{PARSER}.asl.eval.environment:Environment.open_frame": "self event_history_context",
    f"{PARSER}.asl.eval.environment:Environment.delete_frame": "self frame",
    f"{PARSER}.asl.eval.evaluation_details:AWSExecutionDetails.__init__": "self account region role_arn",
    f"{PARSER}.asl.utils.json_path:extract_json": "path data",
    f"{PARSER}.asl.component.state.exec.execute_state:ExecutionState._evaluate_with_timeout": "self env",
    f"{PARSER}.asl.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval": (
        "self env wait_seconds"
    ),
    f"{PARSER}.asl.component.common.error_name.error_equals_decl:ErrorEqualsDecl._eval_body": "self env",
    f"{PARSER}.asl.utils.boto_client:boto_client_for": "region service state_credentials",
    f"{MAP}.iteration.distributed_iteration_component:DistributedIterationComponent._eval_body": "self env",
    f"{MAP}.iteration.distributed_iteration_component:DistributedIterationComponent._get_iteration_program": "self",
    f"{MAP}.iteration.distributed_iteration_component:DistributedIterationComponentEvalInput.__init__": (
        "self state_name max_concurrency input_items parameters item_selector item_reader tolerated_failure_count"
        " tolerated_failure_percentage label map_run_record"
    ),
    f"{MAP}.iteration.itemprocessor.map_run_record:MapRunRecord.set_stop": "self status",
    f"{MAP}.item_reader.item_reader_decl:resource_output_transformer_for": "input_type",
    f"{TASK}.state_task:StateTask._eval_state_credentials": "self env",
    f"{TASK}.state_task_lambda:StateTaskLambda._from_error": "self env ex",
    f"{TASK}.service.state_task_service:StateTaskService._normalise_parameters": (
        "self parameters boto_service_name service_action_name"
    ),
    f"{TASK}.service.state_task_service:StateTaskService._normalise_response": (
        "self response boto_service_name service_action_name"
    ),
    f"{TASK}.service.state_task_service:StateTaskService._before_eval_execution": (
        "self env resource_runtime_part raw_parameters state_credentials"
    ),
    f"{TASK}.service.state_task_service:StateTaskService._to_boto_request": "self parameters structure_shape",
    f"{TASK}.service.state_task_service:StateTaskService._from_boto_response": "self response structure_shape",
    f"{TASK}.service.state_task_service_callback:StateTaskServiceCallback._eval_wait_for_task_token": (
        "self env timeout_seconds callback_endpoint heartbeat_endpoint"
    ),
    f"{TASK}.service.state_task_service_lambda:StateTaskServiceLambda._from_error": "self env ex",
    "moto.stepfunctions.responses:StepFunctionResponse.list_executions": "self",
    "moto.stepfunctions.responses:StepFunctionResponse.stop_execution": "self",
    "moto.stepfunctions.responses:StepFunctionResponse.describe_execution": "self",
    "moto.stepfunctions.responses:StepFunctionResponse.send_task_failure": "self",
    "moto.cloudwatch.models:CloudWatchBackend.delete_alarms": "self alarm_names",
    "moto.cloudwatch.models:CloudWatchBackend.set_alarm_state": "self alarm_name reason reason_data state_value",
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_data": "self namespace metric_data",
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm": (
        "self name namespace metric_name comparison_operator evaluation_periods period threshold"
        " statistic description dimensions alarm_actions metric_data_queries datapoints_to_alarm"
        " extended_statistic ok_actions insufficient_data_actions unit actions_enabled treat_missing_data"
        " evaluate_low_sample_count_percentile threshold_metric_id rule tags"
    ),
    "botocore.loaders:JSONFileLoader.load_file": "self file_path",
}


def _find(path: str):
    module, _, names = path.partition(":")
    found = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("path", SIGNATURES)
def test_the_signature_is_the_expected_one(path):
    assert list(inspect.signature(_find(path)).parameters) == SIGNATURES[path].split()


@pytest.mark.parametrize(
    "path",
    [
        "moto.stepfunctions.models:stepfunctions_backends",
        f"{PARSER}.models:stepfunctions_parser_backends",
        f"{PARSER}.utils:TMP_THREADS",
        f"{MAP}.item_reader.reader_config.input_type:InputTypeValue",
        f"{PARSER}.asl.component.common.error_name.custom_error_name:ILLEGAL_CUSTOM_ERROR_PREFIX",
        f"{TASK}.service.state_task_service_aws_sdk:_SERVICE_ERROR_NAMES",
        "moto.moto_server.werkzeug_app:DomainDispatcherApplication",
        "moto.moto_server.werkzeug_app:MotoRequestHandler",
        "moto.core.config:default_user_config",
        "moto.cloudwatch.models:cloudwatch_backends",
        "moto.sqs.models:Queue.approximate_number_of_messages",
    ],
)
def test_the_name_exists(path):
    _find(path)


@pytest.mark.parametrize("name", ["create_schedule", "update_schedule"])
def test_schedules_are_made_from_keywords_and_returned(name):
    from moto.scheduler.models import EventBridgeSchedulerBackend

    method = getattr(EventBridgeSchedulerBackend, name)
    assert inspect.signature(method).return_annotation in {"Schedule", EventBridgeSchedulerBackend} or callable(method)
    assert {"name", "schedule_expression", "target", "state"} <= set(inspect.signature(method).parameters)


@pytest.mark.parametrize(
    ("path", "attribute"),
    [
        (f"{PARSER}.asl.component.state.exec.execute_state:threading", "Event"),
        (f"{PARSER}.asl.component.program.program:threading", "Thread"),
        (f"{PARSER}.asl.component.common.retry.retrier_decl:time", "sleep"),
        (f"{PARSER}.asl.eval.event.event_manager:datetime", "datetime"),
        (f"{PARSER}.asl.component.state.exec.state_parallel.branches_decl:threading", "Event"),
        ("moto.core.utils:datetime", "datetime"),
    ],
)
def test_the_interpreter_takes_time_from_modules_that_can_be_stood_in_for(path, attribute):
    assert hasattr(_find(path), attribute)
