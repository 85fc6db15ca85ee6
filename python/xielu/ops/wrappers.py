"""The modules and functions of the upstream package under their names, on this one's operators.

In upstream's modules ``beta`` and ``eps`` are plain attributes: only the alphas are in a
``state_dict``, unlike that of :class:`xielu.XIELU`.
"""

import torch
from torch import Tensor, nn

from .._formula import reference
from .._operators import xielu
from ..module import stored
from . import XIELU as _Class  # noqa: F401

__all__ = [
    "XIELU",
    "XIELUPy",
    "XIELUfn",
    "create_xielu_params",
    "xielu_backward",
    "xielu_forward",
]


def create_xielu_params(
    alpha_p_init: float = 0.8,
    alpha_n_init: float = 0.8,
    beta: float = 0.5,
    eps: float = -1e-6,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[nn.Parameter, nn.Parameter, float, float]:
    """The stored alphas of effective ones, and the two constants."""
    alphas = stored(alpha_p_init, alpha_n_init, beta, device, dtype)
    return *alphas, beta, eps


class XIELUPy(nn.Module):
    """xIELU in PyTorch's operations."""

    def __init__(
        self,
        alpha_p_init: float = 0.8,
        alpha_n_init: float = 0.8,
        beta: float = 0.5,
        eps: float = -1e-6,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        parameters = create_xielu_params(alpha_p_init, alpha_n_init, beta, eps, device, dtype)
        self.alpha_p, self.alpha_n, self.beta, self.eps = parameters

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_inference(x, self.alpha_p, self.alpha_n)

    def forward_inference(self, x: Tensor, a_p: Tensor, a_n: Tensor) -> Tensor:
        """With stored alphas from elsewhere."""
        return reference(x, a_p, a_n, self.beta, self.eps)


class XIELUfn(XIELUPy):
    """xIELU by the operators."""

    def forward_inference(self, x: Tensor, a_p: Tensor, a_n: Tensor) -> Tensor:
        """With stored alphas from elsewhere."""
        return xielu(x, a_p, a_n, self.beta, self.eps)


class XIELU(XIELUfn):
    """xIELU by the operators; ``with_vector_loads`` has no meaning here."""

    def __init__(
        self,
        alpha_p_init: float = 0.8,
        alpha_n_init: float = 0.8,
        beta: float = 0.5,
        eps: float = -1e-6,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        with_vector_loads: bool = True,
    ):
        super().__init__(alpha_p_init, alpha_n_init, beta, eps, device, dtype)
        self.with_vector_loads = with_vector_loads


xielu_forward = torch.ops.xielu.xielu_forward
xielu_backward = torch.ops.xielu.xielu_backward
