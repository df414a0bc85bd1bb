"""Time the seed SDK on one file; runs under the interpreter in which that SDK is installed and imports nothing of ours.

It loads, transforms, validates and saves, as its README does; logging is off, imports are not counted.
"""

import json
import logging
import os
import sys
import time

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # its import asks for one; nothing is sent

from amzn_nova_customization_sdk import JSONLDatasetLoader, Model, TrainingMethod


def main() -> None:
    """Print `rows` and `seconds`."""
    source, target = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    start = time.perf_counter()
    loader = JSONLDatasetLoader(question="question", answer="answer")
    loader.load(source)
    loader.transform(method=TrainingMethod.SFT_LORA, model=Model.NOVA_LITE_2)
    loader.validate(method=TrainingMethod.SFT_LORA, model=Model.NOVA_LITE_2)
    loader.save_data(target)
    seconds = time.perf_counter() - start
    print(json.dumps({"rows": len(loader.transformed_dataset), "seconds": seconds}))


if __name__ == "__main__":
    main()
