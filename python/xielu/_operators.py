"""The operators `xielu::forward` and `xielu::backward`, known to autograd and torch.compile.

Both are opaque to the compiler. First derivatives by autograd are the kernels'. For those in forward
mode, of the derivatives themselves, and of torch.func, PyTorch's operations take over: their rules
are right in every nesting, those of an autograd.Function are not (a tangent of a tangent is lost).
"""

import math

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

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
    if not (math.isfinite(beta) and math.isfinite(eps)):
        raise ValueError(f"xielu: beta {beta} and eps {eps} must be finite")


def _check_flow(x: Tensor, go: Tensor) -> None:
    if go.shape != x.shape or go.dtype != x.dtype or go.device != x.device:
        raise ValueError(
            f"xielu: the gradient is {go.dtype} {tuple(go.shape)} on {go.device}, "
            f"x {x.dtype} {tuple(x.shape)} on {x.device}"
        )


def _raw(alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float) -> _library.Raw | None:
    """The scalars for the CPU kernels, which take finite ones only."""
    alphas = alpha_p.item(), alpha_n.item()
    return _library.Raw(*alphas, beta, eps) if all(map(math.isfinite, alphas)) else None


def _has_kernels(x: Tensor, device: str) -> bool:
    return (
        x.device.type == device
        and x.dtype in _kernels.NAMES
        and _library.available()
        and (device != "cuda" or _library.has_cuda(x.device.index))
    )


def _forward(x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float) -> Tensor:
    _check(x, alpha_p, alpha_n, beta, eps)
    # Above every x that eps bounds, a positive one changes nothing; the kernels take none.
    scalars = alpha_p, alpha_n, beta, min(eps, 0.0)
    if _has_kernels(x, "cpu") and (raw := _raw(*scalars)) is not None:
        return _kernels.cpu_forward(x.contiguous(), raw)
    if _has_kernels(x, "cuda"):
        return _kernels.cuda_forward(x.contiguous(), *scalars)
    return _formula.reference(x.contiguous(), *scalars)


def _backward(
    x: Tensor, go: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    _check(x, alpha_p, alpha_n, beta, eps)
    _check_flow(x, go)
    scalars = alpha_p, alpha_n, beta, min(eps, 0.0)
    x, go = x.contiguous(), go.contiguous()
    if _has_kernels(x, "cpu") and (raw := _raw(*scalars)) is not None:
        dx, p, n = _kernels.cpu_backward(go, x, raw)
    elif _has_kernels(x, "cuda"):
        dx, p, n = _kernels.cuda_backward(go, x, *scalars)
    else:
        dx, p, n = _formula.gradients(x, go, *scalars)
    return dx, _like(alpha_p, p), _like(alpha_n, n)


def _like(alpha: Tensor, gradient: Tensor | float) -> Tensor:
    out = torch.empty_like(alpha, memory_format=torch.contiguous_format)
    return out.copy_(gradient) if isinstance(gradient, Tensor) else out.fill_(gradient)


def _fake_forward(x, alpha_p, alpha_n, beta, eps):
    _check(x, alpha_p, alpha_n, beta, eps)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _fake_backward(x, go, alpha_p, alpha_n, beta, eps):
    _check(x, alpha_p, alpha_n, beta, eps)
    _check_flow(x, go)
    return tuple(
        torch.empty_like(t, memory_format=torch.contiguous_format) for t in (x, alpha_p, alpha_n)
    )


class _Xielu(torch.autograd.Function):
    """The gradients of the kernels."""

    @staticmethod
    def forward(ctx, x, alpha_p, alpha_n, beta, eps):
        ctx.save_for_backward(x, alpha_p, alpha_n)
        ctx.beta, ctx.eps = beta, eps
        with torch._C._AutoDispatchBelowAutograd():
            return forward(x, alpha_p, alpha_n, beta, eps)

    @staticmethod
    def backward(ctx, go):
        x, alpha_p, alpha_n = ctx.saved_tensors
        found = backward(x, go, alpha_p, alpha_n, ctx.beta, ctx.eps)
        wanted = zip(found, ctx.needs_input_grad)
        return *(gradient if needed else None for gradient, needed in wanted), None, None


def _has_tangent(*tensors: Tensor) -> bool:
    return any(unpack_dual(t).tangent is not None for t in tensors)


def _records(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _autograd_forward(x, alpha_p, alpha_n, beta, eps):
    tensors = x, alpha_p, alpha_n
    if torch._C._are_functorch_transforms_active() or _has_tangent(*tensors):
        _check(*tensors, beta, eps)
        return _formula.reference(*tensors, beta, eps)
    if _records(*tensors):
        return _Xielu.apply(*tensors, beta, eps)
    with torch._C._AutoDispatchBelowAutograd():
        return forward(*tensors, beta, eps)


def _autograd_backward(x, go, alpha_p, alpha_n, beta, eps):
    tensors = x, go, alpha_p, alpha_n
    if _records(*tensors) or _has_tangent(*tensors):
        _check(x, alpha_p, alpha_n, beta, eps)
        _check_flow(x, go)
        return _formula.gradients(*tensors, beta, eps)
    with torch._C._AutoDispatchBelowAutograd():
        return backward(*tensors, beta, eps)


def _samples(info, in_dims, tensors):
    for i in range(info.batch_size):
        yield (t if d is None else t.select(d, i) for t, d in zip(tensors, in_dims))


def _vmap_forward(info, in_dims, x, alpha_p, alpha_n, beta, eps):
    if in_dims[1] is None and in_dims[2] is None:
        return forward(x.movedim(in_dims[0], 0), alpha_p, alpha_n, beta, eps), 0
    samples = _samples(info, in_dims, (x, alpha_p, alpha_n))
    return torch.stack([forward(*sample, beta, eps) for sample in samples]), 0


def _vmap_backward(info, in_dims, x, go, alpha_p, alpha_n, beta, eps):
    # Each sample has its own sums.
    samples = _samples(info, in_dims, (x, go, alpha_p, alpha_n))
    found = [backward(*sample, beta, eps) for sample in samples]
    return tuple(map(torch.stack, zip(*found))), (0, 0, 0)


_SCALARS = "Tensor alpha_p, Tensor alpha_n, float beta, float eps"
# Lives as long as the module: the operators go with it.
_operators = torch.library.Library("xielu", "FRAGMENT")


def _define(schema: str, compute, fake, autograd, vmap):
    _operators.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    name = schema[: schema.index("(")]
    _operators.impl(name, compute, "CompositeExplicitAutograd")
    _operators.impl(name, autograd, "Autograd")
    torch.library.register_fake(f"xielu::{name}", fake, lib=_operators)
    torch.library.register_vmap(f"xielu::{name}", vmap, lib=_operators)
    return getattr(torch.ops.xielu, name).default


forward = _define(
    f"forward(Tensor x, {_SCALARS}) -> Tensor",
    _forward,
    _fake_forward,
    _autograd_forward,
    _vmap_forward,
)
backward = _define(
    f"backward(Tensor x, Tensor go, {_SCALARS}) -> (Tensor, Tensor, Tensor)",
    _backward,
    _fake_backward,
    _autograd_backward,
    _vmap_backward,
)


def _alias(schema: str, compute) -> None:
    """An operator of the upstream package, in terms of these two."""
    _operators.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _operators.impl(schema[: schema.index("(")], compute, "CompositeImplicitAutograd")


def _with_loads(x, alpha_p, alpha_n, beta, eps, with_vector_loads):
    return forward(x, alpha_p, alpha_n, beta, eps)


def _backward_with_loads(x, alpha_p, alpha_n, eps, beta, with_vector_loads, grad_output):
    return backward(x, grad_output, alpha_p, alpha_n, beta, eps)


_alias(f"xielu(Tensor x, {_SCALARS}) -> Tensor", forward)
for _name in ("xielu_forward", "forward_impl"):
    _alias(f"{_name}(Tensor x, {_SCALARS}, bool with_vector_loads) -> Tensor", _with_loads)
for _name in ("xielu_backward", "backward_impl"):
    _alias(
        f"{_name}(Tensor x, Tensor alpha_p, Tensor alpha_n, float eps, float beta, "
        "bool with_vector_loads, Tensor grad_output) -> (Tensor, Tensor, Tensor)",
        _backward_with_loads,
    )


def xielu(
    x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float = 0.5, eps: float = 0.0
) -> Tensor:
    """xIELU of every element of ``x``, in its type; ``alpha_p`` and ``alpha_n`` have one element.

    ``eps = 0`` is the ideal function, and so is every positive one; ``eps = -1e-6`` is what
    transformers evaluates. 16-bit types are computed in float32 and rounded once. The alphas may
    have any floating-point type.
    """
    return forward(x, alpha_p, alpha_n, beta, eps)
