"""The public names and their signatures, frozen: a change here is a change for every user."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import impasto

# names of the arguments of each, as text; an update of this table goes into the changelog
SIGNATURES = """
CancelledError(message: str, picture: Tensor | None = None) -> None
Controls(*, size: int | None = None, style_scale: float = 1.0, strokes: str = relative, colors: str = style, strength: float = 1.0, only: str | None = None, keep: str | None = None, regions: int | None = None, lighting: float | None = None, chroma: float | None = None, sharpen: float | None = None, kuwahara: float | None = None, match_histogram: bool = False, median: bool = False, shifts: int | None = None, seamless: bool = False, seed: int = 0) -> None
DivergedError(message: str, picture: Tensor | None = None) -> None
Encoder(arch: str = vgg19, *, flavor: str = caffe, pooling: str = max, padding: str = zeros, weights: str | os.PathLike[str] | None = None, depth: str = pool5) -> None
Image(rgb: Tensor, alpha: Tensor | None = None, note: str = , metadata: Metadata | None = None) -> None
ImpastoError(message: str) -> None
InputError(message: str) -> None
InterruptedRun(message: str, picture: Tensor | None = None) -> None
MissingExtraError(feature: str, extra: str) -> None
PassedOverError(message: str) -> None
Progress(step: int, total: int, losses: Mapping[str, float] = <factory>, stage: str = , preview: Callable[[], Tensor] | None = None, cancelled: bool = False) -> None
Style(method: str, parts: tuple[Part, ...]) -> None
TooSmallError(message: str, least: int) -> None
WeightsError(message: str) -> None
add_style(model: str | Path, style: Source, output: str | Path, *, content: str | Path | None = None, name: str | None = None, settings: Mapping[str, Any] | None = None, resume: bool = True, max_seconds: float | None = None, device: str = auto, precision: str = auto, callback: Callback = silent) -> Trained
compare(content: Source, style: Source, methods: Sequence[str | Entrant] = (all,), *, size: int | None = None, quality: str = good, steps: int | None = None, seed: int = 0, device: str = auto, precision: str = auto, callback: Callback = silent) -> SideBySide
encode(style: Source | Style | Sequence[Source | Style], *, method: str | Method | None = None, weights: Sequence[float] | None = None, size: int | None = None, preset: str = default, settings: Mapping[str, Any] | None = None, **place: Unpack[Place]) -> Style
evaluate(contents: Places, styles: Places, methods: Sequence[str | Entrant], *, size: int = 384, seed: int = 0, folder: str | Path | None = None, flicker: bool = False, device: str = auto, precision: str = auto, callback: Callback = silent) -> Comparison
export(model: str | os.PathLike[str], output: str | os.PathLike[str], *, size: int | tuple[int, int] | None = None, callback: Callback = silent) -> tuple[Written, ...]
get_method(name: str, ability: Ability | None = None, *, preset: str = default, settings: Mapping[str, Any] | None = None, runtime: str = torch, **place: Unpack[Place]) -> Method
invert(image: Source, layers: str | Sequence[str] = relu4_2, *, kind: str = content, size: int | None = None, seed: int = 0, callback: Callback = silent, preset: str = default, settings: Mapping[str, Any] | None = None, **place: Unpack[Place]) -> Image
ladder(image: Source, *, kind: str = content, layers: Sequence[str] = (), size: int | None = None, seed: int = 0, callback: Callback = silent, settings: Mapping[str, Any] | None = None, **place: Unpack[Place]) -> Image
list_methods(ability: Ability | None = None) -> tuple[Entry, ...]
list_models(kind: str | None = None) -> tuple[zoo.Learned, ...]
load(source: Source, *, max_pixels: int = 200000000, full_range: bool = False) -> Image
load_model(source: str | os.PathLike[str], *, preset: str = default, settings: Mapping[str, Any] | None = None, runtime: str = torch, **place: Unpack[Place]) -> Method
register_loss(name: str) -> Callable[[_L], _L]
register_method(name: str, summary: str, *papers: Paper, family: str = other, abilities: Ability) -> Callable[[_M], _M]
save(image: Image | Tensor, target: Target, *, format: str | None = None, quality: int = 95, depth: int = 8, keep_metadata: bool = False) -> None
specialize(model: str | Path, style: Source | Style | Sequence[Source | Style], output: str | Path, *, weights: Sequence[float] | None = None, size: int | None = None, name: str | None = None, **place: Unpack[Place]) -> checkpoint.Model
stylize(content: Source, style: Source | Style | Sequence[Source | Style], *, method: str | Method | None = None, quality: str | None = None, weights: Sequence[float] | None = None, masks: Sequence[Source] = (), controls: Controls | None = None, callback: Callback = silent, preset: str = default, settings: Mapping[str, Any] | None = None, device: str = auto, precision: str = auto, memory: int | None = None, runtime: str = torch, **options: Any) -> Image
stylize_folder(folder: str | os.PathLike[str], output: str | os.PathLike[str], style: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, engine: str = local, workers: int = 1, address: str | None = None, restart: bool = False, callback: Callback = silent, controls: Controls | None = None, **options: Any) -> Report
stylize_video(source: str | os.PathLike[str], target: str | os.PathLike[str], style: Source | Style | Sequence[Source | Style], *, method: str | Method | None = None, quality: str | None = None, weights: Sequence[float] | None = None, masks: Sequence[Source] = (), controls: Controls | None = None, callback: Callback = silent, preset: str = default, settings: Mapping[str, Any] | None = None, device: str = auto, precision: str = auto, memory: int | None = None, steady: bool = True, smooth: float = 0.8, flicker: bool = False, resume: bool = True, partial: bool = False, codec: str | None = None, crf: int | None = None, audio: str = copy, fps: Fraction | float | str | None = None, **options: Any) -> Report
synthesize(style: Source | Style | Sequence[Source | Style], *, size: int | tuple[int, int] | None = None, method: str | Method | None = None, sample_size: int | None = None, weights: Sequence[float] | None = None, seed: int = 0, seamless: bool = False, callback: Callback = silent, preset: str = default, settings: Mapping[str, Any] | None = None, runtime: str = torch, **place: Unpack[Place]) -> Image
train(recipe: str, output: str | Path, *, style: Source | Sequence[Source] = (), content: str | Path | None = None, names: Sequence[str] = (), preset: str = default, settings: Mapping[str, Any] | None = None, start: str | Path | None = None, resume: bool = True, max_seconds: float | None = None, device: str = auto, precision: str = auto, threads: int | None = None, callback: Callback = silent) -> Trained
upscale(image: Source, *, model: str = upscale-x4, callback: Callback = silent, runtime: str = torch, **place: Unpack[Place]) -> Image
"""  # noqa: E501

PACKAGES = ("alignment", "batch", "core", "image", "losses", "methods", "models", "nn", "onnx")
PACKAGES = (*PACKAGES, "training", "video")


def table():
    lines = SIGNATURES.strip().splitlines()
    return dict(line.split("(", 1) for line in lines)


def signature(thing):
    """The signature as text, with callbacks by their name."""
    text = str(inspect.signature(thing)).replace("'", "")
    return re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", text)


def test_names():
    assert impasto.__all__ == sorted([*table(), "__version__"])
    assert dir(impasto) == impasto.__all__


@pytest.mark.parametrize("name", table())
def test_each_has_its_name_its_signature_and_a_docstring(name):
    thing = getattr(impasto, name)
    assert thing.__name__ == name
    assert inspect.getdoc(thing)
    assert signature(thing) == f"({table()[name]}"


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_have_what_they_export(package):
    module = importlib.import_module(f"impasto.{package}")
    assert module.__all__ == sorted(module.__all__, key=lambda n: (not n.isupper(), n))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = module.nonsense


def test_no_name_is_also_a_package():
    packages = {module.name for module in pkgutil.iter_modules(impasto.__path__)}
    assert not packages & set(impasto.__all__), "importing the package would hide the name"


def test_an_image_shows_its_size():
    from PIL import Image as PillowImage

    image = impasto.Image.from_pil(PillowImage.new("RGBA", (5, 4)))
    assert repr(image) == "Image(5x4, with alpha)"


def test_version():
    assert impasto.__version__.count(".") == 2


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = impasto.paint


@pytest.mark.slow
def test_importing_is_cheap_until_a_name_is_used():
    code = (
        "import sys, impasto; heavy = {'torch', 'numpy', 'PIL', 'scipy', 'typer', 'rich'};"
        "print(sorted(heavy & set(sys.modules)));"
        "impasto.InputError; print(sorted(heavy & set(sys.modules)));"
        "impasto.Style; print('torch' in sys.modules);"
        "impasto.list_methods(); print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]", "True", "False"]
