"""Show whitening alone, single levels and the cascade of WCT.

    python examples/wct_levels.py photo.jpg painting.jpg levels.jpg

Li et al., NIPS 2017. The first row decodes the photo's features unchanged, the second after
whitening (mean 0, the identity as covariance), the third after whitening and colouring, at each
of the five layers by itself. The last row has the cascade: of five levels as in the paper, of
four, and with the default config. A photo or a painting may be a sample, such as sample:chelsea.
Takes a minute.
"""

import sys

import torch

from impasto import get_method
from impasto.alignment.whitening import Gaussian, gaussian, roots, wct
from impasto.api.inputs import read_image, resize_long_edge
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

photo, painting = (resize_long_edge(read_image(path), None, 256) for path in sys.argv[1:3])
height, width = photo.rgb.shape[-2:]
method = get_method("wct")  # the shipped decoders, with VGG-19 as encoder


def white(own):
    """Return the map to mean 0 and the identity as covariance."""
    identity = torch.eye(own.mean.shape[1], dtype=torch.float64)[None]
    return wct(roots(own), roots(Gaussian(torch.zeros_like(own.mean), identity)))


def decoded(features, layer):
    """Decode features of a layer."""
    picture = method.decode(features, layer).float().cpu().clamp(0, 1)
    return Image(picture[..., :height, :width])


def stretched(picture):
    """Stretch the contrast between the 1st and 99th percentile, since whitened images are faint."""
    low, high = torch.quantile(picture.rgb.flatten(), torch.tensor([0.01, 0.99]))
    return Image(((picture.rgb - low) / (high - low)).clamp(0, 1))


rows = {"decoded": [], "whitened": [], "whitened, coloured": []}
for layer in LAYERS:
    x, y = (
        method.encoder(method.padded(picture.rgb), [layer])[layer].float()
        for picture in (photo, painting)
    )
    own = gaussian(x)
    colouring = wct(roots(own), roots(gaussian(y)))
    rows["decoded"].append((f"{layer}\ndecoded", decoded(x, layer)))
    whitened = decoded(white(own)(x), layer)
    rows["whitened"].append((f"{layer}\nwhitened", stretched(whitened)))
    rows["whitened, coloured"].append((f"{layer}\ncoloured", decoded(colouring(x), layer)))

tiles = [tile for row in rows.values() for tile in row]
tiles += [("\nphoto", photo), ("\npainting", painting)]
full = {"alpha": 1, "transport": "wct"}
cascades = {
    "cascade\n5 levels": {**full, "levels": LAYERS[::-1]},
    "cascade\n4 levels": {**full, "levels": LAYERS[3::-1]},
    "cascade, 4 levels\ndefault (monge, 0.6)": {},
}
for name, settings in cascades.items():
    whole = get_method("wct", settings=settings)
    painted = whole.stylize(photo.rgb, whole.encode(painting.rgb))
    tiles.append((name, Image(painted.cpu())))
contact_sheet(tiles, columns=len(LAYERS), height=height).save(sys.argv[3], quality=80)
