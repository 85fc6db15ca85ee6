"""The activation as a layer."""

import math

import torch
from torch import Tensor, nn

from ._operators import xielu


def stored(
    alpha_p: float,
    alpha_n: float,
    beta: float,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> tuple[nn.Parameter, nn.Parameter]:
    """The parameters whose softplus, plus ``beta`` for the second, is the effective values."""
    if not alpha_p > 0 or not alpha_n > beta:
        raise ValueError("xielu: alpha_p_init must be above 0 and alpha_n_init above beta")
    raw = (e + math.log(-math.expm1(-e)) for e in (alpha_p, alpha_n - beta))
    return tuple(nn.Parameter(torch.tensor([a], dtype=dtype, device=device)) for a in raw)


class XIELU(nn.Module):
    """xIELU with trained alphas; ``state_dict`` is that of transformers' ``XIELUActivation``.

    ``alpha_p_init`` and ``alpha_n_init`` are effective values; what is stored goes through
    softplus (and gains ``beta``) to become them. ``with_vector_loads`` is taken as transformers
    takes it, and has no meaning here. No weight decay belongs on ``alpha_p`` and ``alpha_n``.
    """

    def __init__(
        self,
        alpha_p_init: float = 0.8,
        alpha_n_init: float = 0.8,
        beta: float = 0.5,
        eps: float = -1e-6,
        dtype: torch.dtype | None = None,
        with_vector_loads: bool = False,
        *,
        device: torch.device | str | None = None,
    ):
        super().__init__()
        dtype = dtype or torch.get_default_dtype()
        self.alpha_p, self.alpha_n = stored(alpha_p_init, alpha_n_init, beta, device, dtype)
        self.register_buffer("beta", torch.tensor(beta, dtype=dtype, device=device))
        self.register_buffer("eps", torch.tensor(eps, dtype=dtype, device=device))
        # As numbers, so that no forward pass waits for a device to tell them.
        self._scalars = (float(beta), float(eps))
        self.register_load_state_dict_post_hook(XIELU._loaded)

    def _loaded(self, _keys) -> None:
        if not self.beta.is_meta:
            # A constant that was only rounded to the buffers' type stays what it was.
            buffers = self.beta, self.eps
            self._scalars = tuple(
                old if torch.tensor(old).to(b) == b else b.item()
                for old, b in zip(self._scalars, buffers)
            )

    def forward(self, x: Tensor) -> Tensor:
        return xielu(x, self.alpha_p, self.alpha_n, *self._scalars)

    def extra_repr(self) -> str:
        return "beta={}, eps={}".format(*self._scalars)
