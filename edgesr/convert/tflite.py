"""The child process: ONNX -> .tflite, the only place that imports onnx2tf and tensorflow.

Run as ``python -m edgesr.convert.tflite JOB.json``, in a folder of its own. All variants of a
checkpoint are made by one child, because importing tensorflow takes longer than converting.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesr.convert.child import STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.float32]

_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def convert_job(job_path: Path) -> None:
    """Makes the variants that a job asks for.

    Args:
        job_path: JSON with ``onnx`` (a file with one input 1, 3, H, W), ``calibration`` (an .npy
            of float32 N, H, W, 3 in [0, 1]), ``variants`` and ``out`` (an existing folder, which
            gets one ``<variant>.tflite`` each).
    """
    job = json.loads(job_path.read_text(encoding="utf-8"))
    images = np.load(job["calibration"])
    write_sample(images, Path(_SAMPLE))
    _say("graph")
    saved_model = _saved_model(job["onnx"])
    made: dict[str, bytes] = {}
    for variant in job["variants"]:
        _say(variant)
        made[variant] = _VARIANTS[variant](saved_model, images, made)
        (Path(job["out"]) / f"{variant}.tflite").write_bytes(made[variant])


def write_sample(images: "Images", path: Path) -> None:
    """Writes the file of 20 images, 128x128, that onnx2tf would otherwise download.

    Args:
        images: N, H, W, 3 in [0, 1]; repeated and edge-padded as needed.
        path: Where onnx2tf looks: its name, in the working directory.
    """
    tall, wide = (max(0, 128 - size) for size in images.shape[1:3])
    padded = np.pad(images, ((0, 0), (0, tall), (0, wide), (0, 0)), mode="symmetric")
    np.save(path, np.resize(padded[:, :128, :128], (20, 128, 128, 3)).astype(np.float32))


def _saved_model(onnx: str) -> str:
    import onnx2tf  # type: ignore[import-untyped]

    onnx2tf.convert(
        input_onnx_file_path=onnx,
        output_folder_path="saved_model",
        output_signaturedefs=True,
        not_use_onnxsim=True,
        non_verbose=True,
    )
    return "saved_model"


def _converter(saved_model: str) -> Any:
    import tensorflow as tf  # type: ignore[import-untyped]

    return tf.lite.TFLiteConverter.from_saved_model(saved_model)


def _fp32(saved_model: str, _images: "Images", _made: dict[str, bytes]) -> bytes:
    return bytes(_converter(saved_model).convert())


def _fp16(saved_model: str, _images: "Images", _made: dict[str, bytes]) -> bytes:
    import tensorflow as tf

    converter = _converter(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _dynamic(saved_model: str, _images: "Images", _made: dict[str, bytes]) -> bytes:
    import tensorflow as tf

    converter = _converter(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())


def _int16x8(saved_model: str, images: "Images", _made: dict[str, bytes]) -> bytes:
    """int16 between operations, int8 weights, int64 biases.

    What has no int16 kernel (DEPTH_TO_SPACE) or none that the converter knows (PRELU) stays float,
    between a DEQUANTIZE and a QUANTIZE. Source: TensorFlow's guide to post-training quantization,
    "16-bit activations with 8-bit weights".
    """
    import tensorflow as tf

    def samples() -> Iterator[list[Any]]:
        for image in images:
            yield [image[np.newaxis]]

    sets, converter = tf.lite.OpsSet, _converter(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [
        sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        sets.TFLITE_BUILTINS,
    ]
    converter.representative_dataset = samples
    return bytes(converter.convert())


_VARIANTS: dict[str, Callable[[str, "Images", dict[str, bytes]], bytes]] = {
    "fp32": _fp32,
    "fp16": _fp16,
    "dynamic": _dynamic,
    "16x8": _int16x8,
}


def _say(step: str) -> None:
    sys.stdout.write(f"{STEP}{step}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    convert_job(Path(sys.argv[1]))
