"""The xIELU activation (arXiv 2411.13010) for PyTorch, on the kernels of the Rust library xielu.

``alpha_p`` and ``alpha_n`` are the stored scalars, before softplus:

    f(x) = softplus(alpha_p) * x^2 + beta * x                              for x > 0
    f(x) = (beta + softplus(alpha_n)) * (e^min(x, eps) - 1 - x) + beta * x  otherwise
"""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError("xielu needs PyTorch, which is not installed: pip install torch") from None

from ._formula import reference
from ._frameworks import patch_transformers, patch_vllm, unpatch_transformers, unpatch_vllm
from ._library import available, version
from ._operators import xielu
from .module import XIELU

__all__ = [
    "XIELU",
    "available",
    "patch_transformers",
    "patch_vllm",
    "reference",
    "unpatch_transformers",
    "unpatch_vllm",
    "version",
    "xielu",
]
