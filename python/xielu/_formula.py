"""xIELU in PyTorch's own operations: float64, derivatives of any order, and where kernels miss."""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def _precise(x: Tensor) -> Tensor:
    """16-bit types are computed in float32."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _expm1_minus_x(x: Tensor) -> Tensor:
    """e^x - 1 - x for x <= 0. Near 0 the difference would cancel: Taylor's series instead."""
    # `where`, not `clamp`: the derivative at the border itself must be the taken branch's.
    near = torch.where(x >= -0.5, x, -0.5)
    series = torch.ones_like(near)
    for n in range(19, 2, -1):
        series = 1 + series * near / n
    # Not -inf: its branch is not taken, and must stay finite under autograd.
    far = torch.where(x < -0.5, x, -0.5)
    return torch.where(x >= -0.5, near * near / 2 * series, torch.expm1(far) - far)


def _negative(x: Tensor, eps: float) -> Tensor:
    """e^min(x, eps) - 1 - x for x <= 0."""
    x = torch.where(x > 0, 0.0, x)
    # A positive eps is above every x that comes here.
    if eps >= 0:
        return _expm1_minus_x(x)
    # e^eps - 1 - x, arranged so that nothing cancels as x nears eps.
    at_eps = _expm1_minus_x(torch.full((), eps, dtype=x.dtype, device=x.device))
    return torch.where(x > eps, (eps - x) + at_eps, _expm1_minus_x(x))


def _effective(alpha_p: Tensor, alpha_n: Tensor, beta: float, dtype: torch.dtype):
    p = softplus(alpha_p.reshape(()).to(dtype), threshold=50.0)
    return p, softplus(alpha_n.reshape(()).to(dtype), threshold=50.0) + beta


def reference(
    x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float = 0.5, eps: float = 0.0
) -> Tensor:
    """The same function as :func:`xielu.xielu` in PyTorch's operations, slower."""
    wide = _precise(x)
    p, n = _effective(alpha_p, alpha_n, beta, wide.dtype)
    # At -inf its terms would cancel to NaN, in the derivatives, too.
    endless = wide.isneginf()
    finite = torch.where(endless, -1.0, wide)
    positive = torch.where(finite > 0, finite, 0.0)
    negative = n * _negative(finite, eps)
    value = torch.where(finite > 0, p * positive * positive, negative) + beta * finite
    return torch.where(endless, (beta - n) * wide, value).to(x.dtype)


def _by_x(x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float) -> Tensor:
    """df/dx of every element, in the type of ``x``."""
    p, n = _effective(alpha_p, alpha_n, beta, x.dtype)
    positive = torch.where(x > 0, x, 0.0)
    below = torch.where(x > 0, 0.0, x)
    exponential = torch.where(below > eps, -1.0, torch.expm1(below))
    return torch.where(x > 0, 2 * p * positive, n * exponential) + beta


def _by_alphas(x: Tensor, alpha_p: Tensor, alpha_n: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """df by the stored alphas of every element, in the type of ``x``."""
    positive = torch.where(x > 0, x, 0.0)
    negative = torch.where(x > 0, 0.0, _negative(x, eps))
    slopes = (alpha.reshape(()).to(x.dtype).sigmoid() for alpha in (alpha_p, alpha_n))
    return next(slopes) * (positive * positive), next(slopes) * negative


def gradients(
    x: Tensor, dy: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """dx and the gradients by the stored alphas, which are summed in float64.

    Differentiable any number of times itself, as :func:`reference` is.
    """
    wide = _precise(x)
    dx = (_precise(dy) * _by_x(wide, alpha_p, alpha_n, beta, eps)).to(x.dtype)
    by_alphas = _by_alphas(wide.double(), alpha_p, alpha_n, eps)
    sums = ((dy.double() * slope).sum() for slope in by_alphas)
    alphas = zip(sums, (alpha_p, alpha_n))
    return dx, *(s.to(alpha.dtype).reshape(alpha.shape) for s, alpha in alphas)
