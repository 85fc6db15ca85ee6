"""What transformers, vLLM, SGLang and Megatron import: ``torch.classes.xielu.XIELU``."""

import torch
from torch import Tensor

from .. import _frameworks
from .._operators import xielu


class XIELU:
    """Stands in for the C++ class of that name, for every caller but TorchScript."""

    def __init__(self):
        if torch.version.hip is not None:
            # Whoever probes then goes on as without this package.
            raise RuntimeError("xielu: no kernels for ROCm")
        _frameworks.adopt()

    def forward(
        self,
        x: Tensor,
        alpha_p: Tensor,
        alpha_n: Tensor,
        beta: float | Tensor,
        eps: float | Tensor,
        with_vector_loads: bool = False,
    ) -> Tensor:
        """:func:`xielu.xielu`; the last argument has no meaning here."""
        beta, eps = (v.item() if isinstance(v, Tensor) else v for v in (beta, eps))
        return xielu(x, alpha_p, alpha_n, beta, eps)


torch.classes.xielu.XIELU = XIELU
