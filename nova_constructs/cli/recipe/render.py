"""`nova recipe render`."""

from __future__ import annotations

from typing import Any

import click

from lambda_handlers import recipes
from lambda_handlers.recipes import OwnRecipe, Recipe, hub
from lambda_handlers.recipes.finding import FoundRecipe, find
from nova_constructs.cli import output
from nova_constructs.cli.json_command import JsonCommand
from nova_constructs.cli.recipe.own import read_own
from nova_constructs.cli.recipe.request import RecipeRequest, parse_request
from nova_constructs.cli.recipe.sources import HubName, HubSource, open_hub
from nova_constructs.cli.settings import parse_settings


@click.command(
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova recipe render --model NOVA_LITE_2 --method SFT_LORA --set max_steps=200 --set lr=2e-5
  nova recipe render --model NOVA_MICRO --method SFT_LORA --instance-type ml.g5.12xlarge --hub bundled
  nova recipe render --model NOVA_LITE_2 --method SFT_LORA --recipe mine.yaml
  nova recipe render --model NOVA_LITE_2 --method EVALUATION --task mmlu --json

\b
Exit codes: 0 rendered, 1 AWS could not be asked, 2 bad input (unknown keys and values out of bounds too).
""",
)
@click.option("--model", required=True, help="Model, such as NOVA_LITE_2.")
@click.option("--method", required=True, help="SFT_LORA, SFT_FULL, RFT_LORA, RFT_FULL, CPT or EVALUATION.")
@click.option("--platform", default="SMTJ", show_default=True, help="SMTJ (training jobs) or SMHP (HyperPod).")
@click.option("--task", help="With EVALUATION: mmlu, gen_qa, rft_eval, …")
@click.option("--subtask", help="A part of the task, such as college_physics of mmlu.")
@click.option("--instance-type", help="Choose the recipe for it, such as ml.p5.48xlarge; by default the hub's first.")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Set a value by its key, its parameter's name or its path; read as YAML. Repeatable.",
)
@click.option(
    "--recipe",
    "own_place",
    metavar="FILE|S3URI",
    help="Your own recipe: its values go before the template's, its further keys are kept.",
)
@click.option(
    "--hub",
    "hub_name",
    type=click.Choice(["aws", "bundled"]),
    help="Where recipes come from: the public hub, or the snapshot that comes with nova. "
    "[default: aws where credentials or an endpoint are set, else bundled]",
)
@click.option("--hub-content-version", metavar="VERSION", help="Pin the hub's content, such as 1.0.20.")
@output.json_option
def render(
    model: str,
    method: str,
    platform: str,
    task: str | None,
    subtask: str | None,
    instance_type: str | None,
    settings: tuple[str, ...],
    own_place: str | None,
    hub_name: HubName | None,
    hub_content_version: str | None,
    as_json: bool,
) -> int:
    """Print the recipe of a method or an evaluation task as YAML.

    Values that only a run knows, such as the place of its data, are the template's defaults.
    """
    request = parse_request(
        model=model, method=method, platform=platform, task=task, subtask=subtask, instance_type=instance_type
    )
    overrides = parse_settings(settings, example="max_steps=200")
    own = read_own(own_place) if own_place is not None else None
    source = open_hub(hub_name)
    content = hub.fetch(source.sagemaker, request.model, hub_content_version)
    found = find(source.s3, content, request.work, request.platform, request.instance_type)
    _say(source, content, found)
    rendered = _rendered(request, found.template, overrides, own)
    for warning in rendered.warnings:
        click.echo(f"Warning: {output.harmless(warning)}", err=True)
    if as_json:
        output.print_json(_document(source, content, found, rendered))
    else:
        click.echo(rendered.yaml_text, nl=False)
    return 0


def _rendered(
    request: RecipeRequest, template: hub.RecipeTemplate, overrides: dict[str, Any], own: OwnRecipe | None
) -> Recipe:
    arguments = recipes.arguments_before_a_run(
        model=request.model, work=request.work, spec=template.spec, subtask=request.subtask
    )
    return recipes.render(template.template, template.spec, arguments, overrides, own)


def _say(source: HubSource, content: hub.HubContent, found: FoundRecipe) -> None:
    types = ", ".join(found.entry.instance_types) or "any instance type"
    aside = "" if found.from_hub else " (the public recipe: the hub has none)"
    click.echo(f"Hub: {source.name} ({source.why}), content version {content.version}", err=True)
    click.echo(f"Recipe: {found.entry.name}, for {types}{aside}", err=True)


def _document(source: HubSource, content: hub.HubContent, found: FoundRecipe, rendered: Recipe) -> dict[str, Any]:
    return {
        "hub": source.name,
        "hub_content_version": content.version,
        "from_hub": found.from_hub,
        "recipe_name": found.entry.name,
        "instance_types": list(found.entry.instance_types),
        "image_uri": found.entry.image_uri,
        "sha256": rendered.sha256,
        "recipe": rendered.values,
        "warnings": list(rendered.warnings),
    }
