"""Three optimisers: L-BFGS on Fourier coefficients, L-BFGS within bounds, Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.errors import DivergedError
from impasto.methods.optimization.laplacian import join_bands, split_bands
from impasto.methods.optimization.monitor import Monitor, Stop


def lbfgs(monitor: Monitor, start: Tensor, _: Any) -> None:
    """Minimise by PyTorch's L-BFGS, one iteration for each step.

    The sum of absolute changes in its first step is 1, whatever the gradient. Here the parameters
    are multiplied by ``gain``, which makes that step ``first_step`` for each pixel on average.
    Later steps do not depend on this scale. After a divergence steps are as long as a line search
    for the strong Wolfe conditions finds, which takes little more memory.

    Args:
        monitor: Evaluates the objective, and raises to end the run.
        start: (1, 3, H, W).
    """
    gain = monitor.config.first_step * start.numel()
    to_pixels = coordinates(start, monitor.config.spectrum)
    variable = torch.zeros_like(start, requires_grad=True)
    optimizer = _lbfgs_of(variable, monitor)
    scale: float | None = None

    def closure() -> Tensor:
        nonlocal scale
        image = start + gain * to_pixels(variable)
        if monitor.has_line_search and not bool(image.isfinite().all()):
            raise Stop  # at a minimum it interpolates between equal points
        total = monitor.evaluate(image)
        if scale is None:  # L-BFGS drops small curvature pairs: scale the loss to about 1e6
            scale = 1e6 / max(abs(float(total.detach())), 1e-30)
        (gradient,) = torch.autograd.grad(total * scale, variable)
        _check_gradient(gradient, monitor.steps)
        variable.grad = gradient.contiguous()
        return total.detach() * scale

    while True:
        optimizer.step(closure)
        monitor.step(start + gain * to_pixels(variable.detach()))
        if monitor.stochastic and monitor.steps % monitor.config.redraw == 0:
            monitor.redraw()
            optimizer = _lbfgs_of(variable, monitor)


def _lbfgs_of(variable: Tensor, monitor: Monitor) -> torch.optim.LBFGS:
    return torch.optim.LBFGS(
        [variable],
        lr=monitor.config.learning_rate,
        max_iter=1,
        max_eval=20,  # of a line search
        history_size=monitor.config.history,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe" if monitor.has_line_search else None,
    )


def coordinates(image: Tensor, spectrum: float) -> Callable[[Tensor], Tensor]:
    """Return the linear map from the optimiser's parameters to pixels.

    It is a filter with gain f^-spectrum at frequency f, and a root mean square gain of 1. The
    amplitudes of images fall off like 1/f, so that an optimiser on plain pixels is slow to change
    large areas of colour. Measured on a Gatys objective at 256 pixels, f^-1/2 reaches after 57
    steps the loss that plain pixels reach after 100; f^-1/4 and f^-1 gain less.

    Args:
        image: (1, 3, H, W), for its size and device.
        spectrum: The exponent; 0 is the identity.
    """
    if not spectrum:
        return lambda pixels: pixels
    height, width = image.shape[-2:]
    fy = torch.fft.fftfreq(height, device=image.device).unsqueeze(1)
    fx = torch.fft.rfftfreq(width, device=image.device)
    frequency = (fy.square() + fx.square()).sqrt().clamp_min(1 / max(height, width))
    gains = frequency**-spectrum
    gains = gains / gains.square().mean().sqrt()

    def to_pixels(coefficients: Tensor) -> Tensor:
        filtered: Tensor = torch.fft.irfft2(
            torch.fft.rfft2(coefficients) * gains, s=(height, width)
        )
        return filtered

    return to_pixels


def adam(monitor: Monitor, start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> None:
    """Minimise by PyTorch's Adam on Laplacian bands; each restart halves the learning rate.

    Args:
        monitor: Evaluates the objective, and raises to end the run.
        start: (1, 3, H, W).
        bounds: Lowest and highest value of each channel, (1, 3, 1, 1) each; None is no bounds.
    """
    config = monitor.config
    bands = [band.clone().requires_grad_() for band in split_bands(start, config.bands)]
    rate = config.learning_rate / 2**monitor.restarts
    optimizer = torch.optim.Adam(bands, lr=rate)
    average, decay, weight = torch.zeros_like(start), config.averaging, 0.0
    while True:
        done = monitor.steps / max(config.steps - 1, 1)
        optimizer.param_groups[0]["lr"] = rate * (1 + (config.final_rate - 1) * min(done, 1))
        total = monitor.evaluate(join_bands(bands))
        gradients = torch.autograd.grad(total, bands)
        for band, gradient in zip(bands, gradients, strict=True):
            _check_gradient(gradient, monitor.steps)
            band.grad = gradient
        optimizer.step()
        with torch.no_grad():
            image = join_bands(bands)
            if bounds is not None:
                image = image.clamp(*bounds)
                for band, bounded in zip(bands, split_bands(image, config.bands), strict=True):
                    band.copy_(bounded)
            average, weight = average * decay + image * (1 - decay), weight * decay + 1 - decay
        monitor.step(average / weight)
        monitor.redraw()


def lbfgsb(monitor: Monitor, start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> None:
    """Minimise by SciPy's L-BFGS-B, which Gatys uses for textures, with pixels within bounds.

    Args:
        monitor: Evaluates the objective, and raises to end the run.
        start: (1, 3, H, W).
        bounds: Lowest and highest value of each channel, (1, 3, 1, 1) each; None is 0 and 1.
    """
    from scipy import optimize

    low, high = bounds if bounds is not None else (start.new_zeros(1), start.new_ones(1))
    scale: float | None = None

    def to_image(x: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(x).to(start).view_as(start)

    def evaluate(x: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
        nonlocal scale
        variable = to_image(x).requires_grad_()
        total = monitor.evaluate(variable)
        if scale is None:
            scale = 1e6 / max(abs(float(total.detach())), 1e-30)
        (gradient,) = torch.autograd.grad(total * scale, variable)
        _check_gradient(gradient, monitor.steps)
        return float(total.detach()) * scale, gradient.double().flatten().cpu().numpy()

    limits = [limit.expand_as(start).flatten().double().cpu().numpy() for limit in (low, high)]
    steps = monitor.config.redraw if monitor.stochastic else monitor.config.steps
    most = {"maxiter": steps, "maxfun": steps * 10, "maxcor": monitor.config.history}
    x = start.clamp(low, high).double().flatten().cpu().numpy()
    while True:
        found = optimize.minimize(
            evaluate,
            x,
            jac=True,
            method="L-BFGS-B",
            bounds=optimize.Bounds(*limits),
            callback=lambda x: monitor.step(to_image(x)),
            options={**most, "ftol": 0, "gtol": 0},
        )
        if not monitor.stochastic or not found.nit:
            return
        x = found.x
        monitor.redraw()


def _check_gradient(gradient: Tensor, steps: int) -> None:
    if not bool(torch.isfinite(gradient).all()):
        raise DivergedError(f"the gradient is not finite at step {steps + 1}")
