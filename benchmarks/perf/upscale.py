"""How fast `edgesr upscale` takes a lecture video through a .tflite, and with how much memory.

    python benchmarks/perf/upscale.py [--seconds 20] [--networks NAME ...] [--json FILE]

Makes a clip of 640x360 pixels, 30 frames a second, with a tone: slides that change every five
seconds, and a pointer that moves over each of them for the last three. Each bundled network is
converted to a .tflite (fp32), and enlarges the clip x2 with as many workers of one thread as there
are cores, with one worker of one thread, and with one worker of as many threads as cores. Every
call is a process of its own, so memory is that of the call; its processor time is printed too,
since other programs on the machine change what the clock says.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from edgesr.convert.pipeline import ConvertRequest, convert
from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.quality.cores import usable_cores
from edgesr.results.store import Workspace

WIDTH, HEIGHT, FPS, RATE = 640, 360, 30, 48_000
SLIDE_S, STILL_S = 5, 2

CALL = """
import json, resource, sys
from pathlib import Path
from edgesr.quality.runners import RunnerOptions
from edgesr.upscale.request import UpscaleRequest
from edgesr.upscale.run import upscale

source, out, model, workers, threads = sys.argv[1:]
runner = RunnerOptions(threads=int(threads))
found = upscale(UpscaleRequest(Path(source), Path(out), model, runner, workers=int(workers)))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps(found.to_dict() | {"cpu_s": used.ru_utime + used.ru_stime}))
"""


@dataclass(frozen=True)
class Row:
    """One call."""

    network: str
    workers: int
    threads_each: int
    frames: int
    reused: int
    fps: float
    realtime_factor: float
    cpu_ms_per_frame: float
    peak_rss_mib: float
    audio_equal: bool
    load: float
    """Average number of programs that wanted to run in the last minute, ours included."""


def lecture(seconds: int) -> Iterator[RgbImage]:
    """Frames (360, 640, 3)."""
    slide = np.zeros(0)
    for number in range(seconds * FPS):
        second, step = divmod(number, FPS)
        if number % (SLIDE_S * FPS) == 0:
            large = render_slide(second // SLIDE_S, 1).image
            slide = imresize(large, WIDTH / large.shape[1])[:HEIGHT, :WIDTH]
        frame = slide.copy()
        if second % SLIDE_S >= STILL_S:
            angle = 2 * np.pi * (second + step / FPS) / SLIDE_S
            top, left = round(170 + 120 * np.sin(angle)), round(310 + 220 * np.cos(angle))
            frame[top : top + 12, left : left + 12] = (220, 30, 30)
        yield frame


def write_lecture(path: Path, seconds: int) -> None:
    """Writes the clip as a recorder would: H.264 of low bitrate, AAC."""
    with av.open(path, "w") as container:
        pictures = container.add_stream("libx264", rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        pictures.options = {"crf": "28", "preset": "veryfast"}
        sound = container.add_stream("aac", rate=RATE)
        for number, image in enumerate(lecture(seconds)):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        for start in range(0, seconds * RATE, 1024):
            wave = 0.2 * np.sin((start + np.arange(1024)) * 2 * np.pi * 440 / RATE)
            tone = av.AudioFrame.from_ndarray(np.stack([wave] * 2).astype(np.float32), "fltp")
            tone.rate, tone.pts = RATE, start
            container.mux(sound.encode(tone))
        container.mux(sound.encode())


def audio(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of every packet of sound."""
    with av.open(path) as container:
        packets = container.demux(audio=0)
        return [(each.pts * Fraction(each.time_base), bytes(each)) for each in packets if each.size]


def measure(network: str, model: Path, clip: Path, setting: tuple[int, int]) -> Row:
    """One call in a process of its own."""
    out = clip.with_name("out.mp4")
    out.unlink(missing_ok=True)
    workers, threads = setting
    command = [sys.executable, "-c", CALL, str(clip), str(out), str(model)]
    command += [str(workers), str(threads * workers)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(printed)
    return Row(
        network=network,
        workers=workers,
        threads_each=threads,
        frames=found["frames"],
        reused=found["reused"],
        fps=found["fps"],
        realtime_factor=found["realtime_factor"],
        cpu_ms_per_frame=found["cpu_s"] * 1000 / found["frames"],
        peak_rss_mib=found["peak_rss_mib"],
        audio_equal=audio(clip) == audio(out),
        load=os.getloadavg()[0],
    )


def main() -> None:
    """Measures, prints a table, writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--networks", nargs="+", default=["elsr-x2-slides", "residual-x2-slides"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = usable_cores()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "lecture.mp4"
        write_lecture(clip, options.seconds)
        print(f"{'network':<20} workers threads   fps  x real time  cpu ms  RSS MiB  reused  audio")
        for network in options.networks:
            (made,) = convert(
                ConvertRequest(network, ("fp32",), (HEIGHT, WIDTH)), Workspace(folder / "work")
            )
            for setting in dict.fromkeys([(cores, 1), (1, cores), (1, 1)]):
                row = measure(network, made.path, clip, setting)
                rows.append(row)
                print(
                    f"{network:<20} {row.workers:>7} {row.threads_each:>7} {row.fps:>5.1f}"
                    f" {row.realtime_factor:>12.2f} {row.cpu_ms_per_frame:>7.1f}"
                    f" {row.peak_rss_mib:>8.0f} {row.reused:>3}/{row.frames}"
                    f"  {'equal' if row.audio_equal else 'DIFFERS'}  (load {row.load:.1f})",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
