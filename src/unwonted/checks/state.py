"""All that an estimator holds and says, to compare to the bit."""

from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import torch

from unwonted.calibrate import Calibration
from unwonted.estimator import Estimator

__all__ = ["demand_equal", "outputs", "state"]


def state(detector: Estimator) -> str:
    """A digest of all that a detector holds, but for how many seconds its fit took."""
    digest = blake2b(digest_size=16)
    for name, value in sorted(vars(detector).items()):
        digest.update(name.encode() + b"=" + _as_bytes(value))
    return digest.hexdigest()


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, torch.nn.Module):
        tensors = [*value.state_dict().items(), *value.named_buffers()]
        return b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in tensors)
    if isinstance(value, Calibration):
        return value.scores.tobytes()
    if isinstance(value, np.ndarray):
        return repr(value.tolist()).encode()
    if isinstance(value, pa.Table):
        return repr(value.to_pydict()).encode()
    if isinstance(value, msgspec.Struct):
        return msgspec.json.encode(value)
    if isinstance(value, dict):
        return repr({key: entry for key, entry in value.items() if key != "seconds"}).encode()
    return repr(value).encode()


def outputs(detector: Any, records: pa.Table) -> dict[str, bytes]:
    """Everything that a detector says of records, to compare to the bit."""
    explanations = detector.explain(records.slice(0, 3), top=2)
    return {
        "anomaly_score": detector.anomaly_score(records).tobytes(),
        "contributions": detector.contributions(records).tobytes(),
        "p_value": detector.p_value(records).tobytes(),
        "predict": repr(detector.predict(records).tolist()).encode(),
        "explain": repr(explanations).encode(),
    }


def demand_equal(got: dict[str, bytes], wanted: dict[str, bytes], when: str) -> None:
    for name, value in wanted.items():
        assert got[name] == value, f"{name} changes {when}"
