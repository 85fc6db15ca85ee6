"""The kernels in transformers where its own hook does not reach: on the CPU, and compiled."""

from torch import Tensor

from ._operators import xielu

_original = None


def _forward(self, input: Tensor) -> Tensor:
    return xielu(input, self.alpha_p, self.alpha_n, self._beta_scalar, self._eps_scalar)


def patch_transformers() -> None:
    """Makes every ``XIELUActivation`` of transformers compute with this package."""
    global _original
    from transformers.activations import XIELUActivation

    if _original is None:
        _original = XIELUActivation.forward
        XIELUActivation.forward = _forward


def unpatch_transformers() -> None:
    """Undoes :func:`patch_transformers`."""
    global _original
    from transformers.activations import XIELUActivation

    if _original is not None:
        XIELUActivation.forward = _original
        _original = None
