"""The kernels in the xIELU classes of transformers, vLLM and SGLang.

Those classes probe ``import xielu.ops`` and ``torch.classes.xielu.XIELU()``. Where that succeeds
they call the object for tensors on CUDA devices, unless they are being compiled: then they write a
warning from inside the traced function, which ``torch.compile(fullgraph=True)`` refuses.
"""

import logging
import sys
import weakref

import torch
from torch import Tensor

from ._operators import xielu

TRANSFORMERS = "transformers.activations", "XIELUActivation"
VLLM = "vllm.model_executor.layers.activation", "XIELU"
SGLANG = "sglang.srt.layers.activation", "XIELU"

# What a class had of its own under a name before it was patched.
_originals: dict[type, dict] = {}
_ABSENT = object()


# Of each layer, its buffers and their versions when their numbers were read.
_read: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_ROUNDED = torch.float32, torch.bfloat16, torch.float16


def _number(made: float, buffer: Tensor) -> float:
    """What was loaded into the buffer; a constant that was only rounded stays what it was."""
    loaded = buffer.item()
    rounded = (torch.tensor(made, dtype=t, device="cpu").item() for t in (buffer.dtype, *_ROUNDED))
    return made if loaded in rounded else loaded


def _numbers(beta: Tensor, eps: Tensor, *made: float) -> tuple[float, ...]:
    try:
        return tuple(map(_number, made, (beta, eps)))
    except RuntimeError:
        # Fake tensors and those of the meta device have no values.
        return made


def _constants(layer) -> tuple[float, float]:
    """beta and eps as loaded; a device is waited for only when they may have changed.

    The compiler takes those of the last call, or of the layer's making: it reads no tensor.
    """
    buffers = layer.beta, layer.eps
    made = layer._beta_scalar, layer._eps_scalar
    if torch.compiler.is_compiling():
        return made
    versions = [None if b.is_inference() else b._version for b in buffers]
    old, seen = _read.get(layer, ((), None))
    if seen != versions or any(a is not b for a, b in zip(old, buffers)):
        made = _numbers(*buffers, *made)
        # Where the class itself and graphs look for them.
        layer._beta_scalar, layer._eps_scalar = made
        _read[layer] = buffers, versions
    return made


def _computing(original, devices: tuple[str, ...]):
    """A method that computes on these devices, and is the original one on others."""

    def method(self, input: Tensor) -> Tensor:
        # ROCm's devices are called cuda, too.
        if input.device.type not in devices or torch.version.hip is not None:
            return original(self, input)
        return xielu(input, self.alpha_p, self.alpha_n, *_constants(self))

    method._of_xielu = True
    return method


def _adopt(cls: type) -> None:
    """On CUDA the class takes the operator at once, compiled too; elsewhere it stays itself."""
    if not getattr(cls.forward, "_of_xielu", False):
        cls.forward = _computing(cls.forward, ("cuda",))


def adopt() -> None:
    """Called by the object that is probed for: whoever asks for it is among these."""
    for module, name in (TRANSFORMERS, VLLM, SGLANG):
        if (cls := getattr(sys.modules.get(module), name, None)) is not None:
            _adopt(cls)


def _patch(cls: type, names: tuple[str, ...]) -> None:
    if cls not in _originals:
        _adopt(cls)
        _originals[cls] = {name: cls.__dict__.get(name, _ABSENT) for name in names}
        for name in names:
            setattr(cls, name, _computing(getattr(cls, name), ("cpu", "cuda")))


def _unpatch(cls: type) -> None:
    for name, original in _originals.pop(cls, {}).items():
        if original is _ABSENT:
            delattr(cls, name)
        else:
            setattr(cls, name, original)


def patch_transformers() -> None:
    """Makes every ``XIELUActivation`` of transformers compute with this package, on CPU and CUDA."""
    from transformers.activations import XIELUActivation

    _patch(XIELUActivation, ("forward",))


def unpatch_transformers() -> None:
    """Undoes :func:`patch_transformers`."""
    from transformers.activations import XIELUActivation

    _unpatch(XIELUActivation)


def patch_vllm() -> None:
    """Makes every ``XIELU`` of vLLM compute with this package on CPU and CUDA.

    Whatever vLLM dispatches to there; other platforms keep their way. The scalars are the layer's own, which every rank of a tensor-parallel group holds whole; the
    function is elementwise, so each rank computes its part of the hidden values. Layers that
    exist already are changed, graphs that were compiled before are not.
    """
    from vllm.model_executor.layers.activation import XIELU

    _patch(XIELU, ("forward", "forward_native", "forward_cuda"))


def unpatch_vllm() -> None:
    """Undoes :func:`patch_vllm`."""
    from vllm.model_executor.layers.activation import XIELU

    _unpatch(XIELU)


def vllm_plugin() -> None:
    """The entry point of the group ``vllm.general_plugins``: vLLM calls it in every process.

    An error here would end vLLM, also for models of other activations: it is logged.
    """
    try:
        patch_vllm()
    except Exception as error:
        logging.getLogger("xielu").warning("xielu: vLLM is left as it is: %s", error)
