"""The operators `xielu::forward` and `xielu::backward`, known to autograd and torch.compile."""

import math

import torch
from torch import Tensor

from . import _formula, _kernels, _library

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def _check(x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float) -> None:
    if x.dtype not in FLOATS:
        raise TypeError(f"xielu: x is {x.dtype}, not float32, bfloat16, float16 or float64")
    for name, alpha in (("alpha_p", alpha_p), ("alpha_n", alpha_n)):
        if alpha.dtype not in FLOATS:
            raise TypeError(f"xielu: {name} is {alpha.dtype}, not a floating-point type")
        if alpha.numel() != 1:
            raise ValueError(f"xielu: {name} has shape {tuple(alpha.shape)}, not one element")
        if alpha.device != x.device:
            raise ValueError(f"xielu: {name} is on {alpha.device}, x on {x.device}")
    if not (math.isfinite(beta) and math.isfinite(eps) and eps <= 0):
        raise ValueError(f"xielu: beta {beta} and eps {eps} must be finite, and eps not positive")


def _raw(alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float) -> _library.Raw | None:
    """The scalars for the CPU kernels, which take finite ones only."""
    alphas = alpha_p.item(), alpha_n.item()
    return _library.Raw(*alphas, beta, eps) if all(map(math.isfinite, alphas)) else None


def _has_kernels(x: Tensor, device: str) -> bool:
    return x.device.type == device and x.dtype in _kernels.NAMES and _library.available()


@torch.library.custom_op("xielu::forward", mutates_args=())
def forward(x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float) -> Tensor:
    scalars = alpha_p, alpha_n, beta, eps
    _check(x, *scalars)
    if _has_kernels(x, "cuda"):
        return _kernels.cuda_forward(x.contiguous(), *scalars)
    if _has_kernels(x, "cpu") and (raw := _raw(*scalars)) is not None:
        return _kernels.cpu_forward(x.contiguous(), raw)
    alphas = alpha_p.reshape(()), alpha_n.reshape(())
    return _formula.reference(x.contiguous(), *alphas, beta, eps).clone()


@forward.register_fake
def _(x, alpha_p, alpha_n, beta, eps):
    _check(x, alpha_p, alpha_n, beta, eps)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@torch.library.custom_op("xielu::backward", mutates_args=())
def backward(
    dy: Tensor, x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    scalars = alpha_p, alpha_n, beta, eps
    _check(x, *scalars)
    if dy.shape != x.shape or dy.dtype != x.dtype or dy.device != x.device:
        raise ValueError(f"xielu: the gradient is {dy.dtype} {tuple(dy.shape)}, unlike x")
    x, dy = x.contiguous(), dy.contiguous()
    if _has_kernels(x, "cuda"):
        dx, p, n = _kernels.cuda_backward(dy, x, *scalars)
    elif _has_kernels(x, "cpu") and (raw := _raw(*scalars)) is not None:
        dx, p, n = _kernels.cpu_backward(dy, x, raw)
    else:
        alphas = alpha_p.reshape(()), alpha_n.reshape(())
        dx, p, n = _formula.gradients(dy, x, *alphas, beta, eps)
    return dx, _like(alpha_p, p), _like(alpha_n, n)


def _like(alpha: Tensor, gradient: Tensor | float) -> Tensor:
    out = torch.empty_like(alpha, memory_format=torch.contiguous_format)
    return out.copy_(gradient) if isinstance(gradient, Tensor) else out.fill_(gradient)


@backward.register_fake
def _(dy, x, alpha_p, alpha_n, beta, eps):
    return tuple(
        torch.empty_like(t, memory_format=torch.contiguous_format) for t in (x, alpha_p, alpha_n)
    )


def _save(ctx, inputs, output):
    x, alpha_p, alpha_n, ctx.beta, ctx.eps = inputs
    ctx.save_for_backward(x, alpha_p, alpha_n)


def _differentiate(ctx, dy):
    found = backward(dy, *ctx.saved_tensors, ctx.beta, ctx.eps)
    wanted = zip(found, ctx.needs_input_grad)
    return *(gradient if needed else None for gradient, needed in wanted), None, None


forward.register_autograd(_differentiate, setup_context=_save)


def _no_second_order(ctx, *_):
    raise RuntimeError(
        "xielu: second derivatives need xielu.reference, the kernels have first ones only"
    )


backward.register_autograd(_no_second_order)


def xielu(
    x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float = 0.5, eps: float = 0.0
) -> Tensor:
    """xIELU of every element of ``x``, in its type; ``alpha_p`` and ``alpha_n`` have one element.

    ``eps = 0`` is the ideal function, ``eps = -1e-6`` what transformers evaluates. 16-bit types
    are computed in float32 and rounded once. The alphas may have any floating-point type.
    """
    return forward(x, alpha_p, alpha_n, beta, eps)
