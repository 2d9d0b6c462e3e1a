"""A stand-in for a fitted detector, and a small office log, for tests of what is built upon them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unwonted.calibrate import Calibration
from unwonted.explain import Expected, Explanation, Reason
from unwonted.schema import Schema

NUMBERS = {"hour", "bytes_out", "bytes_in", "files", "minutes", "failed_logins"}
LOGARITHMIC = {"bytes_out", "bytes_in", "files", "minutes"}


def office_table(n: int, seed: int, misuse: int = 0) -> tuple[pa.Table, list[str]]:
    """Records of office work; the last `misuse` of them are copying at night by the wrong application."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 12, n)
    data: dict[str, Any] = {
        "record_id": [f"r{i:05d}" for i in range(n)],
        "user": [f"user{i:02d}" for i in who],
        "department": [("finance", "sales", "engineering")[i % 3] for i in who],
        "action": rng.choice(["view", "edit", "export"], n, p=[0.6, 0.35, 0.05]).tolist(),
        "application": [("ledger", "crm", "repository")[i % 3] for i in who],
        "host": [f"pc-{i:02d}" for i in who],
        "weekend": (rng.random(n) < 0.03).tolist(),
        "hour": np.round(np.clip(rng.normal(12.5, 2.4, n), 0, 23.9), 2).tolist(),
        "bytes_out": np.round(np.exp(rng.normal(9, 1.2, n))).tolist(),
        "bytes_in": np.round(np.exp(rng.normal(12, 1.5, n))).tolist(),
        "files": np.round(np.exp(rng.normal(1, 0.7, n))).tolist(),
        "minutes": np.where(rng.random(n) < 0.05, None, np.round(np.exp(rng.normal(2.8, 0.6, n)), 1)).tolist(),
        "failed_logins": rng.poisson(0.1, n).astype(float).tolist(),
    }
    labels = ["ordinary"] * n
    for i in range(n - misuse, n):
        kind = ("exfiltration", "night work", "password guessing")[i % 3]
        labels[i] = kind
        if kind == "exfiltration":
            data["bytes_out"][i] = float(round(math.exp(rng.normal(18, 2))))
            data["action"][i] = "export"
        elif kind == "night work":
            data["hour"][i] = round(float(rng.normal(3, 0.4)), 2)
            data["weekend"][i] = True
        else:
            data["failed_logins"][i] = float(rng.integers(6, 40))
            data["host"][i] = "kiosk-lobby"
    return pa.table(data), labels


class FakeDetector:
    """Columns as if independent: a normal law of each number (or its logarithm), shares of each category."""

    alert_rate = 0.05

    def __init__(self, normal: pa.Table, ignore: Sequence[str] = ("record_id",)) -> None:
        self.columns_ = tuple(name for name in normal.column_names if name not in ignore)
        self.schema_ = Schema.infer(normal, ignore=ignore)
        half = normal.num_rows // 2
        self._learn(normal.slice(0, half))
        self._exemplars = normal.slice(0, 200).to_pylist()
        self.calibration_ = Calibration(np.sort(self.anomaly_score(normal.slice(half))))
        epochs = np.arange(1, 31)
        wobble = np.random.default_rng(0).normal(0, 0.05, 30)
        self.history_ = {
            "train": (14 + 40 * np.exp(-epochs * 0.9) + 4 * np.exp(-epochs / 6)).tolist(),
            "validation": (
                14.6 + 30 * np.exp(-epochs * 0.9) + 4 * np.exp(-epochs / 6) + 0.004 * epochs + wobble
            ).tolist(),
        }
        self.summary_ = {
            "rows": normal.num_rows,
            "train": half - 20,
            "validation": 20,
            "calibration": normal.num_rows - half,
            "seconds": 3.21,
        }
        self.notices_ = ("column 'hour': numbers that look like hours of the day; a time stamp would let them wrap",)

    @property
    def offset_(self) -> float:
        return -self.calibration_.threshold(self.alert_rate)

    def _learn(self, table: pa.Table) -> None:
        self._laws: dict[str, Any] = {}
        for name in self.columns_:
            values = table.column(name).to_pylist()
            if name in NUMBERS:
                x = self._scale(name, [v for v in values if v is not None])
                self._laws[name] = (float(x.mean()), float(x.std()) or 1.0, values.count(None) / len(values))
            else:
                shares = {str(v): values.count(v) / (len(values) + 1) for v in sorted(set(values), key=str)}
                self._laws[name] = dict(sorted(shares.items(), key=lambda item: -item[1]))

    @staticmethod
    def _scale(name: str, values: Any) -> NDArray[np.float64]:
        x = np.asarray(values, np.float64)
        return np.log1p(x) if name in LOGARITHMIC else x

    def contributions(self, X: pa.Table) -> NDArray[np.float64]:
        columns = []
        for name in self.columns_:
            law, values = self._laws[name], X.column(name).to_pylist()
            if name in NUMBERS:
                mean, spread, gaps = law
                z = (self._scale(name, [np.nan if v is None else v for v in values]) - mean) / spread
                columns.append(np.where(np.isnan(z), -math.log(gaps + 0.01), 3 * np.log1p(z**2 / 3) - 0.8))
            else:
                columns.append(np.array([-math.log(law.get(str(v), 0.0005)) - 1.2 for v in values]))
        return np.stack(columns, axis=1) if columns else np.zeros((X.num_rows, 0))

    def anomaly_score(self, X: pa.Table) -> NDArray[np.float64]:
        return self.contributions(X).sum(axis=1)

    def explain(self, X: pa.Table, top: int = 3) -> list[Explanation]:
        parts = self.contributions(X)
        p = self.calibration_.p_values(parts.sum(axis=1))
        explanations = []
        for row, record in enumerate(X.to_pylist()):
            worst = np.argsort(-parts[row])[:top]
            reasons = tuple(
                self._reason(self.columns_[i], record[self.columns_[i]], float(parts[row, i])) for i in worst
            )
            nearest = min(self._exemplars, key=lambda other: sum(record[c] != other[c] for c in self.columns_))
            explanations.append(
                Explanation(
                    row,
                    float(parts[row].sum()),
                    float(p[row]),
                    bool(p[row] <= self.alert_rate),
                    reasons,
                    {c: "missing" if nearest[c] is None else str(nearest[c]) for c in self.columns_},
                )
            )
        return explanations

    def _reason(self, name: str, value: Any, contribution: float) -> Reason:
        law = self._laws[name]
        seen = "missing" if value is None else str(value)
        if name not in NUMBERS:
            likely = tuple(law.items())[:5]
            text = ", ".join(f"{k} ({100 * v:.0f} %)" for k, v in likely[:3])
            expected = Expected(text, None, (), likely, (), (), (seen, law.get(seen, 0.0005)))
            return Reason(
                name,
                seen,
                None,
                contribution,
                contribution + 1.2,
                expected,
                f"{name} is {seen}; expected {text}",
            )
        mean, spread, _ = law
        grid = np.linspace(mean - 4 * spread, mean + 4 * spread, 120)
        density = np.exp(-(((grid - mean) / spread) ** 2) / 2) / spread / 2.5066
        low, high = mean - 1.96 * spread, mean + 1.96 * spread
        if name in LOGARITHMIC:
            keep = grid >= 0
            grid, density = np.expm1(grid[keep]), density[keep] / np.exp(grid[keep])
            low, high, mean = math.expm1(max(low, 0)), math.expm1(high), math.expm1(mean)
        text = f"{max(low, 0):,.3g} to {high:,.3g}"
        expected = Expected(text, (low, high), (mean,), (), tuple(grid.tolist()), tuple(density.tolist()))
        at = None if value is None else float(value)
        return Reason(name, seen, at, contribution, contribution + 0.4, expected, f"{name} is {seen}; expected {text}")
