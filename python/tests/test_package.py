"""What is installed, and what is said where something is missing."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

import xielu
from xielu import _library

SOURCES = Path(__file__).parents[1]


def test_the_wheel_holds_the_package_and_nothing_else():
    files = {f.as_posix() for f in metadata.files("xielu") if f.parts[0] == "xielu"}
    files = {f for f in files if "__pycache__" not in f}
    native = {f for f in files if f.startswith("xielu/_native")}
    assert len(native) == 1
    modules = {p.relative_to(SOURCES).as_posix() for p in (SOURCES / "xielu").rglob("*.py")}
    assert files - native == modules


@pytest.mark.parametrize("module", ["xielu", "xielu.ops", "xielu.ops.wrappers"])
def test_without_torch(module):
    code = f"import sys; sys.modules['torch'] = None; import {module}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = "ImportError: xielu needs PyTorch, which is not installed: pip install torch"
    assert run.returncode == 1 and run.stderr.splitlines()[-1] == said
    assert "During handling" not in run.stderr


def test_without_the_library(monkeypatch):
    """The formula takes over, and `available` tells."""
    monkeypatch.setattr(_library, "library", lambda: None)
    assert not xielu.available() and xielu.version() is None
    x, p, n = torch.linspace(-3, 3, 9), torch.tensor([0.3]), torch.tensor([-0.7])
    assert torch.equal(xielu.xielu(x, p, n), xielu.reference(x, p, n))
