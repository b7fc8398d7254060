"""Building blocks and networks that several methods share."""

from impasto.nn.vgg import Encoder

__all__ = ["Encoder"]
