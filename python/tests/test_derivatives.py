"""Derivatives of every mode and order, in every nesting: right, never silently zero."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import xielu

# Away from 0 and from eps = -0.5, where the second derivative jumps.
X = [-3.0, -0.75, -0.25, 0.4, 1.0, 2.5]
FORMS = [0.0, -0.5, 0.5]


def plain(x, alpha_p, alpha_n, beta, eps):
    """The definition, for autograd to differentiate; without an effect of a positive eps."""
    p = torch.nn.functional.softplus(alpha_p).squeeze()
    n = torch.nn.functional.softplus(alpha_n).squeeze() + beta
    capped = torch.where(x > eps, eps, x) if eps < 0 else x
    return torch.where(x > 0, p * x * x, n * (torch.exp(capped) - 1 - x)) + beta * x


def inputs(dtype=torch.float64):
    x = torch.tensor(X, dtype=dtype)
    return x, torch.tensor([0.3], dtype=dtype), torch.tensor([-0.7], dtype=dtype)


def total(f):
    return lambda *tensors: torch.sin(f(*tensors)).sum()


def both_modes(f, tensors):
    """Gradients of a directional derivative."""
    directions = tuple(torch.ones_like(t) for t in tensors)
    return grad(lambda *t: jvp(total(f), t, directions)[1], (0, 1, 2))(*tensors)


TRANSFORMS = {
    "grad": lambda f, t: grad(total(f), (0, 1, 2))(*t),
    "vjp": lambda f, t: vjp(f, *t)[1](torch.ones_like(t[0])),
    "jvp": lambda f, t: jvp(f, t, tuple(torch.cos(v) for v in t)),
    "jvp of the alphas": lambda f, t: jvp(lambda p, n: f(t[0], p, n), t[1:], t[1:]),
    "vmap": lambda f, t: vmap(lambda x: f(x, *t[1:]))(t[0]),
    "vmap over alphas": lambda f, t: vmap(f, (None, 0, 0))(t[0], *(v.repeat(3, 1) for v in t[1:])),
    "gradients of samples": lambda f, t: vmap(grad(total(f), (0, 1, 2)), (0, None, None))(*t),
    "jacrev": lambda f, t: jacrev(f, (0, 1, 2))(*t),
    "jacfwd": lambda f, t: jacfwd(f, (0, 1, 2))(*t),
    "hessian": lambda f, t: hessian(total(f), (0, 1, 2))(*t),
    "jacrev of jacrev": lambda f, t: jacrev(jacrev(total(f), (0, 1, 2)), (0, 1, 2))(*t),
    "jacfwd of jacfwd": lambda f, t: jacfwd(jacfwd(total(f), (0, 1, 2)), (0, 1, 2))(*t),
    "jacrev of jacfwd": lambda f, t: jacrev(jacfwd(total(f), (0, 1, 2)), (0, 1, 2))(*t),
    "grad of jvp": both_modes,
    "third": lambda f, t: vmap(grad(grad(grad(lambda x: f(x, *t[1:])))))(t[0]),
}


@pytest.mark.parametrize("eps", FORMS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name, eps):
    transform = TRANSFORMS[name]
    found = transform(lambda *t: xielu.xielu(*t, 0.5, eps), inputs())
    torch.testing.assert_close(found, transform(lambda *t: plain(*t, 0.5, eps), inputs()))


@pytest.mark.parametrize("name", ["grad", "jvp", "vmap", "gradients of samples", "hessian"])
def test_compiled_transforms(name):
    transform = TRANSFORMS[name]
    found = torch.compile(lambda *t: transform(xielu.xielu, t), fullgraph=True)(*inputs())
    torch.testing.assert_close(found, transform(lambda *t: plain(*t, 0.5, 0.0), inputs()))


@pytest.mark.parametrize("eps", FORMS)
def test_gradcheck_of_both_modes_and_orders(eps):
    leaves = [t.requires_grad_() for t in inputs()]

    def f(*tensors):
        return xielu.xielu(*tensors, 0.5, eps)

    batched = {"check_batched_grad": True}
    assert torch.autograd.gradcheck(
        f, leaves, check_forward_ad=True, check_batched_forward_grad=True, **batched
    )
    assert torch.autograd.gradgradcheck(f, leaves, check_fwd_over_rev=True, **batched)
    # The operator of the gradients is differentiable as such, too.
    flow = torch.linspace(-1, 1, len(X), dtype=torch.float64, requires_grad=True)
    x, p, n = leaves
    operator = torch.ops.xielu.backward
    assert torch.autograd.gradcheck(
        lambda *t: operator(*t, 0.5, eps), (x, flow, p, n), check_forward_ad=True, **batched
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("trained", [False, True])
def test_tangents_of_the_kernels_types(dtype, trained):
    x, p, n = inputs(dtype)
    direction = torch.linspace(-1, 1, len(X), dtype=dtype)
    if trained:
        p, n = p.requires_grad_(), n.requires_grad_()
    with forward_ad.dual_level():
        y = xielu.xielu(forward_ad.make_dual(x, direction), p, n)
        found = forward_ad.unpack_dual(y)
    wide = (t.detach().double() for t in (x, p, n))
    x, p, n = wide
    truth = jvp(lambda x: plain(x, p, n, 0.5, 0.0), (x,), (direction.double(),))
    tolerance = 4 * torch.finfo(dtype).eps
    for ours, theirs in zip((found.primal, found.tangent), truth):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance)


def test_gradient_penalty():
    """What a second derivative is wanted for, in float32 and through the module."""
    layer = xielu.XIELU(dtype=torch.float32)
    leaves = [torch.tensor(X).requires_grad_(), *layer.parameters()]

    def penalty(y):
        (dx,) = torch.autograd.grad(y.sum(), leaves[0], create_graph=True)
        return torch.autograd.grad((dx**2).sum(), leaves)

    x, p, n = leaves
    torch.testing.assert_close(penalty(layer(x)), penalty(plain(x, p, n, 0.5, layer._scalars[1])))


def test_functional_call():
    layer = xielu.XIELU(dtype=torch.float64)
    parameters = {k: v.detach() for k, v in layer.named_parameters()}
    x, _, _ = inputs()
    found = grad(lambda p: functional_call(layer, p, (x,)).sum())(parameters)
    layer(x).sum().backward()
    torch.testing.assert_close(found, {k: v.grad for k, v in layer.named_parameters()})


def test_infinities_keep_their_slopes():
    """y is infinite there, its derivatives are those of the branch and not NaN."""
    _, p, n = inputs()
    x = torch.tensor([-float("inf"), float("inf")], dtype=torch.float64)
    for f in (xielu.xielu, xielu.reference):
        slope = jvp(lambda x: f(x, p, n), (x,), (torch.ones_like(x),))[1]
        torch.testing.assert_close(slope, torch.cat([-torch.nn.functional.softplus(n), x[1:]]))


@pytest.mark.parametrize("bad,error", [
    (lambda x, p, n: (x, p.expand(2), n), ValueError),
    (lambda x, p, n: (x, p, n.to(torch.complex128)), TypeError),
    (lambda x, p, n: (x, p, n, float("nan")), ValueError),
])
def test_bad_input(bad, error):
    x, p, n = inputs()
    with pytest.raises(error, match="xielu: "):
        jvp(lambda x: xielu.xielu(*bad(x, p, n)), (x,), (x,))
    with pytest.raises(ValueError, match="xielu: the gradient is torch.float64 .2,. on cpu, x "):
        torch.ops.xielu.backward(x, x[:2], p.requires_grad_(), n, 0.5, 0.0)
