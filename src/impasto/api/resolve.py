"""Resolve the styles that users give: find the method that paints with each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from impasto.api import presets
from impasto.api.controls import ResolvedStyle
from impasto.api.inputs import Source, as_list, check_weights, read_image
from impasto.api.load import get_method, load_learned
from impasto.api.presets import QUALITIES, Quality
from impasto.core.device import Place
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods import style as style_file
from impasto.methods.base import Method
from impasto.methods.spec import Ability
from impasto.methods.style import Style
from impasto.models import zoo

_TEXTURE = Quality("texture", "a texture from white noise")


class StyleResolver:
    """Resolves styles; builds each method and loads each model only once.

    Args:
        method: As for :func:`impasto.api.stylize.stylize`.
        kind: ``style``, or ``texture`` for texture synthesis.
        quality: As for :func:`impasto.api.stylize.stylize`.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the method to change, by name.
        runtime: See :func:`impasto.get_method`.
        second: Whether to build the second network of a quality, which frames are painted without.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: There is no such quality, or there are both a quality and a method.
    """

    def __init__(
        self,
        method: str | Method | None = None,
        *,
        kind: str = "style",
        quality: str | None = None,
        preset: str = "default",
        settings: Mapping[str, Any] | None = None,
        runtime: str = "torch",
        second: bool = True,
        **place: Unpack[Place],
    ) -> None:
        given = bool(settings) or preset != "default"
        texture = kind == "texture"
        self._chosen = _TEXTURE if texture else presets.choose(quality, method, has_settings=given)
        self._ability = Ability.SYNTHESIZE if texture else Ability.STYLIZE
        self._method, self._kind, self._quality = method, kind, quality
        self._preset, self._settings = preset, settings or {}
        self._runtime, self._second, self._place = runtime, second, place
        self._built: dict[str, Method] = {}
        self._opened: dict[Any, Method] = {}

    def __call__(
        self,
        style: Source | Style | Sequence[Source | Style],
        weights: Sequence[float] | None = None,
    ) -> list[ResolvedStyle]:
        """Resolve each style to its source, its weight and its method.

        Args:
            style: As for :func:`impasto.api.stylize.stylize`.
            weights: One for each style; equal if None.

        Raises:
            InputError: A style cannot be read, or the given method cannot paint with it.
        """
        styles = as_list(style)
        self._check_quality(styles)
        checked_weights = check_weights(weights, len(styles))
        styles = [style_file.load_if_style(style) or style for style in styles]
        encoded = [style.method for style in styles if isinstance(style, Style)]
        default = next(iter(encoded), self._chosen.method)
        learned = [zoo.find(style, self._kind) for style in styles]
        alone = all(learned)  # else preset and settings are for the method of the style images
        found = [
            self._resolve(style, one, weight, default, alone)
            for style, one, weight in zip(styles, learned, checked_weights, strict=True)
        ]
        if self._method is not None or encoded:  # then no quality chose the method
            return found
        return [
            self._of_quality(style, self._chosen, self._get_method)
            if isinstance(style.source, Image)
            else style
            for style in found
        ]

    def _resolve(
        self,
        style: Any,
        learned: zoo.Learned | None,
        weight: float,
        default: str,
        alone: bool,
    ) -> ResolvedStyle:
        if learned is None:
            source = style if isinstance(style, Style) else read_image(style)
            method = self._method_for(source, default)
            found = ResolvedStyle(method, source, weight)
            if getattr(method.config, "start", None) == "network":
                start = self._of_quality(found, QUALITIES["fast"], self._network)
                found = replace(found, start=start)
            return found
        if self._method not in {None, learned.method} and not isinstance(self._method, Method):
            raise InputError(f"{learned.name} was learned by {learned.method}: leave `method` out")
        if (learned.path, alone) not in self._opened:
            self._opened[learned.path, alone] = load_learned(
                learned,
                preset=self._preset if alone else "default",
                settings=self._settings if alone else {},
                runtime=self._runtime,
                **self._place,
            )
        network = self._opened[learned.path, alone]
        return ResolvedStyle(network, network.own_style(learned.index), weight)

    def _method_for(self, source: Image | Style, default: str) -> Method:
        """Return the method of a style image, or the one that has encoded a style."""
        method = self._method
        if isinstance(source, Style):
            name = method.name if isinstance(method, Method) else method
            if name is not None and zoo.method_of(name) != source.method:
                raise InputError(f"this style was encoded by {source.method}: leave `method` out")
            default = source.method
        return method if isinstance(method, Method) else self._get_method(method or default)

    def _of_quality(
        self, style: ResolvedStyle, quality: Quality, build: Callable[[str], Method]
    ) -> ResolvedStyle:
        """Return a style with the methods and the defaults of a quality.

        Settings are for its first method alone; with settings there is no second.
        """
        settings = quality is self._chosen and self._settings
        alone = quality.second is None or settings or not self._second
        return replace(
            style,
            method=build(quality.method),
            second=None if alone else build(str(quality.second)),
            finish=quality.finish,
        )

    def _network(self, name: str) -> Method:
        """Return the network of an any-style method, without the user's settings."""
        if name not in self._opened:
            self._opened[name] = get_method(name, **self._place)
        return self._opened[name]

    def _get_method(self, name: str) -> Method:
        if name not in self._built:
            chosen = self._chosen
            own = chosen.settings if self._method is None and name == chosen.method else {}
            settings = {**own, **self._settings}
            self._built[name] = get_method(
                name,
                self._ability,
                preset=self._preset,
                settings=settings,
                runtime=self._runtime,
                **self._place,
            )
        return self._built[name]

    def _check_quality(self, styles: Sequence[Any]) -> None:
        """Raise :class:`InputError` for a quality with a style that only another method paints."""
        if self._quality is None:
            return
        for style in styles:
            ready = style_file.load_if_style(style)
            learned = None if ready else zoo.find(style)
            bound = ready.method if ready else learned.method if learned else self._chosen.method
            if bound != self._chosen.method:
                raise InputError(
                    f"only {bound} can paint this style: leave the quality {self._quality} out"
                )
