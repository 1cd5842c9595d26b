"""Gradient files in Python: python check.py cases.json

cases.json lists {"file": a gradient file, "samples": an npz with "x" and "y"}. Each file is looked at by ONNX's checker, with types and shapes inferred, and
runs on its first samples. Prints one list: for each file, {"inputs", "outputs"} by their names, each {"shape", "data"}, the bytes of float32 (int64 for "labels") in
base64; or {"error"}.
"""

import base64
import json
import sys

import numpy as np
import onnx
import onnxruntime

SAMPLES = 3


def packed(arrays):
    return {
        name: {"shape": array.shape, "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()}
        for name, array in arrays.items()
    }


def run(file, samples):
    onnx.checker.check_model(file, full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    points, labels = session.get_inputs()
    count = points.shape[0] if isinstance(points.shape[0], int) else SAMPLES
    recorded = np.load(samples)
    inputs = {
        points.name: recorded["x"][:count].astype(np.float32),
        labels.name: recorded["y"][:count].astype(np.int64),
    }
    names = [output.name for output in session.get_outputs()]
    outputs = [output.astype(np.float32) for output in session.run(names, inputs)]
    return {"inputs": packed(inputs), "outputs": packed(dict(zip(names, outputs)))}


def tried(case):
    try:
        return run(**case)
    except Exception as error:
        return {"error": str(error)}


with open(sys.argv[1]) as cases:
    print(json.dumps([tried(case) for case in json.load(cases)]))
