"""Against truth of 60 digits: the kernels in float32, the formula in float64."""

import pytest
import torch

import xielu

FORMS = [("ideal", 0.0), ("eps", -9.999999974752427e-07)]
ULP = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}


def computed(s, eps, dtype):
    """y and f'(x) of all inputs, and each input's own gradients by the alphas."""
    p, n = (torch.tensor([a], dtype=dtype, requires_grad=True) for a in (s.alpha_p, s.alpha_n))
    x = torch.tensor(s.x, dtype=dtype, requires_grad=True)
    y = xielu.xielu(x, p, n, 0.5, eps)
    (dx,) = torch.autograd.grad(y.sum(), x)
    alphas = [torch.autograd.grad(xielu.xielu(v, p, n, 0.5, eps), (p, n)) for v in x.detach()]
    by_p, by_n = (torch.cat(column) for column in zip(*alphas))
    return {"y": y.detach(), "dy_dx": dx, "dy_draw_p": by_p, "dy_draw_n": by_n}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form,eps", FORMS)
def test_truth(vectors, form, eps, dtype):
    worst = {}
    for s in vectors:
        for name, found in computed(s, eps, dtype).items():
            truth = torch.tensor(s.truth(form, name), dtype=torch.float64)
            x = torch.tensor(s.x, dtype=torch.float64)
            term = {"y": 0.5 * x, "dy_dx": torch.full_like(x, 0.5)}.get(name, truth)
            term = torch.maximum(term.abs(), truth.abs())
            fits = truth.abs() < torch.finfo(dtype).max
            assert found.isinf()[~fits].all()
            # Subnormal results are rounded absolutely.
            floor = torch.finfo(dtype).smallest_normal
            unit = ULP[dtype] * term.clamp(min=floor)
            error = ((found.double() - truth).abs() / unit)[fits].max().item()
            worst[name] = max(worst.get(name, 0.0), error)
    print(form, dtype, worst)
    # float64 also sees the alphas' and constants' last digits, of which eps is a difference.
    bound = 8.0 if dtype == torch.float64 else 4.0
    assert all(error <= bound for error in worst.values()), worst


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_are_rounded_once(dtype):
    x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    x = x[x.isfinite()]
    p, n = torch.tensor([0.3]), torch.tensor([-0.7])
    found = xielu.xielu(x, p, n)
    truth = xielu.reference(x.double(), p.double(), n.double()).to(dtype)
    differ = found != truth
    assert differ.sum() <= 10
    one_off = (found.view(torch.int16).int() - truth.view(torch.int16).int()).abs()
    assert one_off.max() <= 1


def test_infinities_and_nan():
    p, n = torch.tensor([0.3]), torch.tensor([-0.7])
    inf = float("inf")
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([inf, -inf, float("nan")], dtype=dtype)
        y = xielu.xielu(x, p.to(dtype), n.to(dtype))
        assert y[0] == inf and y[1] == inf and y[2].isnan()
