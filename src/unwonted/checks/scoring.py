"""Checks of what a score depends on, and of what it does not: company, order, units, saving."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unwonted.artifact import load
from unwonted.checks.state import demand_equal, state
from unwonted.checks.subject import Subject
from unwonted.errors import DataError

__all__ = [
    "check_batch_invariance",
    "check_column_order",
    "check_few_records",
    "check_save_and_load",
    "check_strange_cells",
    "check_units",
]


def check_column_order(subject: Subject) -> None:
    """Columns are matched by name: in another order, with others between them, they change no bit."""
    names = subject.new.column_names[::-1]
    other = subject.new.select(names).add_column(1, "unheard of", pa.array(range(subject.new.num_rows)))
    demand_equal(
        subject.outputs(subject.fitted, other),
        subject.outputs(subject.fitted, subject.new),
        "with the order of columns",
    )


def check_batch_invariance(subject: Subject) -> None:
    """A record's score depends on nothing but the record: not on its company, nor on its place in it."""
    whole = subject.fitted.anomaly_score(subject.new)
    assert subject.fitted.anomaly_score(subject.new.slice(0, 0)).shape == (0,), "no record has a score"
    n = subject.new.num_rows
    order = np.random.default_rng(0).permutation(n)
    shuffled = np.empty(n)
    shuffled[order] = subject.fitted.anomaly_score(subject.new.take(order))
    single = np.array([subject.fitted.anomaly_score(subject.new.slice(i, 1))[0] for i in range(n)])
    # More than any model takes at a time, and no multiple of anything.
    many = pa.concat_tables([subject.records.select(subject.new.column_names)] * 4 + [subject.new])
    crowd = subject.fitted.anomaly_score(many)[-n:]
    for scores, company in ((shuffled, "the order of records"), (single, "the batch"), (crowd, "the batch")):
        np.testing.assert_allclose(
            scores, whole, rtol=1e-6, atol=1e-9, err_msg=f"a record's score depends on {company}"
        )


def check_save_and_load(subject: Subject) -> None:
    """A saved and loaded detector says the same to the bit, and is saved again as the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder, "model.safetensors"), Path(folder, "again.safetensors")
        subject.fitted.save(path)
        loaded = load(path)
        loaded.save(again)
        assert again.read_bytes() == path.read_bytes(), "a loaded detector is saved as another file"
    wanted = subject.outputs(subject.fitted, subject.new)
    demand_equal(subject.outputs(loaded, subject.new), wanted, "by saving and loading")
    thresholds = {detector.calibration_.threshold(detector.alert_rate) for detector in (loaded, subject.fitted)}
    assert len(thresholds) == 1, "the threshold changes by saving and loading"


def check_strange_cells(subject: Subject) -> None:
    """Gaps, categories never seen and infinities are scored and explained, in any column."""
    tables, strange = [], []
    for i, field in enumerate(subject.new.schema):
        cells: list[Any] = [None]
        if pa.types.is_string(field.type):
            cells += ["never seen", "", "\N{SNOWMAN}\n<b>"]
        elif pa.types.is_floating(field.type):
            cells += [float("inf"), -float("inf"), float("nan"), 1e300, -1e300, 5e-324]
        for cell in cells:
            tables.append(subject.new.slice(0, 1).set_column(i, field, pa.array([cell], field.type)))
            strange.append(f"{cell!r} in column {field.name!r}")
    changed = pa.concat_tables(tables)
    detector = subject.fitted
    explained = detector.explain(changed, top=99)
    figures = zip(detector.anomaly_score(changed), detector.p_value(changed), explained, strange, strict=True)
    for score, p, explanation, what in figures:
        assert not np.isnan(score), f"{what} has no score"
        assert 0 < p <= 1, f"{what} has the p-value {p}"
        reasons = sorted(reason.column for reason in explanation.reasons)
        assert reasons == sorted(detector.columns_), f"{what} is explained by the columns {reasons}"


def check_few_records(subject: Subject) -> None:
    """Ten records are enough to learn from, nine are refused, and any number is scored."""
    detector = subject.fit(subject.make(), subject.records.slice(0, 10))
    again = subject.fit(subject.make(), subject.records.slice(0, 10))
    assert state(again) == state(detector), "two detectors with the same seed and ten records differ"
    for rows in (1, 3):
        for fitted in (detector, subject.fitted):
            scores = fitted.anomaly_score(subject.new.slice(0, rows))
            assert scores.shape == (rows,), f"{rows} records get {scores.shape} scores"
            assert np.isfinite(scores).all(), "an ordinary record's score is not finite"
    for rows in (0, 1, 9):
        refused = ""
        try:
            subject.fit(subject.make(), subject.records.slice(0, rows))
        except DataError as error:
            refused = str(error)
        assert refused, f"fit takes {rows} records"
        assert "\n" not in refused, "an error is more than one line"


def check_units(subject: Subject) -> None:
    """Columns in units a million times smaller or larger leave the ranking as it is.

    On an axis that counts, whole numbers are only made larger: millionths would be no counts.
    """
    numbers = [field.name for field in subject.records.schema if pa.types.is_floating(field.type)]
    factors = {name: 1e6 if i % 2 else 1e-6 for i, name in enumerate(numbers)}
    if subject.fitted._axis() == "counting":
        known = {name: subject.records[name].drop_null().to_numpy() for name in numbers}
        factors |= {name: 1e6 for name, values in known.items() if (values == np.round(values)).all()}

    def changed(records: pa.Table) -> pa.Table:
        for name, factor in factors.items():
            column = records[name].to_numpy() * factor
            records = records.set_column(records.column_names.index(name), name, pa.array(column, from_pandas=True))
        return records

    other = subject.fit(subject.make(), changed(subject.records))
    wanted, got = subject.fitted.anomaly_score(subject.new), other.anomaly_score(changed(subject.new))
    # Scores may differ in the last digits, for the new figures were rounded; no rank by more than that.
    order = np.argsort(got)
    falls = np.maximum.accumulate(wanted[order]) - wanted[order]
    assert falls.max() <= 1e-3 * wanted.std(), "a change of units changes the ranking"
