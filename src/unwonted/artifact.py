"""One safetensors file a detector: tensors, and a JSON manifest as its metadata; no code in it, none run."""

import json
import math
import struct
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import unwonted
from unwonted.arrays import ArrayEncoder, Arrays, Layout
from unwonted.calibrate import Calibration
from unwonted.encode import Encoder
from unwonted.errors import ArtifactError
from unwonted.models import CLASSIFIERS, MODELS, classifier_class, model_class
from unwonted.schema import Schema
from unwonted.sources import atomic_write

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["FORMAT", "Manifest", "load", "read_manifest", "save"]

FORMAT = 1
"""Version of the file format; a file of a newer one is refused."""

_KEY = "unwonted"
_CALIBRATION = "calibration.scores"
_NETWORK = "network."
_EXEMPLARS = "exemplars."


class Classes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The classes of a classifier, their type as NumPy names it, and which mean normal."""

    values: list[Any]
    dtype: str
    normal: list[bool]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file says of itself.

    Attributes:
        format: Version of the file format.
        package: Version of the package that wrote it.
        model: Registered name of the model.
        labels: The classes of a classifier; None for a detector.
        config: Constructor arguments.
        features: Number and names of the columns given to `fit`; no names for arrays.
        schema: Columns as understood, or the form of sequences and images.
        encoder: How columns become tensors.
        architecture: The sizes of the network that followed from the table.
        history, summary, notices, stopped_by: Of the training.
        exemplars: Ordinary training records of a table, kept to show the nearest one beside an alert; sequences and
            images are among the tensors.
        checksum: Of everything else in the file.
    """

    format: int
    package: str
    model: str
    labels: Classes | None
    config: dict[str, Any]
    features: tuple[int, tuple[str, ...] | None]
    schema: Schema | Layout
    encoder: Encoder | ArrayEncoder
    architecture: dict[str, Any]
    history: dict[str, list[float | None]]
    summary: dict[str, Any]
    notices: tuple[str, ...]
    stopped_by: str
    exemplars: dict[str, list[Any]]
    checksum: str


class _Version(msgspec.Struct):
    format: int
    package: str = ""


def save(detector: "Estimator", path: str | Path) -> None:
    """Writes a fitted detector to one file, whole or not at all."""
    name = _registered(detector)
    tensors = {_NETWORK + key: value.numpy() for key, value in detector.model_.state_dict().items()}
    tensors[_CALIBRATION] = detector.calibration_.scores
    exemplars: pa.Table | Arrays = detector.exemplars_
    if isinstance(exemplars, Arrays):
        tensors |= {_EXEMPLARS + "values": exemplars.values, _EXEMPLARS + "lengths": exemplars.lengths}
        texts = {}
    else:
        texts = {name: exemplars[name].cast(pa.string()).to_pylist() for name in exemplars.column_names}
    config = detector.get_params(deep=False)
    config["verbose"] = False
    if config["device"] == "cuda":
        config["device"] = "auto"  # there may be none where the file is read
    if isinstance(config["random_state"], np.random.RandomState):
        config["random_state"] = None
    names = getattr(detector, "feature_names_in_", None)
    manifest = Manifest(
        format=FORMAT,
        package=unwonted.__version__,
        model=name,
        labels=_classes(detector),
        config=_plain(config),
        features=(detector.n_features_in_, None if names is None else tuple(names)),
        schema=detector.schema_,
        encoder=detector.encoder_,
        architecture=detector.model_.architecture,
        history={key: [x if math.isfinite(x) else None for x in values] for key, values in detector.history_.items()},
        summary=detector.summary_,
        notices=detector.notices_,
        stopped_by=detector.stopped_by_,
        exemplars=texts,
        checksum="",
    )
    manifest = msgspec.structs.replace(manifest, checksum=_checksum(manifest, tensors))
    atomic_write(path, save_tensors(tensors, {_KEY: msgspec.json.encode(manifest).decode()}))


def load(path: str | Path) -> "Estimator":
    """Reads a detector that `save` wrote; its scores are the same to the bit on the same machine.

    Raises:
        ArtifactError: if the file is not there, is no model, is damaged, of a newer format or an unknown model.
    """
    data = _read(path)
    manifest = _manifest(path, data)
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: is damaged (its tensors cannot be read); save the model again") from error
    if _checksum(manifest, tensors) != manifest.checksum:
        raise ArtifactError(f"{path}: is damaged (it is not what was saved); save the model again")
    try:
        return _detector(manifest, tensors)
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ArtifactError(f"{path}: is damaged (its parts do not fit together); save the model again") from error


def read_manifest(path: str | Path) -> Manifest:
    """What a model file says of itself, without building the model."""
    return _manifest(path, _read(path))


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror or error}); name a model file") from error


def _manifest(path: str | Path, data: bytes) -> Manifest:
    try:
        size = struct.unpack("<Q", data[:8])[0]
        text = json.loads(data[8 : 8 + size])["__metadata__"][_KEY]
        version = msgspec.json.decode(text, type=_Version)
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path}: is no model file of unwonted, or a damaged one; name one that fit wrote"
        ) from error
    if version.format > FORMAT:
        raise ArtifactError(
            f"{path}: was written by a newer unwonted ({version.package}, format {version.format}; this one reads "
            f"{FORMAT}); update the package"
        )
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except ValueError as error:
        raise ArtifactError(f"{path}: is damaged ({error}); save the model again") from error
    known = MODELS if manifest.labels is None else CLASSIFIERS
    if manifest.model not in known:
        raise ArtifactError(f"{path}: holds an unknown model {manifest.model!r}; there are {', '.join(known)}")
    return manifest


def _registered(detector: "Estimator") -> str:
    """The registered name of an estimator.

    Raises:
        ArtifactError: if it has none.
    """
    for registry, find in ((MODELS, model_class), (CLASSIFIERS, classifier_class)):
        for name in registry:
            if find(name) is type(detector):
                return name
    raise ArtifactError(f"{type(detector).__name__} is no registered model; add it to unwonted.models.MODELS")


def _plain(value: Any) -> Any:
    """A constructor argument without NumPy, pandas or Polars, whose values JSON does not know."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    as_list = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return value if as_list is None else _plain(as_list())


def _classes(detector: "Estimator") -> Classes | None:
    if not hasattr(detector, "classes_"):
        return None
    return Classes(detector.classes_.tolist(), detector.classes_.dtype.str, detector.normal_.tolist())


def _detector(manifest: Manifest, tensors: dict[str, np.ndarray]) -> "Estimator":
    kind: type[Estimator] = (model_class if manifest.labels is None else classifier_class)(manifest.model)
    detector, sized = kind(**manifest.config), kind(**(manifest.config | manifest.architecture))
    if manifest.labels is not None:
        for each in (detector, sized):
            each.classes_ = np.array(manifest.labels.values, dtype=manifest.labels.dtype)
            each.normal_ = np.array(manifest.labels.normal, dtype=bool)
    detector.n_features_in_ = manifest.features[0]
    if manifest.features[1] is not None:
        detector.feature_names_in_ = np.array(manifest.features[1], dtype=object)
    detector.schema_, detector.encoder_ = manifest.schema, manifest.encoder
    detector.model_ = sized._model(manifest.encoder, manifest.summary["train"], seed=0)
    weights = {
        key.removeprefix(_NETWORK): torch.from_numpy(value)
        for key, value in tensors.items()
        if key.startswith(_NETWORK)
    }
    detector.model_.load_state_dict(weights)
    detector.model_.eval()
    detector.calibration_ = Calibration(tensors[_CALIBRATION])
    detector.history_ = {
        key: [math.nan if x is None else x for x in values] for key, values in manifest.history.items()
    }
    detector.summary_, detector.notices_ = manifest.summary, manifest.notices
    detector.stopped_by_ = manifest.stopped_by
    if isinstance(manifest.schema, Layout):
        detector.exemplars_ = Arrays(tensors[_EXEMPLARS + "values"], tensors[_EXEMPLARS + "lengths"])
    else:
        columns = {name: pa.array(values, pa.string()) for name, values in manifest.exemplars.items()}
        detector.exemplars_, _ = manifest.schema.select(pa.table(columns))
    return detector


def _checksum(manifest: Manifest, tensors: dict[str, np.ndarray]) -> str:
    """A digest of all that the file holds but the digest itself."""
    digest = blake2b(msgspec.json.encode(msgspec.structs.replace(manifest, checksum="")), digest_size=16)
    for key in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[key])
        digest.update(f"{key} {tensor.dtype.str} {tensors[key].shape}".encode() + tensor.tobytes())
    return digest.hexdigest()
