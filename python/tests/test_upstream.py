"""The public names of the upstream package, called as its users call them."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import nn

import xielu
import xielu.ops
from xielu.ops import wrappers

SCALARS = torch.tensor([0.3]), torch.tensor([-0.7])


def definition(x, alpha_p, alpha_n, beta=0.5, eps=-1e-6):
    p, n = nn.functional.softplus(alpha_p), nn.functional.softplus(alpha_n) + beta
    below = n * (torch.expm1(x.clamp(max=eps)) - x) + beta * x
    return torch.where(x > 0, p * x * x + beta * x, below)


def test_signatures():
    """Positions count: scripts pass `device` and `dtype` without their names."""
    first = ["alpha_p_init", "alpha_n_init", "beta", "eps", "device", "dtype"]
    more = {"XIELU": ["with_vector_loads"]}
    for name in ("XIELU", "XIELUfn", "XIELUPy", "create_xielu_params"):
        parameters = inspect.signature(getattr(wrappers, name)).parameters
        assert list(parameters) == first + more.get(name, [])
    # The order of transformers' class, whose place this one takes.
    ours = list(inspect.signature(xielu.XIELU).parameters)
    assert ours == [*first[:4], "dtype", "with_vector_loads", "device"]


@pytest.mark.parametrize("name", ["XIELU", "XIELUfn", "XIELUPy"])
@pytest.mark.parametrize("eps", [1e-6, -1e-6])
def test_modules(name, eps):
    cls = getattr(wrappers, name)
    layer = cls(0.9, 0.7, 0.5, eps, torch.device("cpu"), torch.float64)
    assert list(layer.state_dict()) == ["alpha_p", "alpha_n"]
    assert (layer.beta, layer.eps) == (0.5, eps) and layer.alpha_p.shape == (1,)
    effective = nn.functional.softplus(layer.alpha_p), 0.5 + nn.functional.softplus(layer.alpha_n)
    torch.testing.assert_close([e.item() for e in effective], [0.9, 0.7])
    x = torch.linspace(-3, 3, 64, dtype=torch.float64, requires_grad=True)
    leaves = [x, layer.alpha_p, layer.alpha_n]
    truth = definition(*leaves, eps=eps)
    torch.testing.assert_close(layer(x), truth)
    torch.testing.assert_close(layer.forward_inference(*leaves), truth)
    found = torch.autograd.grad(layer(x).sum(), leaves)
    torch.testing.assert_close(found, torch.autograd.grad(truth.sum(), leaves))
    copy.deepcopy(layer)


def test_devices_and_loads():
    assert wrappers.XIELU(device="meta").alpha_n.is_meta
    assert wrappers.XIELU(with_vector_loads=False).with_vector_loads is False
    for layer in (xielu.XIELU(device="meta"), wrappers.XIELUPy(device="meta")):
        assert all(t.is_meta for t in layer.state_dict().values())
    with torch.device("meta"):
        assert wrappers.XIELU().alpha_p.is_meta and xielu.XIELU().beta.is_meta
    assert xielu.XIELU(0.8, 0.8, 0.5, 1e-6, torch.bfloat16, True).alpha_p.dtype == torch.bfloat16


class Own(nn.Module):
    """A module with parameters of its own, as forks of Megatron have it."""

    def __init__(self, alpha_p_init=0.8, alpha_n_init=0.8, beta=0.5, eps=1e-6, loads=True):
        super().__init__()
        init = torch.tensor([alpha_p_init, alpha_n_init - beta])
        p, n = torch.log(torch.exp(init) - 1.0).split(1)
        self.alpha_p, self.alpha_n = nn.Parameter(p), nn.Parameter(n)
        self.beta, self.eps, self.loads = beta, eps, loads
        self.cuda_obj = torch.classes.xielu.XIELU()

    def forward(self, x):
        scalars = self.alpha_p, self.alpha_n, self.beta, self.eps
        return self.cuda_obj.forward(x, *scalars, self.loads)


@pytest.mark.parametrize("eps", [1e-6, -1e-6])
def test_the_class(eps):
    layer = Own(eps=eps)
    x = torch.linspace(-3, 3, 64).view(2, 4, 8).requires_grad_()
    leaves = [x, *layer.parameters()]
    truth = definition(*leaves, eps=eps)
    gradients = torch.autograd.grad(truth.sum(), leaves)
    for call in (layer, torch.compile(layer, fullgraph=True), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(call(x), truth)
    found = torch.autograd.grad(torch.compile(layer, fullgraph=True)(x).sum(), leaves)
    torch.testing.assert_close(found, gradients)


def test_the_class_takes_constants_as_tensors():
    x = torch.linspace(-3, 3, 64)
    found = torch.classes.xielu.XIELU().forward(
        x, *SCALARS, torch.tensor(0.5), torch.tensor(-1e-6), True
    )
    assert torch.equal(found, xielu.xielu(x, *SCALARS, 0.5, -1e-6))


@pytest.mark.parametrize("eps", [1e-6, -1e-6])
def test_operators(eps):
    x = torch.linspace(-3, 3, 64)
    dy = torch.cos(x)
    p, n = SCALARS
    ops = torch.ops.xielu
    y = xielu.xielu(x, p, n, 0.5, eps)
    gradients = ops.backward(x, dy, p, n, 0.5, eps)
    leaves = [t.clone().requires_grad_() for t in (x, p, n)]
    for f in (
        lambda *t: ops.forward(*t, 0.5, eps),
        lambda *t: ops.xielu(*t, 0.5, eps),
        lambda *t: ops.xielu_forward(*t, 0.5, eps, True),
        lambda *t: wrappers.xielu_forward(*t, 0.5, eps, with_vector_loads=False),
        lambda *t: ops.forward_impl(*t, 0.5, eps, True),
    ):
        assert torch.equal(f(x, p, n), y)
        assert torch.equal(torch.compile(f, fullgraph=True)(x, p, n), y)
        for a, b in zip(torch.autograd.grad(f(*leaves), leaves, dy), gradients):
            assert torch.equal(a, b)
    # Beta and eps change places here.
    for f in (ops.xielu_backward, ops.backward_impl, wrappers.xielu_backward):
        for a, b in zip(f(x, p, n, eps, 0.5, True, dy), gradients):
            assert torch.equal(a, b)
