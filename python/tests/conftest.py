import json
import struct
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "tests" / "data"


def _f32(bits):
    return struct.unpack(">f", bytes.fromhex(bits))[0]


def _f64(bits):
    return struct.unpack(">d", bytes.fromhex(bits))[0]


class VectorSet:
    """One pair of alphas: inputs, and 60-digit truth rounded to f64."""

    def __init__(self, entry):
        self.alpha_p, self.alpha_n = _f32(entry["raw_alpha_p"]), _f32(entry["raw_alpha_n"])
        self.x = [_f32(row["x"]) for row in entry["rows"]]
        self.rows = entry["rows"]

    def truth(self, form, name):
        form = "ideal" if name == "dy_draw_p" else form
        return [_f64(row[form][name]) for row in self.rows]


@pytest.fixture(scope="session")
def vectors():
    file = json.loads((DATA / "xielu_vectors.json").read_text())
    return [VectorSet(entry) for entry in file["sets"]]


@pytest.fixture
def tiny():
    return DATA / "tiny"
