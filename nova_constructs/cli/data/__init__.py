"""`nova data`: one file per command.

options.py    what the commands take, and the preparation that it describes
command.py    the class of these commands
places.py     local files or S3: which functions do the work
report.py     what is printed about a preparation; bar.py shows how far it is
"""

from __future__ import annotations

import click

from nova_constructs.cli.data.convert import convert
from nova_constructs.cli.data.prepare import prepare
from nova_constructs.cli.data.show import show
from nova_constructs.cli.data.validate import validate
from nova_constructs.cli.root import CONTEXT_SETTINGS


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova data show train.csv
  nova data prepare train.csv --model NOVA_LITE_2 --method SFT_LORA --columns question=q,answer=a --output prepared
  nova data validate prepared/train.jsonl --model NOVA_LITE_2 --method SFT_LORA
  nova data convert chats.jsonl --to openai --output converted
""",
)
def data() -> None:
    """Prepare, validate, show and convert datasets: JSON lines, JSON and CSV, also gzipped, local or on S3.

    On local files nothing is sent anywhere. For s3:// addresses, credentials, region and endpoint are those of boto3.
    """


for _command in (prepare, validate, show, convert):
    data.add_command(_command)
