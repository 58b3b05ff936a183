"""One call of ``edgesr upscale``: tells images from videos, and says how to go on after Ctrl-C."""

from edgesr.errors import Interrupted
from edgesr.upscale.images import ImagesOutcome, upscale_folder, upscale_image
from edgesr.upscale.request import Progress, UpscaleRequest, kind_of
from edgesr.upscale.video import VideoOutcome, upscale_video


def upscale(
    request: UpscaleRequest, progress: Progress | None = None
) -> ImagesOutcome | VideoOutcome:
    """Upscales an image, a folder of images, or a video.

    Args:
        request: What, how and where to.
        progress: Told of every step.

    Raises:
        UsageError: When source, result, model and options don't fit together, or the result is
            there already.
        InputError: When the source or the model is missing, damaged or of the wrong kind.
        StoreError: When the result can't be written.
        Interrupted: After Ctrl-C.
    """
    tell = progress or (lambda *_: None)
    kind = kind_of(request)
    try:
        if kind == "video":
            return upscale_video(request, tell)
        return (upscale_folder if kind == "folder" else upscale_image)(request, tell)
    except KeyboardInterrupt:
        hint = {
            "video": "the same command goes on after the last whole segment",
            "folder": "the same command does the images that are missing",
            "image": "run it again",
        }[kind]
        raise Interrupted(f"interrupted; {request.out} is not finished", hint=hint) from None
