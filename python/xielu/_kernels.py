"""Calls of the kernels on contiguous tensors."""

import os
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref

import torch
from torch import Tensor

from . import _library as c

NAMES = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
CUDA_DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
# Below this many elements threads cost more than they gain.
PARALLEL = 1 << 18

_forked = False


def _in_child() -> None:
    global _forked
    _forked = True


# A forked process has none of its parent's pool threads: waiting for them would never end.
os.register_at_fork(after_in_child=_in_child)


def _threads(n: int) -> int:
    return 1 if _forked or n < PARALLEL else torch.get_num_threads()


def cpu_forward(x: Tensor, raw: c.Raw) -> Tensor:
    lib, n = c.library(), x.numel()
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    f = c.Activation()
    c.check(lib.xielu_freeze_with_eps(byref(raw), byref(f)))
    activate = getattr(lib, f"xielu_activate_{NAMES[x.dtype]}")
    threads, size = _threads(n), x.element_size()
    part = -(-n // threads)

    def run(start: int) -> int:
        at = start * size
        return activate(byref(f), x.data_ptr() + at, y.data_ptr() + at, min(part, n - start))

    if threads == 1:
        c.check(activate(byref(f), x.data_ptr(), y.data_ptr(), n))
    else:
        with ThreadPoolExecutor(threads) as pool:
            for status in pool.map(run, range(0, n, part)):
                c.check(status)
    return y


def cpu_backward(dy: Tensor, x: Tensor, raw: c.Raw) -> tuple[Tensor, float, float]:
    n = x.numel()
    dx = torch.empty_like(x, memory_format=torch.contiguous_format)
    options = c.BackwardOptions(raw, c.KIND_XIELU, int(_threads(n) > 1))
    sums = c.AlphaGradients()
    backward = getattr(c.library(), f"xielu_backward_{NAMES[x.dtype]}")
    pointers = x.data_ptr(), dy.data_ptr(), dx.data_ptr()
    c.check(backward(byref(options), *pointers, n, byref(sums)))
    return dx, sums.draw_p, sums.draw_n


class _Cuda:
    """A device, its current stream, and a layer's scalars on it: nothing waits for the host."""

    def __init__(self, x: Tensor, alpha_p: Tensor, alpha_n: Tensor, beta: float, eps: float):
        self.lib, self.device = c.library(), c.cuda_device(x.device.index)
        self.stream = torch.cuda.current_stream(x.device).cuda_stream
        self.scalars = torch.empty(32, dtype=torch.uint8, device=x.device)
        dtype = alpha_p.dtype if alpha_p.dtype == alpha_n.dtype else torch.float32
        if dtype not in CUDA_DTYPES:
            dtype = torch.float32
        p, n = alpha_p.to(dtype), alpha_n.to(dtype)
        call = c.CudaCall(self.stream, c.CUDA_KIND_XIELU, CUDA_DTYPES[dtype], None, None)
        at = p.data_ptr(), n.data_ptr(), beta, eps, self.scalars.data_ptr()
        c.check_cuda(self.lib.xielu_cuda_freeze(self.device, byref(call), *at))
        scalars = self.scalars.data_ptr()
        code = CUDA_DTYPES[x.dtype]
        self.call = c.CudaCall(self.stream, c.CUDA_KIND_XIELU, code, None, scalars)


def cuda_forward(x: Tensor, *scalars) -> Tensor:
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    if x.numel() > 0:
        cuda = _Cuda(x, *scalars)
        at = x.data_ptr(), y.data_ptr(), x.numel()
        c.check_cuda(cuda.lib.xielu_cuda_forward(cuda.device, byref(cuda.call), *at))
    return y


def cuda_backward(dy: Tensor, x: Tensor, *scalars) -> tuple[Tensor, Tensor, Tensor]:
    dx = torch.empty_like(x, memory_format=torch.contiguous_format)
    sums = torch.zeros(2, dtype=torch.float32, device=x.device)
    if x.numel() > 0:
        cuda = _Cuda(x, *scalars)
        size = cuda.lib.xielu_cuda_workspace_size(x.numel())
        workspace = torch.empty(size, dtype=torch.uint8, device=x.device)
        pointers = x.data_ptr(), dy.data_ptr(), dx.data_ptr(), sums.data_ptr(), sums.data_ptr() + 4
        g = c.CudaGradients(*pointers, workspace.data_ptr(), x.numel(), False, False)
        c.check_cuda(cuda.lib.xielu_cuda_backward(cuda.device, byref(cuda.call), byref(g)))
    return dx, sums[0], sums[1]
