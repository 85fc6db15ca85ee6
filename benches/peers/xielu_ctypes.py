"""The C functions of `xielu_cuda.h` for PyTorch: ctypes on `data_ptr()` and a stream, and xIELU as
an autograd function whose scalars stay on the device."""

import ctypes
import json
import subprocess
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_float, c_int, c_uint32, c_uint64
from ctypes import c_void_p
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent.parent
XIELU = 0
DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
COEFFICIENTS_BYTES = 32


class Call(Structure):
    _fields_ = [
        ("stream", c_void_p),
        ("function", c_uint32),
        ("dtype", c_uint32),
        ("coefficients", c_void_p),
        ("device_coefficients", c_void_p),
    ]


class Gradients(Structure):
    _fields_ = [
        ("x", c_void_p),
        ("dy", c_void_p),
        ("dx", c_void_p),
        ("draw_p", c_void_p),
        ("draw_n", c_void_p),
        ("workspace", c_void_p),
        ("n", c_uint64),
        ("accumulate_dx", c_bool),
        ("accumulate_alphas", c_bool),
    ]


def build():
    """The shared library, built by cargo."""
    command = "cargo rustc --quiet --package xielu-kernels-cuda --release --features capi"
    subprocess.run([*command.split(), "--crate-type", "cdylib"], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout
    return Path(json.loads(metadata)["target_directory"]) / "release/libxielu_kernels_cuda.so"


class Library:
    """A device, opened."""

    def __init__(self, path, device=0):
        self.c = ctypes.CDLL(str(path))
        self.c.xielu_cuda_last_error.restype = c_char_p
        self.c.xielu_cuda_workspace_size.restype = c_uint64
        self.c.xielu_cuda_workspace_size.argtypes = [c_uint64]
        call = [c_void_p, POINTER(Call)]
        arguments = {
            "open": [c_uint32, POINTER(c_void_p)],
            "forward": [*call, c_void_p, c_void_p, c_uint64],
            "backward": [*call, POINTER(Gradients)],
            "freeze": [*call, c_void_p, c_void_p, c_float, c_float, c_void_p],
        }
        for name, types in arguments.items():
            function = getattr(self.c, f"xielu_cuda_{name}")
            function.argtypes, function.restype = types, c_int
        self.handle = c_void_p()
        self._run("open", device, byref(self.handle))

    def _run(self, name, *arguments):
        if getattr(self.c, f"xielu_cuda_{name}")(*arguments) != 0:
            raise RuntimeError(self.c.xielu_cuda_last_error().decode())

    def _call(self, tensor, coefficients=None):
        stream = torch.cuda.current_stream(tensor.device).cuda_stream if tensor.is_cuda else None
        there = coefficients.data_ptr() if coefficients is not None else None
        return byref(Call(stream, XIELU, DTYPES[tensor.dtype], None, there))

    def freeze(self, alpha_p, alpha_n, beta, eps):
        """Effective scalars of the stored ones, on the device."""
        out = torch.empty(COEFFICIENTS_BYTES, dtype=torch.uint8, device=alpha_p.device)
        pointers = alpha_p.data_ptr(), alpha_n.data_ptr()
        self._run("freeze", self.handle, self._call(alpha_p), *pointers, beta, eps, out.data_ptr())
        return out

    def forward(self, x, coefficients):
        y = torch.empty_like(x)
        call = self._call(x, coefficients)
        self._run("forward", self.handle, call, x.data_ptr(), y.data_ptr(), x.numel())
        return y

    def backward(self, x, dy, coefficients):
        """dx, and the gradients by the stored alphas in f32."""
        n = x.numel()
        dx = torch.empty_like(x)
        alphas = torch.empty(2, dtype=torch.float32, device=x.device)
        size = self.c.xielu_cuda_workspace_size(n)
        workspace = torch.empty(size, dtype=torch.uint8, device=x.device)
        at = alphas.data_ptr()
        operands = [t.data_ptr() for t in (x, dy, dx)]
        gradients = Gradients(*operands, at, at + 4, workspace.data_ptr(), n, False, False)
        self._run("backward", self.handle, self._call(x, coefficients), byref(gradients))
        return dx, alphas


class Xielu(torch.autograd.Function):
    """Saves x and 32 bytes."""

    @staticmethod
    def forward(ctx, x, alpha_p, alpha_n, library, beta, eps):
        x = x.contiguous()
        coefficients = library.freeze(alpha_p, alpha_n, beta, eps)
        ctx.save_for_backward(x, coefficients)
        ctx.library, ctx.like = library, alpha_p
        return library.forward(x, coefficients)

    @staticmethod
    def backward(ctx, dy):
        x, coefficients = ctx.saved_tensors
        dx, alphas = ctx.library.backward(x, dy.contiguous(), coefficients)
        p, n = (a.to(ctx.like.dtype).reshape(ctx.like.shape) for a in alphas)
        return dx, p, n, None, None, None
