"""What a training tells while it runs: TensorBoard's event files, and metrics.csv.

The event files are written here from tensorboard's protocol buffers. ``torch.utils.tensorboard``
would do it too, but looks for TensorFlow first and loads it where it is installed (as it is for
every user of edgesr), which takes seconds and 600 MiB of memory.
"""

import csv
import io
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesr.data.images import RgbImage
from edgesr.files import store_errors

_LEADING = ("stage", "epoch", "step")
"""Columns of metrics.csv that come first."""
_EVENTS = "events.out.tfevents."
"""TensorBoard reads every file of such a name, in the order of the names."""


class TensorBoardLog:
    """One event file of a training, complete on disk after every call.

    A training that is resumed writes a new file. Its first record tells TensorBoard to forget
    what older files say from ``first_step`` on, so no step is shown twice.

    Args:
        folder: Where the event files of the training lie; made where it is missing.
        first_step: The first step that this file tells of.

    Raises:
        StoreError: When the file can't be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        with store_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._path = folder / _next_name(folder)
            self._records = RecordWriter(self._path.open("xb"))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=first_step, session_log=start))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point to each curve.

        Args:
            step: Optimiser steps that are done.
            values: By the curve's name; ``a/b`` puts curve b into the group a.

        Raises:
            StoreError: When the file can't be written.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write_summary(step, Summary(value=points))

    def image(self, step: int, name: str, image: RgbImage) -> None:
        """Adds a picture.

        Args:
            step: Optimiser steps that are done.
            name: Pictures of one name can be leafed through by step.
            image: H, W, 3 RGB.

        Raises:
            StoreError: When the file can't be written.
        """
        from PIL import Image
        from tensorboard.compat.proto.summary_pb2 import Summary

        height, width, channels = image.shape
        png = io.BytesIO()
        Image.fromarray(image).save(png, format="PNG")
        picture = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=png.getvalue()
        )
        self._write_summary(step, Summary(value=[Summary.Value(tag=name, image=picture)]))

    def close(self) -> None:
        """Ends the file."""
        with store_errors(self._path):
            self._records.close()

    def _write_summary(self, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Any) -> None:
        with store_errors(self._path):
            self._records.write(event.SerializeToString())
            self._records.flush()


def metrics_csv(rows: Sequence[Mapping[str, float | int | str | None]]) -> str:
    """The text of metrics.csv; the same rows give the same bytes.

    Args:
        rows: One per epoch; they need not have the same keys.

    Returns:
        stage, epoch and step first, then every other key in the order it first appears. Numbers
        are written so that they read back as they were; what a row lacks stays empty.
    """
    columns = dict.fromkeys((*_LEADING, *(key for row in rows for key in row)))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _next_name(folder: Path) -> str:
    """A name that sorts behind those of all event files that are there.

    Names begin with the second; a clock that was set back, or a resume in the same second, must
    not bring the files out of order.
    """
    stamps = (
        re.match(r"(\d+)\.", path.name[len(_EVENTS) :]) for path in folder.glob(f"{_EVENTS}*")
    )
    latest = max((int(stamp[1]) for stamp in stamps if stamp), default=0)
    return f"{_EVENTS}{max(int(time.time()), latest + 1):010d}.{os.getpid()}"
