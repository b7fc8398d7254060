"""The file format of models, and the models that come with the package."""

from impasto.models.checkpoint import Model, load, save
from impasto.models.zoo import Learned

__all__ = ["Learned", "Model", "load", "save"]
