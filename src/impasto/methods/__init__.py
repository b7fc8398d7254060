"""Style transfer methods: one module for each paper, grouped in folders by family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impasto.core.lazy import exports

if TYPE_CHECKING:
    from impasto.methods.arbitrary.adain import AdaIn, AdaInConfig
    from impasto.methods.arbitrary.meta_network import MetaNetwork, MetaNetworkConfig
    from impasto.methods.arbitrary.style_prediction import StylePrediction
    from impasto.methods.arbitrary.style_prediction_config import StylePredictionConfig
    from impasto.methods.arbitrary.wct import Wct, WctConfig
    from impasto.methods.base import Method
    from impasto.methods.config import change, preset
    from impasto.methods.multi_style.cin import Cin, CinConfig
    from impasto.methods.multi_style.stylebank import StyleBank
    from impasto.methods.multi_style.stylebank_training import StyleBankConfig
    from impasto.methods.network import NetworkMethod
    from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
    from impasto.methods.optimization.cnnmrf import CNNMRF, CNNMRFConfig
    from impasto.methods.optimization.gatys import Gatys, GatysConfig
    from impasto.methods.optimization.inversion import Inversion, InversionConfig
    from impasto.methods.optimization.levels import Level, StyleImage
    from impasto.methods.optimization.mmd import MMD, MMDConfig
    from impasto.methods.optimization.nnst import NNST, NNSTConfig
    from impasto.methods.optimization.resample import Resample, ResampleConfig
    from impasto.methods.optimization.texture import Texture, TextureConfig
    from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
    from impasto.methods.per_style.superresolution import SuperResolution, SuperResolutionConfig
    from impasto.methods.per_style.texture_net import TextureNet, TextureNetConfig
    from impasto.methods.registry import Entry, list_methods, register_method
    from impasto.methods.spec import FAMILIES, Ability, Paper
    from impasto.methods.style import Part, Style

__all__ = [
    "CNNMRF",
    "FAMILIES",
    "MMD",
    "NNST",
    "Ability",
    "AdaIn",
    "AdaInConfig",
    "CNNMRFConfig",
    "Cin",
    "CinConfig",
    "Entry",
    "Gatys",
    "GatysConfig",
    "Inversion",
    "InversionConfig",
    "Johnson",
    "JohnsonConfig",
    "Level",
    "MMDConfig",
    "MetaNetwork",
    "MetaNetworkConfig",
    "Method",
    "NNSTConfig",
    "NetworkMethod",
    "OptimizationConfig",
    "OptimizingMethod",
    "Paper",
    "Part",
    "Resample",
    "ResampleConfig",
    "Style",
    "StyleBank",
    "StyleBankConfig",
    "StyleImage",
    "StylePrediction",
    "StylePredictionConfig",
    "SuperResolution",
    "SuperResolutionConfig",
    "Texture",
    "TextureConfig",
    "TextureNet",
    "TextureNetConfig",
    "Wct",
    "WctConfig",
    "change",
    "list_methods",
    "preset",
    "register_method",
]

_HOMES = {
    "Ability": "spec",
    "AdaIn": "arbitrary.adain",
    "AdaInConfig": "arbitrary.adain",
    "CNNMRF": "optimization.cnnmrf",
    "CNNMRFConfig": "optimization.cnnmrf",
    "Cin": "multi_style.cin",
    "CinConfig": "multi_style.cin",
    "Entry": "registry",
    "FAMILIES": "spec",
    "Gatys": "optimization.gatys",
    "GatysConfig": "optimization.gatys",
    "Inversion": "optimization.inversion",
    "InversionConfig": "optimization.inversion",
    "Johnson": "per_style.johnson",
    "JohnsonConfig": "per_style.johnson",
    "Level": "optimization.levels",
    "MMD": "optimization.mmd",
    "MMDConfig": "optimization.mmd",
    "MetaNetwork": "arbitrary.meta_network",
    "MetaNetworkConfig": "arbitrary.meta_network",
    "Method": "base",
    "NNST": "optimization.nnst",
    "NNSTConfig": "optimization.nnst",
    "NetworkMethod": "network",
    "OptimizationConfig": "optimization.base",
    "OptimizingMethod": "optimization.base",
    "Paper": "spec",
    "Part": "style",
    "Resample": "optimization.resample",
    "ResampleConfig": "optimization.resample",
    "Style": "style",
    "StyleBank": "multi_style.stylebank",
    "StyleBankConfig": "multi_style.stylebank_training",
    "StyleImage": "optimization.levels",
    "StylePrediction": "arbitrary.style_prediction",
    "StylePredictionConfig": "arbitrary.style_prediction_config",
    "SuperResolution": "per_style.superresolution",
    "SuperResolutionConfig": "per_style.superresolution",
    "Texture": "optimization.texture",
    "TextureConfig": "optimization.texture",
    "TextureNet": "per_style.texture_net",
    "TextureNetConfig": "per_style.texture_net",
    "Wct": "arbitrary.wct",
    "WctConfig": "arbitrary.wct",
    "change": "config",
    "list_methods": "registry",
    "preset": "config",
    "register_method": "registry",
}

__getattr__, __dir__ = exports(__name__, _HOMES, __all__)
