"""Labels: what is read of them, which are missing, which mean normal, and what is refused; weights and balance."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from unwonted import DataError
from unwonted.encode import Encoded
from unwonted.labels import UNLABELLED, Labels, codes_of


def encoded(n: int) -> Encoded:
    column = torch.arange(n, dtype=torch.float32).reshape(-1, 1)
    return Encoded(torch.zeros_like(column, dtype=torch.long), column, torch.zeros_like(column), column)


@pytest.mark.parametrize(
    ("y", "classes", "codes"),
    [
        (["b", "a", "b", "b"], ["a", "b"], [1, 0, 1, 1]),
        (["b", None, "", "a", "b"], ["a", "b"], [1, -1, -1, 0, 1]),
        ([1, 0, 0, 1], [0, 1], [1, 0, 0, 1]),
        ([1.0, 0.0, np.nan, 0.0], [0.0, 1.0], [1, 0, -1, 0]),
        ([True, False, True, True], [False, True], [1, 0, 1, 1]),
        (pd.Series(["x", None, "y", "x"]), ["x", "y"], [0, -1, 1, 0]),
        (pd.Series([3, None, 5, 5], dtype="Int64"), [3, 5], [0, -1, 1, 1]),
        (pl.Series([3, None, 5, 5]), [3, 5], [0, -1, 1, 1]),
        (pa.array([3, None, 5, 5]), [3, 5], [0, -1, 1, 1]),
        (pa.chunked_array([["x"], ["y", "x", "x"]]), ["x", "y"], [0, 1, 0, 0]),
        (pa.array(["x", "y", "x", "x"]), ["x", "y"], [0, 1, 0, 0]),
        (pa.array([True, False, True, True]), [False, True], [1, 0, 1, 1]),
        (pa.array(["x", "y", "x", "x"]).dictionary_encode(), ["x", "y"], [0, 1, 0, 0]),
        (["x", float("nan"), "y", "x"], ["x", "y"], [0, -1, 1, 0]),
        (np.array([np.int64(3), None, np.int64(5), 5], dtype=object), [3, 5], [0, -1, 1, 1]),
        (np.array(["x", "", "y", "x"], dtype=np.dtypes.StringDType()), ["x", "y"], [0, -1, 1, 0]),
    ],
)
def test_labels_of_any_kind_are_read_and_gaps_are_no_class(y: object, classes: list, codes: list) -> None:
    labels = Labels.read(y, len(codes))
    assert labels.classes.tolist() == classes
    assert not any(isinstance(value, np.generic) for value in labels.classes.tolist())
    assert labels.codes.tolist() == codes
    assert codes_of(y, len(codes), labels.classes).tolist() == codes


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (["a", "b"], "2 labels for 4 records"),
        (["a"] * 4, r"one class only \('a'\)"),
        ([None] * 4, "no label at all"),
        ([0.5, 1.0, 0.0, 1.0], "Unknown label type: continuous"),
        ([np.inf, 1.0, 0.0, 1.0], "Input y contains infinity"),
        (["a", "b", "c", "d"], "4 different labels in 4 records"),
        (np.array(["a", 1, "a", 1], dtype=object), "mix text and numbers"),
        ([b"a", b"b", b"a", b"a"], "Unknown label type: bytes"),
        ([Decimal(1), Decimal(0), Decimal(1), None], "Unknown label type: Decimal"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 1), None], "Unknown label type: date"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused_in_a_sentence(y: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as refused:
        Labels.read(y, 4)
    assert "\n" not in str(refused.value)


def test_normal_is_what_the_user_says_or_the_most_frequent() -> None:
    y = ["ok", "ok", "bad", "bad", "bad", "odd"]
    assert Labels.read(y, 6).normal.tolist() == [True, False, False]
    assert Labels.read(y, 6, "ok").normal.tolist() == [False, False, True]
    assert Labels.read(y, 6, ["ok", "odd"]).normal.tolist() == [False, True, True]
    assert Labels.read([0, 0, 1, 1], 4, "0").normal.tolist() == [True, False]
    with pytest.raises(DataError, match="normal='fine' is none of the labels; there are 'bad', 'odd', 'ok'"):
        Labels.read(y, 6, "fine")
    with pytest.raises(DataError, match="are all labels there are"):
        Labels.read(y, 6, ["ok", "odd", "bad"])


def test_a_label_that_training_never_saw_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="label 'worm' was never seen in training, which had 'bad', 'ok'"):
        codes_of(["ok", "worm"], 2, np.array(["bad", "ok"]))


def test_weights_make_the_mean_over_all_the_mean_over_those_that_count() -> None:
    labels = Labels.read(["ok", "ok", "bad", None, None, None, "bad", None], 8, "ok")
    batch = labels.beside(encoded(8), np.arange(8))
    assert batch.labels.tolist() == [1, 1, 0, UNLABELLED, UNLABELLED, UNLABELLED, 0, UNLABELLED]
    value = batch.values[:, 0]
    known, ordinary = batch.labels != UNLABELLED, batch.labels != 0
    assert (value * batch.label_weight).mean() == pytest.approx(value[known].mean().item())
    assert (value * batch.density_weight).mean() == pytest.approx(value[ordinary].mean().item())


def test_balance_repeats_rare_classes_and_changes_no_mean() -> None:
    y = ["ok"] * 180 + ["bad"] * 4 + [None] * 816
    batch = Labels.read(y, 1000, "ok").beside(encoded(1000), np.arange(1000))
    grown = batch.balanced()
    shares = {int(label): float((grown.labels == label).float().mean()) for label in (UNLABELLED, 0, 1)}
    assert shares[0] > 0.1
    assert (batch.labels == 0).float().mean() < 0.01
    for weight in ("label_weight", "density_weight"):
        before = (batch.values[:, 0] * getattr(batch, weight)).mean().item()
        after = (grown.values[:, 0] * getattr(grown, weight)).mean().item()
        assert after == pytest.approx(before, rel=1e-4)
    even = Labels.read(["a", "b"] * 50, 100).beside(encoded(100), np.arange(100))
    assert len(even.balanced()) == 100
