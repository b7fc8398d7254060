"""Compare upscaling models that were trained with different losses with the original.

    python examples/upscale_losses.py PHOTO out.jpg MODEL.safetensors...

The photo (or a sample, such as sample:chelsea) is downsampled as in training: a Gaussian blur,
then bicubic downsampling by the factor of the first model. The sheet shows its middle, upscaled
by a bicubic filter and by each model, with PSNR and structural similarity over colours, and the
mean length of the gradient over the original's ("sharpness", below 1 is softer).
"""

import sys
from pathlib import Path

import numpy as np
from skimage import metrics

from impasto.api.inputs import read_image
from impasto.api.load import open_model
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
from impasto.methods.per_style.superresolution import shrink
from impasto.models.zoo import find
from impasto.nn.superresolution import enlarge

SIDE = 192  # of the part that is shown, in pixels of the original

source, out, *models = sys.argv[1:]
networks = [open_model(find(path, kind="upscale")) for path in models]
config = networks[0].config
photo = read_image(source).rgb
height, width = (side // config.factor * config.factor for side in photo.shape[-2:])
original = photo[..., :height, :width]
small = shrink(original, config.factor, blur=config.blur, antialias=config.antialias)


def described(name, picture):
    """Return a label of two lines with the measurements of an image."""
    theirs, ours = (one[0].permute(1, 2, 0).double().numpy() for one in (original, picture))
    psnr = metrics.peak_signal_noise_ratio(theirs, ours, data_range=1.0)
    ssim = metrics.structural_similarity(theirs, ours, data_range=1.0, channel_axis=2)
    edges = [np.hypot(*np.gradient(one, axis=(0, 1))).mean() for one in (ours, theirs)]
    print(f"{name}: {psnr:.2f} dB, SSIM {ssim:.4f}, sharpness {edges[0] / edges[1]:.2f}")
    return f"{name}\n{psnr:.2f} dB  SSIM {ssim:.3f}  sharp {edges[0] / edges[1]:.2f}"


def middle(picture):
    """Crop the middle of an image."""
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return Image(picture[..., top : top + SIDE, left : left + SIDE])


tiles = [("\noriginal", middle(original))]
made = {f"bicubic x{config.factor}": enlarge(small, config.factor).clamp(0, 1)}
for path, network in zip(models, networks, strict=True):
    made[Path(path).stem] = network.upscale(small).cpu()
tiles += [(described(name, picture), middle(picture)) for name, picture in made.items()]
contact_sheet(tiles, height=320).save(out, quality=88)
