"""Decode AdaIN's target t, the features f(c) and f(s), and transfers of means or deviations alone.

    python examples/adain_target.py photo.jpg painting.jpg target.jpg

Huang and Belongie, ICCV 2017, equations 8 to 10. f(c) are the photo's features at relu4_1; t has
their spatial structure, and each channel's mean and standard deviation from the style image.
"Means alone" takes only the style's means, "deviations alone" only its deviations. A photo or a
painting may be a sample, such as sample:chelsea. Takes a second.
"""

import sys

from impasto import get_method
from impasto.alignment import adain
from impasto.api.inputs import read_image, resize_long_edge
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
from impasto.losses import moments

photo, painting = (resize_long_edge(read_image(path), None, 384) for path in sys.argv[1:3])
method = get_method("adain")  # the shipped decoder, with VGG-19 as encoder
layer = method.config.layer

content, style = (  # f(c) and f(s), (1, 512, h, w)
    method.encoder(method.padded(picture.rgb), [layer])[layer].float()
    for picture in (photo, painting)
)
own, wanted = moments(content), moments(style)
targets = {
    "g(f(c))": content,
    "g: means alone": adain(content, wanted.mean, own.std),
    "g: deviations alone": adain(content, own.mean, wanted.std),
    "g(t): both": adain(content, wanted.mean, wanted.std),
    "g(f(s))": style,
}
height, width = photo.rgb.shape[-2:]
tiles = [("photo c", photo), ("painting s", painting)]
for name, features in targets.items():
    inside = painting.rgb.shape[-2:] if features is style else (height, width)
    decoded = method.module(features, layer).detach().cpu().clamp(0, 1)
    tiles.append((name, Image(decoded[..., : inside[0], : inside[1]])))
contact_sheet(tiles, columns=4, height=height).save(sys.argv[3], quality=85)
