"""Show StyleBank's two branches, and style elements beside patches of the style image.

    python examples/stylebank_branches.py photo.jpg cafe-terrace painting.jpg branches.jpg

Chen et al., "StyleBank: An Explicit Representation for Neural Image Style Transfer", CVPR 2017.
First row: a photo, its reconstruction by encoder and decoder without a bank, their result with the
bank of a style of the shipped model, and the style image of that bank. Second row: the output of
single filters where they respond most, the strongest first. Third row: for each element the patch
of the style image that correlates with it best; grey stands for the style image's mean colour.
"""

import sys

import torch
import torch.nn.functional as F

from impasto.api.inputs import read_image, resize_long_edge
from impasto.api.load import open_model
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
from impasto.models.zoo import find

COUNT, STRIDE = 8, 2  # elements that are shown; pixels between compared patches

photo = resize_long_edge(read_image(sys.argv[1]), None, 256)
painting = resize_long_edge(
    read_image(sys.argv[3]), None, 400
)  # about the size that the bank was trained with
learned = find(sys.argv[2])
method = open_model(learned)  # the shipped stylebank, or a model file
style = method.own_style(learned.index)
height, width = (side // 4 * 4 for side in photo.rgb.shape[-2:])
x = photo.rgb[..., :height, :width]

with torch.inference_mode():
    back = Image(method.module(x))  # encoder and decoder alone
    painted = Image(method.stylize(x, style).cpu())
    error = (back.rgb - x).square().mean().sqrt().item()
    print(f"the auto-encoder gives the photo back with an RMS error of {255 * error:.1f} of 255")
    elements = method.inspect(style, photo.rgb)[:COUNT]


def nearest(element):
    """Return the patch (1, 3, s, s) of the style image that correlates best with an element."""
    side = element.shape[-1]
    usual = painting.rgb.mean((2, 3), keepdim=True)  # corresponds to the grey of an element
    rows = F.unfold(painting.rgb - usual, side, stride=STRIDE)[0].T  # (patches, 3*s*s)
    best = int((F.normalize(rows) @ F.normalize((element - 0.5).flatten(), dim=0)).argmax())
    return (rows[best].view(1, 3, side, side) + usual).clamp(0, 1)


top = [("photo", Image(x)), ("without a bank", back), ("with the bank", painted)]
parts = [(name.split()[0], Image(element)) for name, element in elements]
patches = [("patch", Image(nearest(element.float()))) for _, element in elements]
pictures = contact_sheet([*top, ("painting", painting)], height=200)
bank = contact_sheet([*parts, *patches], columns=COUNT, height=96)
wide = max(pictures.width, bank.width)
rows = [F.pad(one.rgb, (0, wide - one.width), value=1.0) for one in (pictures, bank)]
Image(torch.cat(rows, 2)).save(sys.argv[4], quality=85)
