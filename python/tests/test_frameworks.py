"""What the classes of other libraries do when this package is installed, and when it is asked to.

vLLM itself is not here: a class of this file's own behaves as its does. It probes for the package,
binds the method to call when it is made, and warns once when it is traced. CUDA tensors are fake:
nothing is computed with them, but they are traced as real ones are.
"""

import functools
import logging
import sys
import types
from importlib.metadata import entry_points

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import xielu
from xielu import _frameworks

log = logging.getLogger("stand-in")


@functools.lru_cache
def warn_once(logger, message):
    logger.warning(message)


class Dispatching(nn.Module):
    """Chooses a method when made, and keeps to it."""

    platform = "cuda"

    def __init__(self):
        super().__init__()
        self._forward_method = getattr(self, f"forward_{self.platform}")

    def forward(self, *args):
        return self._forward_method(*args)


def stand_in():
    """A new class each time: what is patched stays in one test."""

    class XIELU(Dispatching):
        def __init__(self, beta=0.5, eps=-1e-6, dtype=torch.bfloat16):
            super().__init__()
            self.alpha_p = nn.Parameter(torch.tensor([0.2], dtype=dtype))
            self.alpha_n = nn.Parameter(torch.tensor([-1.0], dtype=dtype))
            self.register_buffer("beta", torch.tensor(beta, dtype=dtype))
            self.register_buffer("eps", torch.tensor(eps, dtype=dtype))
            self._beta_scalar, self._eps_scalar = beta, eps
            self.found = None
            try:
                import xielu.ops  # noqa: F401

                self.found = torch.classes.xielu.XIELU()
            except Exception as error:
                log.warning("not found: %s", error)

        def by_formula(self, x):
            p = nn.functional.softplus(self.alpha_p)
            n = nn.functional.softplus(self.alpha_n) + self.beta
            below = n * (torch.expm1(torch.minimum(x, self.eps)) - x) + self.beta * x
            return torch.where(x > 0, p * x * x + self.beta * x, below)

        def forward_native(self, x):
            if self.found is not None and x.is_cuda:
                if not torch.compiler.is_compiling():
                    scalars = self.alpha_p, self.alpha_n, self._beta_scalar, self._eps_scalar
                    return self.found.forward(x, *scalars, False)
                warn_once(log, "traced")
            return self.by_formula(x)

        def forward_cuda(self, x):
            return self.forward_native(x)

    return XIELU


class Calls(TorchDispatchMode):
    """Counts calls of our operator."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.xielu.forward.default
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=["vllm.model_executor.layers", "sglang.srt.layers"])
def host(request, monkeypatch):
    return install(request.param, monkeypatch)


@pytest.fixture
def vllm(monkeypatch):
    yield (cls := install("vllm.model_executor.layers", monkeypatch))
    _frameworks._unpatch(cls)


def install(package, monkeypatch):
    """The class under the name that its library has."""
    parts = f"{package}.activation".split(".")
    for n in range(1, len(parts) + 1):
        name = ".".join(parts[:n])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[name].XIELU = stand_in()
    return sys.modules[name].XIELU


def compiled_on_cuda(cls):
    """The class's result there, traced in one graph; and the targets of the graph."""
    targets = []

    def keep(graph, _inputs):
        targets.extend(node.target for node in graph.graph.nodes)
        return graph

    torch.compiler.reset()
    with FakeTensorMode():
        with torch.device("cuda"):
            layer = cls(dtype=torch.bfloat16)
            x = torch.empty(4, 8, dtype=torch.bfloat16)
        return torch.compile(layer, fullgraph=True, backend=keep)(x), targets


def test_a_traced_warning_is_what_breaks(host, monkeypatch):
    monkeypatch.setattr(_frameworks, "adopt", lambda: None)
    with pytest.raises(Exception, match="(?i)logg"):
        compiled_on_cuda(host)


def test_installing_breaks_no_compilation(host):
    y, targets = compiled_on_cuda(host)
    assert y.is_cuda and y.shape == (4, 8) and y.dtype == torch.bfloat16
    assert torch.ops.xielu.forward in [getattr(t, "overloadpacket", t) for t in targets]


def test_installing_breaks_nothing_on_rocm(host, vllm, monkeypatch, caplog):
    """Its devices are called cuda, and have no kernels here: as without the package."""
    monkeypatch.setattr(torch.version, "hip", "7.0")
    xielu.patch_vllm()
    for cls in (host, vllm):
        y, targets = compiled_on_cuda(cls)
        assert y.is_cuda and torch.expm1 in targets
    said = {record.getMessage() for record in caplog.records if record.name == log.name}
    assert said == {"not found: xielu: no kernels for ROCm"}


def test_installing_changes_nothing_on_the_cpu(host):
    layer, x = host(), torch.linspace(-3, 3, 64).bfloat16()
    with Calls() as calls:
        assert torch.equal(layer(x), layer.by_formula(x)) and calls.count == 0


def test_installing_breaks_nothing_in_transformers():
    cls = pytest.importorskip("transformers.activations").XIELUActivation
    y, targets = compiled_on_cuda(cls)
    assert y.is_cuda and torch.ops.xielu.forward in [
        getattr(t, "overloadpacket", t) for t in targets
    ]
    layer, x = cls(), torch.linspace(-3, 3, 64).bfloat16()
    truth = layer._xielu_python(x)
    with Calls() as calls:
        assert torch.equal(layer(x), truth) and calls.count == 0
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="eager")(x), truth)


@pytest.mark.parametrize("platform", ["native", "cuda"])
def test_patched_vllm(vllm, platform, monkeypatch):
    monkeypatch.setattr(Dispatching, "platform", platform)
    before = vllm(dtype=torch.float32)
    x = torch.linspace(-3, 3, 66, requires_grad=True)
    truth = before(x)
    xielu.patch_vllm()
    xielu.patch_vllm()
    # A layer that was made before is the harder case: it has bound its method.
    for layer in (before, vllm(dtype=torch.float32)):
        for call in (layer, layer.forward_native, layer.forward_cuda):
            with Calls() as calls:
                torch.testing.assert_close(call(x), truth)
            assert calls.count == 1
        compiled = torch.compile(layer, fullgraph=True)
        torch.testing.assert_close(compiled(x), truth)
        leaves = [x, layer.alpha_p, layer.alpha_n]
        found = torch.autograd.grad(compiled(x).sum(), leaves)
        torch.testing.assert_close(found, torch.autograd.grad(layer.by_formula(x).sum(), leaves))
    assert compiled_on_cuda(vllm)[0].is_cuda
    xielu.unpatch_vllm()
    with Calls() as calls:
        assert torch.equal(before(x), truth) and calls.count == 0


def test_patched_layers_compute_with_what_was_loaded(vllm):
    xielu.patch_vllm()
    x = torch.linspace(-3, 3, 66)
    layer = vllm(dtype=torch.float32)
    for change in (
        lambda: layer.beta.fill_(0.25),
        lambda: layer.load_state_dict({**layer.state_dict(), "eps": torch.tensor(-0.5)}),
        lambda: setattr(layer, "beta", torch.tensor(0.75)),
    ):
        before = layer(x)
        change()
        torch.testing.assert_close(layer(x), layer.by_formula(x))
        assert not torch.equal(layer(x), before)
        torch.testing.assert_close(torch.compile(layer, fullgraph=True)(x), layer.by_formula(x))
    with torch.inference_mode():
        made = vllm(dtype=torch.float32)
        torch.testing.assert_close(made(x), made.by_formula(x))
    # 1e-6 rounded to bfloat16 is still meant to be 1e-6.
    assert _frameworks._constants(vllm(dtype=torch.bfloat16)) == (0.5, -1e-6)


@pytest.mark.parametrize("ranks", [2, 3])
def test_tensor_parallel_vllm(vllm, ranks):
    """Each rank has whole scalars and its part of the hidden values: together, the same bits."""
    xielu.patch_vllm()
    whole = vllm()
    x = (torch.randn(5, 48, generator=torch.Generator().manual_seed(7)) - 0.8).bfloat16()
    parts = []
    for part in x.chunk(ranks, dim=-1):
        rank = vllm()
        nn.init.zeros_(rank.alpha_p)
        for parameter, loaded in zip(rank.parameters(), whole.parameters()):
            parameter.data.copy_(loaded)
        parts.append(rank(part))
    assert torch.equal(torch.cat(parts, dim=-1), whole(x))


def test_the_plugin(vllm, monkeypatch, caplog):
    (plugin,) = entry_points(group="vllm.general_plugins", name="xielu")
    start = plugin.load()
    start()
    start()
    with Calls() as calls:
        vllm()(torch.ones(8, dtype=torch.bfloat16))
    assert calls.count == 1 and not caplog.records
    # A vLLM without the class, or none: nothing to do, and nothing to stop for.
    for name in ("vllm.model_executor.layers.activation", "vllm"):
        monkeypatch.setitem(sys.modules, name, None)
        start()
        assert "xielu: vLLM is left as it is: " in caplog.records.pop().getMessage()


def test_a_cuda_device_without_our_kernels(monkeypatch):
    from xielu import _library

    _library.has_cuda.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", None)
    assert not _library.has_cuda(0)
    _library.has_cuda.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.warns(UserWarning, match="^xielu: .*computing with PyTorch's operations"):
        assert not _library.has_cuda(99)
    _library.has_cuda.cache_clear()
