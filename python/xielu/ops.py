"""What transformers imports: ``torch.classes.xielu.XIELU``, whose ``forward`` it calls on CUDA."""

import torch
from torch import Tensor

from ._operators import xielu


class XIELU:
    """Stands in for the class of that name; the last argument has no meaning here."""

    def forward(
        self,
        x: Tensor,
        alpha_p: Tensor,
        alpha_n: Tensor,
        beta: float,
        eps: float,
        with_vector_loads: bool = False,
    ) -> Tensor:
        return xielu(x, alpha_p, alpha_n, beta, eps)


torch.classes.xielu.XIELU = XIELU
