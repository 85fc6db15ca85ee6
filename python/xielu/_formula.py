"""xIELU in PyTorch's own operations: for float64, and where the shared library is missing."""

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
    if eps == 0:
        return _expm1_minus_x(x)
    # e^eps - 1 - x, arranged so that nothing cancels as x nears eps.
    at_eps = _expm1_minus_x(torch.full((), eps, dtype=x.dtype, device=x.device))
    return torch.where(x > eps, (eps - x) + at_eps, _expm1_minus_x(x))


def reference(
    x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float = 0.5, eps: float = 0.0
) -> Tensor:
    """The same function as :func:`xielu.xielu`, slower, and differentiable any number of times."""
    wide = _precise(x)
    p = softplus(alpha_p.to(wide.dtype), threshold=50.0)
    n = softplus(alpha_n.to(wide.dtype), threshold=50.0) + beta
    positive = wide.clamp(min=0.0)
    negative = n * _negative(wide, eps)
    value = torch.where(wide > 0, p * positive * positive, negative) + beta * wide
    return torch.where(wide.isneginf(), -wide, value).to(x.dtype)


def gradients(
    dy: Tensor, x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """dx and the gradients by the stored alphas, which are summed in float64."""
    wide, flow = _precise(x), _precise(dy)
    p = softplus(alpha_p.to(wide.dtype), threshold=50.0)
    n = softplus(alpha_n.to(wide.dtype), threshold=50.0) + beta
    exponential = torch.where(wide > eps, -1.0, torch.expm1(wide.clamp(max=0.0)))
    slope = torch.where(wide > 0, 2 * p * wide, n * exponential) + beta
    wide, flow = wide.double(), flow.double()
    by_p = torch.where(wide > 0, flow * wide * wide, 0.0).sum()
    by_n = torch.where(wide > 0, 0.0, flow * _negative(wide, eps)).sum()
    d_alpha_p = (by_p * alpha_p.double().sigmoid()).to(alpha_p.dtype)
    d_alpha_n = (by_n * alpha_n.double().sigmoid()).to(alpha_n.dtype)
    return (_precise(dy) * slope).to(x.dtype), d_alpha_p, d_alpha_n
