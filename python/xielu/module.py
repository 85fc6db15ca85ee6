"""The activation as a layer."""

import torch
from torch import Tensor, nn

from ._operators import xielu


class XIELU(nn.Module):
    """xIELU with trained alphas; ``state_dict`` is that of transformers' ``XIELUActivation``.

    ``alpha_p_init`` and ``alpha_n_init`` are effective values; what is stored goes through
    softplus (and gains ``beta``) to become them. No weight decay belongs on ``alpha_p`` and
    ``alpha_n``.
    """

    def __init__(
        self,
        alpha_p_init: float = 0.8,
        alpha_n_init: float = 0.8,
        beta: float = 0.5,
        eps: float = -1e-6,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        if not alpha_p_init > 0 or not alpha_n_init > beta:
            raise ValueError("xielu: alpha_p_init must be above 0 and alpha_n_init above beta")
        dtype = dtype or torch.get_default_dtype()

        def stored(effective: float) -> nn.Parameter:
            wide = torch.tensor([effective], dtype=torch.float64)
            return nn.Parameter((wide + torch.log(-torch.expm1(-wide))).to(dtype))

        self.alpha_p = stored(alpha_p_init)
        self.alpha_n = stored(alpha_n_init - beta)
        self.register_buffer("beta", torch.tensor(beta, dtype=dtype))
        self.register_buffer("eps", torch.tensor(eps, dtype=dtype))
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
