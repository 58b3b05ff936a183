"""How good the network is now, on whole images that it is not trained on."""

from dataclasses import dataclass

import numpy as np
import torch

from edgesr.models.registry import SRModel
from edgesr.quality.metrics import psnr_y, ssim_y
from edgesr.quality.pixels import to_pixels, to_unit
from edgesr.train.patches import ImagePairs


@dataclass(frozen=True)
class Validation:
    """Means over the validation images."""

    l1: float
    """On the scale 0..1."""
    psnr_y: float
    """dB, by the protocol in `quality.metrics`."""
    ssim_y: float


def validate(model: SRModel, pairs: ImagePairs, device: torch.device) -> Validation:
    """Runs the network over all validation pairs, in eval mode, and leaves it in train mode."""
    model.eval()
    rows = []
    for index in range(len(pairs)):
        lr, hr = pairs[index]
        tensor = torch.from_numpy(to_unit(lr)).to(device).permute(2, 0, 1)[None]
        with torch.no_grad():
            output = model(tensor)[0].clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
        sr = to_pixels(output)
        l1 = float(np.abs(output - to_unit(hr)).mean())
        rows.append((l1, psnr_y(sr, hr, pairs.scale), ssim_y(sr, hr, pairs.scale)))
    model.train()
    return Validation(*(float(value) for value in np.mean(rows, axis=0)))
