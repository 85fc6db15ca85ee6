"""The xIELU activation (arXiv 2411.13010) for PyTorch, on the kernels of the Rust library xielu.

``alpha_p`` and ``alpha_n`` are the stored scalars, before softplus:

    f(x) = softplus(alpha_p) * x^2 + beta * x                              for x > 0
    f(x) = (beta + softplus(alpha_n)) * (e^min(x, eps) - 1 - x) + beta * x  otherwise
"""

from ._formula import reference
from ._library import available, version
from ._operators import xielu
from ._transformers import patch_transformers, unpatch_transformers
from .module import XIELU

__all__ = [
    "XIELU",
    "available",
    "patch_transformers",
    "reference",
    "unpatch_transformers",
    "version",
    "xielu",
]
