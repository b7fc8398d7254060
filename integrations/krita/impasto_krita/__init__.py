"""Register the plug-in; Krita imports this module when it starts."""

from krita import Krita

from .extension import Impasto

Krita.instance().addExtension(Impasto(Krita.instance()))
