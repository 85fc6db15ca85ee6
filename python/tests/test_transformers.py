"""In transformers: state dicts both ways, the hook, and a model's logits."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import xielu

transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")
activations = pytest.importorskip("transformers.activations")


class Calls(TorchDispatchMode):
    """Counts calls of our operator."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.xielu.forward.default
        return func(*args, **(kwargs or {}))


@pytest.fixture
def patched():
    xielu.patch_transformers()
    yield
    xielu.unpatch_transformers()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_state_dicts_load_both_ways(dtype):
    ours = xielu.XIELU(1.3, 0.9, dtype=dtype)
    theirs = activations.XIELUActivation(1.3, 0.9, dtype=dtype)
    assert {k: (v.shape, v.dtype) for k, v in ours.state_dict().items()} == {
        k: (v.shape, v.dtype) for k, v in theirs.state_dict().items()
    }
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    fresh = xielu.XIELU(dtype=dtype)
    fresh.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = torch.linspace(-5, 5, 101, dtype=dtype)
    tolerance = 4 * torch.finfo(dtype).eps
    truth = theirs.float()._xielu_python(x.float())
    torch.testing.assert_close(fresh(x).float(), truth, rtol=tolerance, atol=tolerance)


def test_loaded_constants_are_used():
    source = xielu.XIELU(beta=0.25, eps=-0.125)
    target = xielu.XIELU()
    target.load_state_dict(source.state_dict())
    x = torch.linspace(-2, 2, 33)
    assert torch.equal(source(x), target(x)) and not torch.equal(target(x), xielu.XIELU()(x))


def test_loaded_constants_are_used_by_a_patched_layer(patched):
    layer = activations.XIELUActivation(dtype=torch.float32)
    layer.load_state_dict(xielu.XIELU(beta=0.25, eps=-0.125).state_dict())
    x = torch.linspace(-2, 2, 33)
    for call in (layer, torch.compile(layer, fullgraph=True)):
        torch.testing.assert_close(call(x), layer._xielu_python(x))
    assert layer._beta_scalar == 0.25


def test_the_hook_finds_us():
    act = activations.XIELUActivation(dtype=torch.float32)
    assert type(act._xielu_cuda_obj).__module__ == "xielu.ops"
    # The function that transformers calls for tensors on CUDA devices; ours takes any device.
    for shape in [(7,), (2, 7), (2, 3, 7), (2, 3, 4, 7)]:
        x = torch.linspace(-3, 3, torch.Size(shape).numel()).view(shape)
        with Calls() as calls:
            y = act._xielu_cuda(x)
        assert calls.count == 1
        torch.testing.assert_close(y, act._xielu_python(x))


def test_logits(tiny, patched):
    golden = safetensors.load_file(tiny / "goldens.safetensors")
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    ids = golden["eval_ids"][:128].long()[None]
    with Calls() as calls, torch.no_grad():
        logits = model(ids).logits[0]
    assert calls.count == model.config.num_hidden_layers
    torch.testing.assert_close(logits, golden["logits_first128"], rtol=1e-4, atol=1e-4)


def test_a_patched_model_trains(tiny, patched):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    # Text: near 0 the reference's slope jumps, and a pre-activation of odd ids comes that close.
    ids = safetensors.load_file(tiny / "goldens.safetensors")["eval_ids"][:64].long()[None]

    def gradients():
        model.zero_grad()
        model(ids, labels=ids).loss.backward()
        return {k: p.grad.clone() for k, p in model.named_parameters()}

    ours = gradients()
    xielu.unpatch_transformers()
    torch.testing.assert_close(ours, gradients(), rtol=1e-3, atol=1e-4)
    assert ours["model.layers.0.mlp.act_fn.alpha_n"].abs() > 0
