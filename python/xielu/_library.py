"""The shared library: `include/xielu.h` and `kernels-cuda/include/xielu_cuda.h` for ctypes."""

import ctypes
import functools
import warnings
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_float, c_int32, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p
from pathlib import Path

import torch

ABI_VERSION = 1
KIND_XIELU = 1
CUDA_KIND_XIELU = 0
CUDA_INVALID = 3


class Raw(ctypes.Structure):
    """xielu_raw"""

    _fields_ = [(name, c_float) for name in ("alpha_p", "alpha_n", "beta", "eps")]


class Activation(ctypes.Structure):
    """xielu_activation"""

    _fields_ = [("kind", c_uint32)] + Raw._fields_


class BackwardOptions(ctypes.Structure):
    """xielu_backward_options"""

    _fields_ = [("raw", Raw), ("kind", c_uint32), ("parallel", c_uint32)]


class AlphaGradients(ctypes.Structure):
    """xielu_alpha_gradients"""

    _fields_ = [("draw_p", c_double), ("draw_n", c_double)]


class CudaCall(ctypes.Structure):
    """xielu_cuda_call"""

    _fields_ = [
        ("stream", c_void_p),
        ("function", c_uint32),
        ("dtype", c_uint32),
        ("coefficients", c_void_p),
        ("device_coefficients", c_void_p),
    ]


class CudaGradients(ctypes.Structure):
    """xielu_cuda_gradients"""

    _fields_ = [
        *((name, c_void_p) for name in ("x", "dy", "dx", "draw_p", "draw_n", "workspace")),
        ("n", c_uint64),
        ("accumulate_dx", c_bool),
        ("accumulate_alphas", c_bool),
    ]


def _declare(lib: ctypes.CDLL) -> None:
    p = c_void_p
    signatures = {
        "xielu_abi_version": (c_uint32, []),
        "xielu_version": (c_char_p, []),
        "xielu_status_text": (c_char_p, [c_int32]),
        "xielu_freeze_with_eps": (c_int32, [POINTER(Raw), POINTER(Activation)]),
        "xielu_cuda_last_error": (c_char_p, []),
        "xielu_cuda_open": (c_int32, [c_uint32, POINTER(p)]),
        "xielu_cuda_forward": (c_int32, [p, POINTER(CudaCall), p, p, c_uint64]),
        "xielu_cuda_workspace_size": (c_uint64, [c_uint64]),
        "xielu_cuda_backward": (c_int32, [p, POINTER(CudaCall), POINTER(CudaGradients)]),
        "xielu_cuda_freeze": (c_int32, [p, POINTER(CudaCall), p, p, c_float, c_float, p]),
    }
    for dtype in ("f32", "bf16", "f16"):
        signatures[f"xielu_activate_{dtype}"] = (c_int32, [POINTER(Activation), p, p, c_size_t])
        arguments = [POINTER(BackwardOptions), p, p, p, c_size_t, POINTER(AlphaGradients)]
        signatures[f"xielu_backward_{dtype}"] = (c_int32, arguments)
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library that was installed with the package; None if there is none."""
    for path in sorted(Path(__file__).parent.glob("_native*")):
        lib = ctypes.CDLL(str(path))
        _declare(lib)
        if (found := lib.xielu_abi_version()) != ABI_VERSION:
            raise ImportError(f"{path} has ABI version {found}, this package needs {ABI_VERSION}")
        return lib
    return None


def available() -> bool:
    """Whether the kernels are there; without them PyTorch's own operations compute the same."""
    return library() is not None


def version() -> str | None:
    """The version of the shared library."""
    lib = library()
    return lib and lib.xielu_version().decode()


def check(status: int) -> None:
    """Raises what a status of the CPU functions means."""
    if status != 0:
        raise ValueError(f"xielu: {library().xielu_status_text(status).decode()}")


def check_cuda(status: int) -> None:
    """Raises what a status of the CUDA functions means."""
    if status != 0:
        error = ValueError if status == CUDA_INVALID else RuntimeError
        raise error(f"xielu: {library().xielu_cuda_last_error().decode()}")


@functools.cache
def has_cuda(index: int) -> bool:
    """Whether the kernels run on this device; where not, the reason is told once."""
    if torch.version.cuda is None:
        # ROCm's devices are called cuda, too.
        return False
    try:
        cuda_device(index)
    except (RuntimeError, ValueError) as error:
        warnings.warn(f"{error}; computing with PyTorch's operations on cuda:{index}")
        return False
    return True


@functools.cache
def cuda_device(index: int) -> c_void_p:
    """The kernels on a device, opened once for the life of the process."""
    device = c_void_p()
    check_cuda(library().xielu_cuda_open(index, byref(device)))
    return device
