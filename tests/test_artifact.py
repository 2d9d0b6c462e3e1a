"""Model files: whole or refused with a sentence; out of them comes the same detector to the bit."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from conftest import behaviour
from unwonted import DMDN, ArtifactError, DataError, DMDNClassifier, load
from unwonted.artifact import FORMAT, read_manifest
from unwonted.checks import state

# One step of training: what is asked here does not depend on what was learned.
SMALL = {"width": 16, "depth": 1, "components": 2, "random_state": 0, "max_time": 1e-6}


@pytest.fixture(scope="module")
def fitted() -> DMDN:
    return DMDN(**SMALL).fit(behaviour(30))


@pytest.fixture(scope="module")
def data(fitted: DMDN, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    fitted.save(path)
    return path.read_bytes()


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the tensors of a safetensors file."""
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined(header: dict[str, Any], tensors: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def edited(data: bytes, **changes: Any) -> bytes:
    """The file with other entries in its manifest."""
    header, tensors = split(data)
    manifest = json.loads(header["__metadata__"]["unwonted"])
    header["__metadata__"]["unwonted"] = json.dumps({**manifest, **changes})
    return joined(header, tensors)


def refused(path: Path, data: bytes) -> str:
    """The sentence with which a file is refused."""
    path.write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        load(path)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    return said


def test_what_is_loaded_is_what_was_saved(fitted: DMDN, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    loaded = load(path)
    assert type(loaded) is DMDN
    assert {**loaded.get_params(), "ignore": ()} == fitted.get_params()  # () is a list out of a file
    assert list(loaded.ignore) == []
    assert repr(loaded.history_) == repr(fitted.history_)
    for name in ("schema_", "encoder_", "summary_", "notices_", "stopped_by_", "columns_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(fitted, name), name
    assert loaded.feature_names_in_.tolist() == fitted.feature_names_in_.tolist()
    assert loaded.exemplars_.equals(fitted.exemplars_)
    assert loaded.calibration_.scores.tolist() == fitted.calibration_.scores.tolist()
    assert loaded.surprise(behaviour(20, 1)).tolist() == fitted.surprise(behaviour(20, 1)).tolist()
    assert loaded.offset_ == fitted.offset_


def test_a_loaded_detector_can_be_fitted_again(fitted: DMDN, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    again = load(path).fit(behaviour(30))
    again.ignore = fitted.ignore  # a list, out of a file
    assert state(again) == state(fitted)


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": "duration"},
        {"target": ["action", "bytes_out"]},
        {"schema": {"host": {"role": "ignore"}, "failures": {"kind": "categorical"}}},
        {"ignore": ["time", "host"], "pooling": "sum", "alert_rate": 0.2},
        {"random_state": np.random.RandomState(3), "verbose": print, "exemplars": 0},
    ],
    ids=", ".join,
)
def test_every_way_of_fitting_can_be_saved(arguments: dict[str, Any], tmp_path: Path) -> None:
    detector = DMDN(**{**SMALL, **arguments}).fit(behaviour(30))
    detector.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    new = behaviour(20, seed=1)
    assert loaded.anomaly_score(new).tolist() == detector.anomaly_score(new).tolist()
    assert loaded.predict(new).tolist() == detector.predict(new).tolist()
    assert repr(loaded.explain(new.slice(0, 2))) == repr(detector.explain(new.slice(0, 2)))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"alert_rate": np.float32(0.25), "random_state": np.int64(3)}, {"alert_rate": 0.25, "random_state": 3}),
        ({"ignore": pd.Index(["time"])}, {"ignore": ["time"]}),
        ({"ignore": np.array(["time"])}, {"ignore": ["time"]}),
        ({"schema": {"failures": {"kind": np.str_("categorical")}}}, {"schema": {"failures": {"kind": "categorical"}}}),
    ],
)
def test_arguments_of_numpy_and_pandas_are_saved_as_python_values(given: Any, kept: Any, tmp_path: Path) -> None:
    DMDN(**{**SMALL, **given}).fit(behaviour(30)).save(tmp_path / "model.safetensors")
    config = load(tmp_path / "model.safetensors").get_params()
    assert {name: config[name] for name in kept} == kept


@pytest.mark.parametrize("normal", [[np.int64(1)], pd.Series([1]), pl.Series([1]), np.array([1]), np.int64(1), (1,)])
def test_what_is_normal_is_saved_whatever_holds_it(normal: Any, tmp_path: Path) -> None:
    y = np.array([np.int64(i % 3 > 0) for i in range(30)], dtype=object)
    DMDNClassifier(**SMALL, normal=normal).fit(behaviour(30), y).save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert (loaded.classes_.tolist(), loaded.normal_.tolist()) == ([0, 1], [False, True])
    assert loaded.normal in ([1], 1)


def test_one_fitted_on_an_array_takes_arrays_again(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    detector = DMDN(**SMALL).fit(x)
    detector.save(str(tmp_path / "model.safetensors"))
    loaded = load(str(tmp_path / "model.safetensors"))
    assert loaded.anomaly_score(x).tolist() == detector.anomaly_score(x).tolist()
    assert not hasattr(loaded, "feature_names_in_")
    with pytest.raises(ValueError, match="features"):
        loaded.predict(x[:, :1])


def test_odd_names_and_infinities_survive(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "größe <b>\n\"'": np.append(rng.normal(size=40), [math.inf, -math.inf, math.nan]),
            "": rng.choice(["", " ", "\N{SNOWMAN}", "null"], 43),
        }
    )
    detector = DMDN(**SMALL).fit(table)
    detector.save(tmp_path / "m")
    assert load(tmp_path / "m").surprise(table).tolist() == detector.surprise(table).tolist()


def test_a_file_cut_short_anywhere_is_refused(data: bytes, tmp_path: Path) -> None:
    for length in (0, 1, 7, 8, 9, 200, len(data) // 2, len(data) - 1):
        refused(tmp_path / "m", data[:length])


def test_a_changed_byte_anywhere_is_refused(data: bytes, tmp_path: Path) -> None:
    header = 8 + struct.unpack("<Q", data[:8])[0]
    rng = np.random.default_rng(0)
    places = [
        *rng.integers(0, header, 60).tolist(),
        *rng.integers(header, len(data), 60).tolist(),
        len(data) - 1,
    ]
    kept = json.dumps(split(data)[0], sort_keys=True)
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(0, 7))
        try:
            harmless = json.dumps(split(bytes(changed))[0], sort_keys=True) == kept and place < header
        except (ValueError, struct.error):
            harmless = False
        if not harmless:  # white space in the header
            refused(tmp_path / "m", bytes(changed))


def test_more_bytes_than_there_were_are_refused(data: bytes, tmp_path: Path) -> None:
    refused(tmp_path / "m", data + b"\0" * 8)


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(0).bytes(5000),
        b"time,action\n1,2\n",
        b"\x80\x04\x95pickle",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 2) + b"[]",
        joined({"__metadata__": {"unwonted": "[]"}}, b""),
        joined({"__metadata__": {"unwonted": '{"format": "one"}'}}, b""),
        joined({"__metadata__": {"format": "pt"}}, b""),
    ],
    ids=["random", "text", "pickle", "empty", "huge", "null", "list", "manifest", "format", "other"],
)
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    assert "no model file" in refused(tmp_path / "m", content)


def test_a_newer_format_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    said = refused(tmp_path / "m", edited(data, format=FORMAT + 1, package="99.0"))
    assert "newer" in said
    assert "99.0" in said
    header, tensors = split(data)
    header["__metadata__"]["unwonted"] = json.dumps({"format": FORMAT + 1, "unheard": "of"})
    assert "newer" in refused(tmp_path / "m", joined(header, tensors))


def test_an_unknown_model_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    assert "'oracle'" in refused(tmp_path / "m", edited(data, model="oracle"))


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {}},
        {"config": {"unheard": 1}},
        {"rows": 100_000},
        {"rows": "many"},
        {"exemplars": {}},
        {"features": [1, None]},
        {"checksum": ""},
        {"history": {"train": [0.0], "validation": [0.0]}},
    ],
    ids=str,
)
def test_an_edited_manifest_is_refused(data: bytes, changes: dict[str, Any], tmp_path: Path) -> None:
    assert "damaged" in refused(tmp_path / "m", edited(data, **changes))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "m", tmp_path):
        with pytest.raises(ArtifactError, match="cannot be read"):
            load(path)


def test_the_manifest_is_strict_json_and_tells_all(fitted: DMDN, data: bytes, tmp_path: Path) -> None:
    def no(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    header, _ = split(data)
    json.loads(header["__metadata__"]["unwonted"], parse_constant=no)
    assert any(math.isnan(loss) for loss in fitted.history_["validation"])  # or the test shows nothing
    path = tmp_path / "m"
    path.write_bytes(data)
    manifest = read_manifest(path)
    assert manifest.model == "dmdn"
    assert manifest.schema == fitted.schema_
    assert manifest.config["alert_rate"] == 0.05


def test_exemplars_are_the_only_records_kept_and_none_on_request(tmp_path: Path) -> None:
    table = behaviour(30)
    secret = table.set_column(3, "bytes_out", pa.array([123456789.0 + 7919 * i * i for i in range(30)]))
    for exemplars in (0, 1000):
        detector = DMDN(**SMALL, exemplars=exemplars).fit(secret)
        detector.save(tmp_path / "m")
        kept = read_manifest(tmp_path / "m").exemplars["bytes_out"]
        assert len(kept) == detector.exemplars_.num_rows
        assert bool(kept) == bool(exemplars)
        assert detector.explain(secret.slice(0, 1))[0].nearest is None or exemplars


def test_saving_is_all_or_nothing(fitted: DMDN, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    fitted.save(path)
    assert path.read_bytes() == data
    for wrong in (tmp_path / "nowhere" / "m", tmp_path):
        with pytest.raises(DataError) as caught:
            fitted.save(wrong)
        assert "\n" not in str(caught.value)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted.save(path)
    assert path.read_bytes() == data
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_an_unfitted_or_unregistered_detector_cannot_be_saved(tmp_path: Path) -> None:
    from sklearn.exceptions import NotFittedError

    class Mine(DMDN):
        pass

    with pytest.raises(NotFittedError):
        DMDN().save(tmp_path / "m")
    with pytest.raises(ArtifactError, match="Mine is no registered model"):
        Mine(**SMALL).fit(behaviour(30)).save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_explanations_can_be_written_as_json(fitted: DMDN) -> None:
    written = msgspec.json.encode(fitted.explain(behaviour(3, seed=1)))
    assert len(json.loads(written)) == 3


def test_numbers_at_both_ends_of_all_are_saved_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.choice([-1.7e308, 1.7e308], 200), "b": rng.normal(size=200)})
    detector = DMDN(random_state=0).untrained().fit(table)
    detector.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors").anomaly_score(table)
    assert np.isfinite(again).all()
    assert np.array_equal(again, detector.anomaly_score(table))
