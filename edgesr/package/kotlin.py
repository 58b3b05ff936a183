"""One Kotlin class that loads the packaged model as it was chosen, and checks its pixels.

Nothing foreign reaches it but names that `text.folder_name` and `choice.split_delegate` let pass.
"""

from importlib import resources
from string import Template

from edgesr import __version__
from edgesr.package.choice import Delegate, RunWith, split_delegate
from edgesr.package.golden import Difference
from edgesr.package.model import Picture
from edgesr.package.text import identifier

FILE = "EdgesrUpscaler.kt"

_GPU_IMPORTS = """\
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory"""
_NNAPI_IMPORTS = "import org.tensorflow.lite.nnapi.NnApiDelegate"

_CPU_OPTIONS = """\
    private fun options(): Interpreter.Options = onCpu(xnnpack = $xnnpack)"""
_GPU_OPTIONS = """\
    private fun options(): Interpreter.Options {
        val known = CompatibilityList().use { it.isDelegateSupportedOnThisDevice }
        if (!known) {
            fallBack("the GPU delegate's list of devices does not name this one")
            return onCpu(xnnpack = true)
        }
        val gpu = GpuDelegateFactory.Options()
            .setPrecisionLossAllowed($half)$backend
        val created = GpuDelegate(gpu)
        accelerator = created
        return onCpu(xnnpack = false).addDelegate(created)  // as it was measured
    }"""
_BACKEND = """
            .setForceBackend(GpuDelegateFactory.Options.GpuBackend.$name)"""
_NNAPI_OPTIONS = """\
    // Android 15 deprecates NNAPI: measure xnnpack and gpu on such devices, and choose one of them.
    private fun options(): Interpreter.Options {
        val created = NnApiDelegate(NnApiDelegate.Options()$accelerator)
        accelerator = created
        return onCpu(xnnpack = false).addDelegate(created)
    }"""

_FLOAT_PUT = """\
    private fun put(byte: Int) {
        given.putFloat(byte / 255f)
    }"""
_INTEGER_PUT = """\
    private fun put(byte: Int) {
        given.put(CODES[byte])
    }

    /** What each byte of a picture becomes in the input tensor: black is $black, white $white. */
    private val CODES = ByteArray(256) { byte ->
        val code = floor($black + byte * (($white - $black) / 255.0) + 0.5)
        code.coerceIn($lowest, $highest).toInt().toByte()
    }"""
_FLOAT_GET = """\
    private fun value(buffer: ByteBuffer, i: Int): Double = buffer.getFloat(4 * i).toDouble()

    private fun colour(i: Int): Int =
        (made.getFloat(4 * i).coerceIn(0f, 1f) * 255f + 0.5f).toInt()"""
_INTEGER_GET = """\
    private fun value(buffer: ByteBuffer, i: Int): Double = $value.toDouble()

    private fun colour(i: Int): Int {
        val unit = (value(made, i) - $black) / ($white - $black)
        return floor(unit.coerceIn(0.0, 1.0) * 255.0 + 0.5).toInt()
    }"""
_VALUES = {"uint8": "(buffer.get(i).toInt() and 255)", "int8": "buffer.get(i)"}
_LIMITS = {"uint8": ("0.0", "255.0"), "int8": ("-128.0", "127.0")}


def kotlin_source(
    folder: str, sha256: str, pictures: tuple[Picture, Picture], run_with: RunWith,
    tolerance: dict[str, Difference],
) -> str:  # fmt: skip
    """The file's text.

    Args:
        folder: Of the assets, below ``edgesr/``.
        sha256: Of the packaged .tflite.
        pictures: Input and output.
        run_with: The delegate and threads that were chosen.
        tolerance: As `golden.Golden` has it.
    """
    given, made = pictures
    delegate = split_delegate(run_with.delegate)
    imports, options = _delegate_part(delegate)
    template = resources.files("edgesr.package").joinpath("templates", FILE).read_text("utf-8")
    text = Template(template).substitute(
        edgesr=__version__,
        sha256=sha256,
        identifier=identifier(folder),
        imports=f"\n{imports}" if imports else "",
        options=options,
        pixels=f"{_put(given)}\n\n{_get(made)}",
        folder=folder,
        delegate=run_with.delegate,
        threads=run_with.threads,
        width=given.width,
        height=given.height,
        scale=made.height // given.height,
        tolerance="\n".join(
            f'            "{name}" to Pair({most.worst!r}, {most.mean!r}),'
            for name, most in tolerance.items()
        ),
        input_bytes=given.encoding.dtype.itemsize,
        output_bytes=made.encoding.dtype.itemsize,
    )
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _delegate_part(delegate: Delegate) -> tuple[str, str]:
    """(imports, the function that makes the interpreter's options)."""
    if delegate.base == "gpu":
        names = {"cl": "OPENCL", "gl": "OPENGL"}
        backend = delegate.backend and Template(_BACKEND).substitute(name=names[delegate.backend])
        half = "false" if delegate.fp32 else "true"
        return _GPU_IMPORTS, Template(_GPU_OPTIONS).substitute(half=half, backend=backend)
    if delegate.base == "nnapi":
        name = delegate.accelerator and f'.setAcceleratorName("{delegate.accelerator}")'
        return _NNAPI_IMPORTS, Template(_NNAPI_OPTIONS).substitute(accelerator=name)
    xnnpack = "true" if delegate.base == "xnnpack" else "false"
    return "", Template(_CPU_OPTIONS).substitute(xnnpack=xnnpack)


def _put(picture: Picture) -> str:
    if picture.encoding.dtype.kind == "f":
        return _FLOAT_PUT
    lowest, highest = _LIMITS[picture.dtype]
    return Template(_INTEGER_PUT).substitute(_ends(picture), lowest=lowest, highest=highest)


def _get(picture: Picture) -> str:
    if picture.encoding.dtype.kind == "f":
        return _FLOAT_GET
    return Template(_INTEGER_GET).substitute(_ends(picture), value=_VALUES[picture.dtype])


def _ends(picture: Picture) -> dict[str, str]:
    """Black and white as Kotlin's doubles; in brackets where a minus could follow another."""
    ends = {"black": picture.encoding.black, "white": picture.encoding.white}
    return {name: f"({value!r})" if value < 0 else repr(value) for name, value in ends.items()}
