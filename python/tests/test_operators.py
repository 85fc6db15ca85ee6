"""What PyTorch asks of an operator: gradcheck, opcheck, torch.compile, layouts, autocast."""

import pytest
import torch

import xielu

EPS = -1e-6


def inputs(dtype, shape=(4, 33), device="cpu"):
    generator = torch.Generator().manual_seed(7)
    x = (torch.randn(shape, generator=generator) - 0.8).to(device, dtype).requires_grad_()
    p = torch.tensor([0.3], dtype=dtype, device=device, requires_grad=True)
    n = torch.tensor([-0.7], dtype=dtype, device=device, requires_grad=True)
    return x, p, n


def test_the_kernels_are_there():
    assert xielu.available() and xielu.version() == "0.1.0"


@pytest.mark.parametrize("eps", [0.0, EPS])
def test_gradcheck(eps):
    assert torch.autograd.gradcheck(lambda *a: xielu.xielu(*a, 0.5, eps), inputs(torch.float64))


@pytest.mark.parametrize("eps", [0.0, EPS])
def test_the_formula_at_its_borders(eps):
    """Its autograd is the derivative where its branches meet, too."""
    x = torch.tensor([-0.5, 0.0, -0.0], dtype=torch.float64, requires_grad=True)
    p, n = (torch.tensor([a], dtype=torch.float64) for a in (0.3, -0.7))
    (found,) = torch.autograd.grad(xielu.reference(x, p, n, 0.5, eps).sum(), x)
    (truth,) = torch.autograd.grad(xielu.xielu(x, p, n, 0.5, eps).sum(), x)
    torch.testing.assert_close(found, truth)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_opcheck(dtype):
    torch.library.opcheck(torch.ops.xielu.forward, (*inputs(dtype), 0.5, EPS))
    dy = torch.ones(4, 33, dtype=dtype)
    detached = [t.detach() for t in inputs(dtype)]
    torch.library.opcheck(torch.ops.xielu.backward, (detached[0], dy, *detached[1:], 0.5, EPS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("eps", [0.0, EPS])
@pytest.mark.parametrize("n", [1000, 300_001])
def test_kernels_equal_autograd_of_the_formula(dtype, eps, n):
    x, p, a = inputs(dtype, (n,))
    dy = torch.randn(n, generator=torch.Generator().manual_seed(3)).to(dtype)
    found = torch.autograd.grad(xielu.xielu(x, p, a, 0.5, eps), (x, p, a), dy)
    wide = [t.detach().double().requires_grad_() for t in (x, p, a)]
    truth = torch.autograd.grad(xielu.reference(*wide, 0.5, eps), wide, dy.double())
    # dx may cross zero, and the sums cancel: relative to the terms, not to their difference.
    tolerance = 2 * torch.finfo(dtype).eps
    for f, t in zip(found, truth):
        torch.testing.assert_close(f.double(), t, rtol=tolerance, atol=2 * tolerance)


def test_threads_and_runs_change_no_bit():
    x, p, n = inputs(torch.float32, (600_000,))
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3, 3):
            torch.set_num_threads(count)
            y = xielu.xielu(x, p, n)
            results.append((y, *torch.autograd.grad(y, (x, p, n), torch.sin(x))))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layouts(dtype):
    x, p, n = inputs(dtype, (6, 8, 10))
    for view in (x.transpose(0, 2), x[::2, 1:, ::3], x[:, :1].expand(6, 8, 10), x[0, 0, 0]):
        y = xielu.xielu(view, p, n)
        assert y.shape == view.shape and y.is_contiguous()
        assert torch.equal(y, xielu.xielu(view.contiguous(), p, n))
    # A gradient that is one value seen many times.
    xielu.xielu(x.transpose(0, 2), p, n).sum().backward()
    plain = x.detach().clone().requires_grad_()
    xielu.xielu(plain, p, n).sum().backward()
    assert torch.equal(x.grad, plain.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_no_elements(dtype):
    x, p, n = inputs(dtype, (0, 5))
    y = xielu.xielu(x, p, n)
    y.sum().backward()
    assert y.shape == x.grad.shape == (0, 5)
    assert p.grad == 0 and n.grad == 0


@pytest.mark.parametrize("wanted", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1)])
def test_only_what_is_asked_for(wanted):
    tensors = [t.detach().requires_grad_(bool(w)) for t, w in zip(inputs(torch.float32), wanted)]
    xielu.xielu(*tensors).sum().backward()
    assert [t.grad is not None for t in tensors] == [bool(w) for w in wanted]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compile(dtype):
    layer = xielu.XIELU(dtype=dtype)
    x, _, _ = inputs(dtype)

    def f(x):
        return (layer(2 * x) + 1).sum()

    found = torch.autograd.grad(torch.compile(f, fullgraph=True)(x), [x, *layer.parameters()])
    eager = torch.autograd.grad(f(x), [x, *layer.parameters()])
    for a, b in zip(found, eager):
        torch.testing.assert_close(a, b)


def test_autocast_changes_nothing():
    """The type is the input's; the alphas may be float32 masters of a bfloat16 model."""
    x, _, _ = inputs(torch.bfloat16)
    p, n = (t.float().detach().requires_grad_() for t in inputs(torch.bfloat16)[1:])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = xielu.xielu(x, p, n)
        assert xielu.xielu(x.float(), p, n).dtype == torch.float32
    assert y.dtype == torch.bfloat16 and torch.equal(y, xielu.xielu(x, p, n))
    y.sum().backward()
    assert p.grad.dtype == torch.float32


def test_diverged_alphas_give_nan():
    x, p, n = inputs(torch.float32)
    assert xielu.xielu(x, p * float("nan"), n)[x > 0].isnan().all()


@pytest.mark.parametrize("bad,error", [
    (lambda x, p, n: (x.int(), p, n), TypeError),
    (lambda x, p, n: (x, p.int(), n), TypeError),
    (lambda x, p, n: (x, p, n.to(torch.complex64)), TypeError),
    (lambda x, p, n: (x, p.expand(2), n), ValueError),
    (lambda x, p, n: (x, p, n[:0]), ValueError),
    (lambda x, p, n: (x, p.to("meta"), n), ValueError),
    (lambda x, p, n: (x, p, n, 0.5, float("inf")), ValueError),
    (lambda x, p, n: (x, p, n, float("nan")), ValueError),
])
def test_bad_input(bad, error):
    with pytest.raises(error, match="xielu: "):
        xielu.xielu(*bad(*(t.detach() for t in inputs(torch.float32))))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("n", [1, 1000, 300_001])
def test_cuda_equals_cpu(dtype, n):
    dy = torch.randn(n, generator=torch.Generator().manual_seed(3)).to(dtype)
    results = []
    for device in ("cpu", "cuda"):
        tensors = inputs(dtype, (n,), device)
        y = xielu.xielu(*tensors, 0.5, EPS)
        results.append([y, *torch.autograd.grad(y, tensors, dy.to(device))])
    for a, b in zip(*results):
        assert torch.equal(a, b.cpu())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_opcheck_on_cuda():
    args = inputs(torch.float32, device="cuda")
    torch.library.opcheck(torch.ops.xielu.forward, (*args, 0.5, EPS))
    with pytest.raises(ValueError, match="xielu: alpha_p is on cpu"):
        xielu.xielu(args[0], args[1].cpu(), args[2])


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_no_cuda_device_is_an_error_that_says_so():
    from xielu import _library

    with pytest.raises(RuntimeError, match="xielu: "):
        _library.cuda_device(0)
