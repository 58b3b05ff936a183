"""The child process of ``--backend litert``: checkpoint -> .tflite through litert-torch.

Run as ``python -m edgesr.convert.litert JOB.json``. The graph is litert-torch's own: our graph
rules are not asked of it.
"""

import importlib
import json
import sys
from pathlib import Path

from edgesr.convert.child import STEP


def convert_job(job_path: Path) -> None:
    """Makes the fp32 variant that a job asks for.

    Args:
        job_path: JSON with ``checkpoint`` (path), ``spec`` (arch, scale, options), ``size``
            (H, W) and ``out`` (an existing folder, which gets ``fp32.tflite``).
    """
    import torch

    from edgesr.models.checkpoint import load_checkpoint
    from edgesr.models.fold import fold

    job = json.loads(job_path.read_text(encoding="utf-8"))
    sys.stdout.write(f"{STEP}graph\n")
    litert_torch = importlib.import_module("litert_torch")
    deploy = fold(load_checkpoint(job["checkpoint"], **job["spec"]).model)
    nhwc = litert_torch.to_channel_last_io(deploy, args=[0], outputs=[0])
    sys.stdout.write(f"{STEP}fp32\n")
    converted = litert_torch.convert(nhwc.eval(), (torch.zeros(1, *job["size"], 3),))
    converted.export(str(Path(job["out"]) / "fp32.tflite"))


if __name__ == "__main__":
    convert_job(Path(sys.argv[1]))
