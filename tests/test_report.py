"""The report: right numbers, harmless with hostile values, self-contained, and fitting its window."""

import base64
import contextlib
import datetime as dt
import html
import io
import json
import math
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.image import imread

from fake_detector import FakeDetector, office_table
from unwonted import DAGMM, DMDN, DSEBM, DMDNClassifier
from unwonted.cli import main
from unwonted.encode import Encoder
from unwonted.errors import DataError, DataWarning
from unwonted.explain import Expected, Explanation, Picture, Reason
from unwonted.metrics import evaluate, normal_mask
from unwonted.models.base import ColumnModel
from unwonted.report import build_report, write_report
from unwonted.report.curves import curve
from unwonted.report.findings import bars
from unwonted.report.pictures import picture
from unwonted.report.scores import histogram, training
from unwonted.report.ticks import decades, labels
from unwonted.sources import write_table

NORMAL, _ = office_table(600, seed=1)
TABLE, LABELS = office_table(400, seed=2, misuse=30)
HOSTILE = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'
VOID = {"meta", "link", "br", "img", "input", "hr"}


class OfficeDetector(FakeDetector):
    """The stand-in with what a report reads of a detector beside what it says: its model, and the records it keeps."""

    def __init__(self, normal: pa.Table, ignore=("record_id",)) -> None:
        super().__init__(normal, ignore)
        self.model_ = Mock(spec=ColumnModel)
        self.exemplars_ = self.schema_.select(normal.slice(0, 200))[0]
        self.encoder_ = Encoder.fit(self.exemplars_, self.schema_)


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == [], "an element was left open"

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data + "\n"


@pytest.fixture(scope="module")
def detector():
    return OfficeDetector(NORMAL)


@pytest.fixture(scope="module")
def page(detector):
    return build_report(detector, TABLE, LABELS, ["ordinary"], "Six weeks at the office")


@pytest.fixture(scope="module")
def hostile_page():
    """A page whose column names, values, labels, title and notices all try to be something else."""

    def spoil(table):
        return table.append_column(HOSTILE, pa.array([HOSTILE] * table.num_rows)).append_column(
            "n" * 300, pa.array([("v\x00\n\u202e" + "w" * 900)] * (table.num_rows - 1) + ["another"])
        )

    detector = OfficeDetector(spoil(NORMAL))
    detector.notices_ = (HOSTILE, "long" * 300)
    table = spoil(TABLE)
    at = table.column_names.index("host")
    table = table.set_column(
        at, "host", pa.array([HOSTILE + "h" * 400 if label != "ordinary" else "pc-01" for label in LABELS])
    )
    labels = [HOSTILE if label != "ordinary" else label for label in LABELS]
    return build_report(detector, table, labels, ["ordinary"], HOSTILE * 3)


@pytest.fixture(scope="module")
def large_page():
    """A page whose contributions go into the hundred thousands."""
    detector = OfficeDetector(NORMAL)
    contributions = detector.contributions
    detector.contributions = lambda X: 1e5 * contributions(X)
    return build_report(detector, TABLE)


def test_the_page_is_self_contained_and_well_formed(page):
    parsed = Page(page)
    assert parsed.tags["script"] == 0
    assert "://" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for _, name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert value == "data:," or value.removeprefix("#") in ids
    assert all(value for tag, name, value in parsed.attributes if tag == "svg" and name == "aria-label")
    assert parsed.tags["svg"] == sum(1 for tag, name, _ in parsed.attributes if (tag, name) == ("svg", "aria-label"))


def test_hostile_text_stays_text(hostile_page):
    parsed = Page(hostile_page)
    assert parsed.tags["script"] == parsed.tags["img"] == 0
    assert hostile_page.isprintable() or not {c for c in hostile_page if not c.isprintable()} - {"\n", "\xa0"}
    assert 'alert("x")</script>' in parsed.text
    assert "v␀␊\\u202ew" in parsed.text
    loads = [value for _, name, value in parsed.attributes if name in ("src", "href", "style")]
    assert not any("http" in value for value in loads)


def test_same_input_same_bytes(detector, page):
    assert build_report(detector, TABLE, LABELS, ["ordinary"], "Six weeks at the office") == page


def test_the_strangest_records_come_in_order_and_are_counted_from_one(detector, page):
    scores = detector.anomaly_score(TABLE)
    order = np.argsort(-scores, kind="stable")[:20] + 1
    text = Page(page).text.split("\n")
    shown = [int(text[i + 1].replace(",", "")) for i, part in enumerate(text) if part == "record "]
    assert shown == order.tolist()
    alerts = int((detector.calibration_.p_values(scores) <= 0.05).sum())
    assert f"{alerts} of 400 records stand out." in page


def test_metrics_are_those_of_the_labels(detector, page):
    scores = detector.anomaly_score(TABLE)
    alerts = detector.calibration_.p_values(scores) <= 0.05
    anomaly = np.array([label != "ordinary" for label in LABELS])
    measured = evaluate(scores, anomaly, alerts, alert_rate=0.05, threshold=-detector.offset_)
    text = Page(page).text
    assert f"{measured['auroc']:.3f}" in text
    assert f"{measured['f1']:.3f}" in text
    for cell, said in (("tp", "found"), ("fn", "missed"), ("fp", "false alert"), ("tn", "left in peace")):
        assert f"{measured['confusion'][cell]}\n{said}" in text
    assert f"{alerts[~anomaly].sum()} of {(~anomaly).sum()}" in text
    assert "exfiltration" in text


def test_categories_are_finer_than_labels(detector):
    coarse = [int(label != "ordinary") for label in LABELS]
    page = build_report(detector, TABLE, coarse, [0], categories=LABELS)
    assert "password guessing" in page
    assert page == build_report(detector, TABLE, [str(label) for label in coarse], [False], categories=LABELS)
    assert page == build_report(detector, TABLE, coarse, [0], categories=pd.Series(LABELS))


def test_records_without_a_label_are_shown_under_their_number_but_judge_nothing(detector):
    known = np.arange(400) % 3 > 0
    labels = [
        label if told else gap for label, told, gap in zip(LABELS, known, [None, "", math.nan, ""] * 100, strict=True)
    ]
    page = build_report(detector, TABLE, labels, ["ordinary"], top=400)
    text = Page(page).text
    scores, rest = detector.anomaly_score(TABLE), TABLE.filter(pa.array(known))
    alerts = detector.calibration_.p_values(scores) <= 0.05
    anomaly = np.array([label != "ordinary" for label in LABELS])
    measured = evaluate(
        detector.anomaly_score(rest), anomaly[known], alerts[known], alert_rate=0.05, threshold=-detector.offset_
    )
    for cell, said in (("tp", "found"), ("fn", "missed"), ("fp", "false alert"), ("tn", "left in peace")):
        assert f"{measured['confusion'][cell]}\n{said}" in text
    assert f"{measured['auroc']:.3f}" in text
    assert page.count("no label") == (~known).sum()
    assert all(f"record <b>{number}</b>" in page for number in (1, 200, 400))


def test_without_labels_nothing_is_judged(detector):
    page = build_report(detector, TABLE)
    assert "AUROC" not in page
    assert "Confusion" not in page
    assert page.count('class="figure"') > 20


def test_labels_of_one_kind_are_said_to_tell_nothing(detector):
    page = build_report(detector, TABLE, ["a"] * 400, ["a"])
    assert "All 400 labels mean normal" in page
    assert "AUROC" not in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"labels": LABELS}, "normal"),
        ({"labels": LABELS[1:], "normal": ["ordinary"]}, "399"),
        ({"labels": LABELS, "normal": ["ordinary"], "categories": ["a"]}, "categories"),
        ({"labels": LABELS, "normal": ["ordinry"]}, "ordinry"),
    ],
)
def test_labels_that_do_not_fit_are_an_error(detector, arguments, said):
    with pytest.raises(DataError, match=said):
        build_report(detector, TABLE, **arguments)


def test_too_few_calibration_records_are_said_to_promise_nothing():
    detector = OfficeDetector(NORMAL.slice(0, 20))
    page = build_report(detector, TABLE.slice(0, 1), top=5)
    assert "too few to promise an alert rate of 5\xa0%" in page
    assert "The record does not stand out." in page
    assert "Promised" not in page


def test_the_rate_said_to_be_promised_can_be():
    detector = OfficeDetector(NORMAL.slice(0, 192))
    detector.alert_rate = 0.01
    page = build_report(detector, TABLE, top=1)
    assert "too few to promise an alert rate of 1\xa0%: the smallest that can be promised is 1.1\xa0%" in page
    assert math.isinf(detector.calibration_.threshold(0.01))
    assert math.isfinite(detector.calibration_.threshold(0.011))


def test_one_value_may_mean_normal(detector, page):
    assert build_report(detector, TABLE, LABELS, "ordinary", "Six weeks at the office") == page
    coarse = [int(label != "ordinary") for label in LABELS]
    assert build_report(detector, TABLE, coarse, 0, top=1) == build_report(detector, TABLE, coarse, [0], top=1)


def test_no_records_are_an_error(detector):
    with pytest.raises(DataError, match="the table has no rows"):
        build_report(detector, TABLE.slice(0, 0))


def test_words_alone_gaps_alone_and_absent_ignored_columns():
    words = pa.table({"a": ["x", "y"] * 60, "b": ["u", "v", "w"] * 40})
    assert "The strangest 20 records" in build_report(OfficeDetector(words, ignore=()), words)
    gaps = TABLE.set_column(TABLE.column_names.index("minutes"), "minutes", pa.array([None] * 400, pa.float64()))
    assert "not in these records" not in build_report(OfficeDetector(NORMAL), gaps)
    assert "not in these records" in build_report(OfficeDetector(NORMAL), TABLE.drop_columns("record_id"))


def test_bars_account_for_the_whole_score():
    values = np.linspace(-3, 9, 25)
    drawn = bars([f"c{i}" for i in range(25)], values)
    assert drawn[-1].column == "17 other columns"
    assert drawn[0].column == "c24"
    per_unit = drawn[0].width / 9
    total = sum(bar.width * (1 if bar.positive else -1) for bar in drawn) / per_unit
    assert total == pytest.approx(values.sum())
    assert all(bar.left >= 0 and bar.left + bar.width <= 100 + 1e-9 for bar in drawn)
    zero = {round(bar.left if bar.positive else bar.left + bar.width, 6) for bar in drawn if bar.width}
    assert len(zero) == 1


def _expected(low, high, n=200, log=False):
    grid = np.geomspace(low, high, n) if log else np.linspace(low, high, n)
    u = np.log(grid) if log else grid
    z = (u - u.mean()) / (np.ptp(u) / 8)
    density = np.exp(-(z**2) / 2) / (grid if log else 1)
    return Expected("", None, (), (), tuple(grid), tuple(density))


def test_a_curve_shows_the_seen_value_on_its_axis():
    near = curve(_expected(0, 10), 12.0, "")
    assert (near.seen, near.beyond, near.logarithmic) == (12.0, 0, False)
    assert near.limits[1] > 12
    far = curve(_expected(-5, 5), 1e9, "")
    assert far.beyond == 1
    assert far.limits[1] < 20
    assert curve(_expected(-5, 5), -math.inf, "").beyond == -1
    assert curve(_expected(-5, 5), math.nan, "").seen is None


def test_a_curve_over_orders_of_magnitude_is_logarithmic_and_keeps_its_areas():
    drawn = curve(_expected(1e2, 1e8, log=True), 5e10, "")
    assert drawn.logarithmic
    assert drawn.beyond == 0
    peak = drawn.x[np.argmax(drawn.height)]
    assert 5e4 < peak < 2e5  # the middle of the logarithms, where plain density would peak far below
    assert curve(_expected(1, 1.5), 1.2, "").logarithmic is False


def test_no_curve_without_a_density():
    assert curve(Expected("", None, (), (), (), ()), 1.0, "") is None
    assert curve(Expected("", None, (), (), (1.0, 2.0), (0.0, 0.0)), 1.0, "") is None


@pytest.mark.parametrize("scored", [np.array([1e300, 3.0]), np.array([np.inf, 3.0]), np.full(9, 3.0)])
def test_a_histogram_is_not_stretched_by_outliers(scored):
    held = np.random.default_rng(0).normal(0, 1, 500)
    drawn = histogram(held, scored, 1.7)
    assert drawn.edges[-1] < 30
    assert drawn.scored.sum() == pytest.approx(1)
    assert drawn.calibration.sum() == pytest.approx(1)
    assert drawn.beyond == (scored > 30).sum()
    above = drawn.edges[:-1] >= drawn.threshold
    assert drawn.calibration[above].sum() == pytest.approx((held > 1.7).mean())


def test_a_histogram_of_one_value_has_a_width():
    drawn = histogram(np.full(5, 2.0), np.full(3, 2.0), math.inf)
    assert np.all(np.diff(drawn.edges) > 0)


def test_training_marks_the_best_epoch_and_survives_a_wild_start():
    shown = training({"train": [1e9, 5.0, 4.0, 3.9, 3.8] * 4, "validation": [1e9, 5.1, 4.2, 4.3, math.inf] * 4})
    assert shown.best == 3
    assert training({"train": [], "validation": []}) is None
    assert training({"train": [1e9, *[5.0, 4.0] * 9], "validation": []}).limits[1] < 10


def test_normal_labels_match_by_value():
    assert normal_mask([0, "0", False, 0.0, "no", "1", None], [0]).tolist() == [True] * 4 + [False] * 3


def test_writing_is_whole_or_not_at_all(detector, tmp_path):
    write_report(detector, TABLE.slice(0, 30), tmp_path / "r.html", title="A title")
    assert (tmp_path / "r.html").read_text("utf-8").rstrip().endswith("</html>")
    with pytest.raises(DataError, match="nowhere"):
        write_report(detector, TABLE.slice(0, 30), tmp_path / "nowhere" / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def _browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip("no Chromium is installed: the report was not opened in a browser")
    return found


def _measured(page: str, folder: Path) -> dict[str, list[int]]:
    """Opens a page at several widths, everything unfolded; its widths, requests, scripts and broken figures."""
    frame = "<iframe data-width={0} style='width:{0}px;height:900px;border:0' srcdoc=\"{1}\"></iframe>"
    source = html.escape(page, quote=True)
    harness = folder / "harness.html"
    harness.write_text(
        "<!DOCTYPE html><meta charset=utf-8><body>"
        + "".join(frame.format(width, source) for width in (1280, 400))
        + """<script>addEventListener("load", () => {
          const seen = {};
          const lines = each => {
            const range = each.ownerDocument.createRange();
            range.selectNodeContents(each);
            return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
          };
          for (const frame of document.querySelectorAll("iframe")) {
            const inside = frame.contentDocument, root = inside.documentElement;
            inside.querySelectorAll("details").forEach(each => each.open = true);
            seen[frame.dataset.width] = [root.scrollWidth, root.clientWidth, inside.scripts.length,
              frame.contentWindow.performance.getEntriesByType("resource").length,
              inside.querySelectorAll("details[open] svg").length, root.scrollHeight,
              [...inside.querySelectorAll(".rank, .figureless, .schema td:nth-child(2)")]
                .filter(each => lines(each) > 1).length];
          }
          document.body.replaceChildren(JSON.stringify(seen));
        });</script>""",
        encoding="utf-8",
    )
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --disable-dev-shm-usage --enable-logging=stderr --dump-dom"
    )
    command = [_browser(), *flags.split(), f"--user-data-dir={folder / 'profile'}", harness.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Content Security Policy" not in run.stderr
    return json.loads(html.unescape(run.stdout[run.stdout.index("{") : run.stdout.rindex("}") + 1]))


@pytest.mark.parametrize("which", ["page", "hostile_page", "large_page"])
def test_in_a_browser_it_fits_asks_for_nothing_and_runs_nothing(which, request, tmp_path):
    measured = _measured(request.getfixturevalue(which), tmp_path)
    assert set(measured) == {"1280", "400"}
    for width, (needed, given, scripts, requests, drawings, height, broken) in measured.items():
        assert needed <= given <= int(width)
        assert scripts == requests == broken == 0
        assert drawings >= 10
        assert height > 3000


def test_the_browser_test_would_notice(page, tmp_path):
    wide = page.replace("<main>", "<main><p style='width:1500px'>x</p>").replace(
        " content=\"default-src 'none';", ' content="'
    )
    wide = wide.replace("</main>", "<script></script><img src='http://localhost:9/x.png'></main>")
    with pytest.raises(AssertionError, match="Content Security"):
        _measured(wide, tmp_path)
    plain = wide.replace("http-equiv", "data-off")
    needed, given, scripts, requests, *_ = _measured(plain, tmp_path)["1280"]
    assert needed > given
    assert scripts == 1
    assert requests == 1


def test_boundless_scores_are_shown_and_drawn(detector, monkeypatch):
    parts = detector.contributions(TABLE)
    parts[7, 3:5] = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        monkeypatch.setattr(detector, "anomaly_score", lambda X: parts[: X.num_rows].sum(axis=1))
    monkeypatch.setattr(detector, "contributions", lambda X: parts[7 : 7 + X.num_rows])
    with np.errstate(over="ignore"):
        page = build_report(detector, TABLE, top=1)
    text = Page(page).text
    assert "The strangest record scores ∞" in text
    assert "+1 × 10^15" in text


def _of_all_kinds(n=30):
    """Records in which every column is written otherwise than the model reads it."""
    rng = np.random.default_rng(0)
    start = dt.datetime(2024, 1, 17, 19, 54)
    times = [start + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 90_000, n)]
    return pa.table(
        {
            "written": [f"{time:%Y-%m-%dT%H:%M:%S}" for time in times],
            "epoch": (1_704_067_200 + rng.integers(0, 86_400, n)).tolist(),
            "paid": rng.choice(["Yes", "No"], n).tolist(),
            "remote": rng.integers(0, 2, n).tolist(),
            "clock": [f"{time:%H:%M:%S}" for time in times],
            "took": pa.array(
                [dt.timedelta(days=1, seconds=int(s)) for s in rng.integers(0, 999, n)], pa.duration("us")
            ),
            "zoned": pa.array(times, pa.timestamp("us", "Europe/Berlin")),
            "code": rng.choice(["007", "012"], n).tolist(),
            "north": (52.516 + rng.normal(0, 2e-4, n)).tolist(),
        }
    )


def _pairs(page: str, caption: str) -> list[dict[str, tuple[str, str]]]:
    """Of each record that has such a table the cells of its columns beside the nearest normal record's."""
    tables = re.findall(rf"{caption}</caption>(.*?)</table>", page, re.DOTALL)
    rows = [re.findall(r'<tr.*?title="(.*?)".*?<td title="(.*?)".*?<td title="(.*?)"', t, re.DOTALL) for t in tables]
    return [{name: (seen, usual) for name, seen, usual in found} for found in rows]


def test_a_record_that_is_kept_differs_in_nothing_from_the_nearest_one_however_it_is_written():
    table = _of_all_kinds()
    detector = DMDN(random_state=0).untrained().fit(table)
    page = build_report(detector, table, top=30)
    differing, alike = _pairs(page, "Columns that differ"), _pairs(page, "Columns that agree")
    assert len(differing) == 30 - detector.exemplars_.num_rows
    assert sum(len(columns) == 9 for columns in alike) == detector.exemplars_.num_rows > 20
    assert all(seen == usual for columns in alike for seen, usual in columns.values())
    assert all(seen != usual for columns in differing for seen, usual in columns.values())
    assert {usual for columns in alike for _, usual in columns.values()} >= {"true", "false", "007", "012"}


def test_ones_and_zeros_stay_ones_and_zeros():
    rng = np.random.default_rng(0)
    table = pa.table({"remote": rng.integers(0, 2, 400), "admin": rng.random(400) < 0.5, "x": rng.normal(size=400)})
    detector = DMDN(random_state=0).untrained().fit(table)
    page = build_report(detector, table.slice(0, 20))  # all of which are shown
    shown = [columns for what in ("Columns that differ", "Columns that agree") for columns in _pairs(page, what)]
    cells = {name: {cell for columns in shown for cell in columns.get(name, ())} for name in ("remote", "admin")}
    assert cells["remote"] == {"0", "1"}
    assert cells["admin"] == {"false", "true"}


def test_a_difference_too_small_for_four_digits_is_shown_in_as_many_as_it_takes():
    table = _of_all_kinds()
    detector = DMDN(random_state=0).untrained().fit(table)
    kept = detector.exemplars_.slice(0, 1)
    at = kept.column_names.index("north")
    north = kept["north"][0].as_py()
    page = build_report(detector, kept.set_column(at, "north", pa.array([north + 1e-9])))
    ((column, (seen, usual)),) = _pairs(page, "Columns that differ")[0].items()
    assert column == "north"
    assert float(seen) - float(usual) == pytest.approx(1e-9, rel=0.6)
    assert max(len(seen), len(usual)) <= 13


def test_context_tells_which_record_it_was_by_whole_numbers_and_neither_constants_nor_labels():
    rng = np.random.default_rng(0)
    ids = rng.integers(10**17, 9 * 10**17, 60)
    table = pa.table(
        {f"constant {i}": ["v"] * 60 for i in range(4)}
        | {"outcome": ["ok", "bad"] * 30, "verdict": ["fine", None, "odd"] * 20, "case_id": ids}
        | {"x": rng.normal(size=60), "kind": rng.choice(["a", "b"], 60)}
    )
    roles = {"outcome": {"role": "label"}, "verdict": {"role": "ignore"}}
    detector = DMDN(random_state=0, schema=roles).untrained().fit(table)
    chips = r'<span class="chip">(.*?) <b>(.*?)</b>'
    found = re.findall(chips, build_report(detector, table, table["verdict"].to_pylist(), ["fine"], top=9))
    assert {name for name, _ in found} == {"record", "also", "case_id"}
    shown = [value for name, value in found if name == "case_id"]
    assert len(shown) == 9
    assert set(shown) <= {f"{case:,}" for case in ids.tolist()}
    assert "verdict" in {name for name, _ in re.findall(chips, build_report(detector, table, top=1))}


def _hours(seen: float) -> Reason:
    """A job at 00:36, give or take nine minutes."""
    grid = np.linspace(0, 24, 1201)
    expected = Expected("", (0.3, 0.9), (), (), tuple(grid), tuple(np.exp(-(((grid - 0.6) / 0.15) ** 2) / 2)))
    return Reason("night", "", seen, 5.0, 5.0, expected, "")


def test_hours_are_drawn_around_the_clock_and_never_logarithmically(monkeypatch):
    hours = _hours(22.0)
    drawn = curve(hours.expected, 22.0, "", around_the_clock=True)
    assert drawn.x[np.argmax(drawn.height)] == pytest.approx(0.6)
    assert (drawn.limits, drawn.seen, drawn.beyond, drawn.logarithmic) == ((0.0, 24.0), 22.0, 0, False)
    night = [dt.datetime(2024, 1, 1 + i % 28, 0, 30 + i % 20) for i in range(60)]
    table = pa.table({"night": night, "x": np.arange(60.0)})
    detector = DMDN(random_state=0).untrained().fit(table)
    monkeypatch.setattr(detector, "explain", lambda X, top: [Explanation(0, 5.0, 0.1, False, (hours,), None)])
    page = build_report(detector, table.slice(0, 1))
    (figure,) = re.findall(r'<svg[^>]*aria-label="Expected values.*?</svg>', page, re.DOTALL)
    assert re.findall(r"<text[^>]*>(.*?)</text>", figure) == ["0", "6", "12", "18", "24"]


@pytest.mark.parametrize(
    ("model", "start", "loss"),
    [
        (DSEBM(random_state=0), "the nearest normal record", "loss"),
        (DSEBM(random_state=0, exemplars=0), "a typical record", "loss"),
        (DAGMM(random_state=0), "the nearest normal record", "loss"),
        (DMDNClassifier(random_state=0, exemplars=0), "a typical record", "loss, in nats"),
    ],
)
def test_the_page_says_what_is_true_of_the_model(model, start, loss):
    table = _of_all_kinds().select(["north", "paid"])
    detector = model.untrained().fit(table, ["ok", "ok", "bad"] * 10)
    detector.history_ = {"train": [2.0, 1.0], "validation": [2.0, 1.5]}
    page = build_report(detector, table, top=2)
    assert f"of {start} on</h4>" in page
    assert f"measured from {start} on." in page
    assert f">{loss}</text>" in page
    assert "expected in its place" not in page
    assert "less probable the record" not in page
    assert "its own explanation" not in page
    kept = start == "the nearest normal record"
    assert ("<dt>nearest normal</dt>" in page) == kept
    assert ("normal record most like it" in page) == kept
    assert "unknown" not in page


def test_a_density_says_what_was_expected_and_that_its_score_explains_itself(page):
    assert "expected in its place" in page
    assert "its own explanation" in page
    assert ">loss, in nats</text>" in page
    assert "adds to the score</h4>" in page
    assert "most likely" not in page


def test_a_classifier_tells_the_label_and_probability_of_each_finding():
    table = _of_all_kinds().select(["north", "paid"])
    labels = ["ok", "ok", "bad"] * 10
    detector = DMDNClassifier(normal="ok", random_state=0).untrained().fit(table, labels)
    page = build_report(detector, table, labels, "ok", top=30)
    rows = [int(row) - 1 for row in re.findall(r"record <b>(\d+)</b>", page)]
    told = re.findall(r"most likely <b>(\w+), ([\d.]+)\xa0%</b>", page)
    assert [label for label, _ in told] == detector.predict(table)[rows].tolist()
    assert [float(share) for _, share in told] == pytest.approx(
        100 * detector.predict_proba(table).max(1)[rows], abs=0.06
    )


def test_a_network_that_learnt_anew_from_all_records_is_not_said_to_be_the_best_of_the_first():
    table = _of_all_kinds(400).select(["north", "paid"])
    detector = DMDNClassifier(random_state=0).untrained().fit(table, ["ok", "ok", "ok", "bad"] * 100)
    first, held_out = {"train": [2.0, 1.0], "validation": [2.0, 1.5]}, detector.summary_["validation"]
    detector.history_ = first
    text = Page(build_report(detector, table, top=1)).text
    assert "epoch 2, the best of a first network; then one learnt anew, for as long, from all records." in text
    assert f"held out at first, to choose when to stop\n{held_out}" in text
    assert "to fit the weights" not in text
    once = DMDN(random_state=0).untrained().fit(table)
    once.history_ = first
    text = Page(build_report(once, table, top=1)).text
    assert "epoch 2, whose weights were kept." in text
    assert f"to fit the weights\n{once.summary_['train']}" in text


def test_the_page_notices_the_training_records_and_what_counts_as_missing():
    table = _of_all_kinds()
    detector = DMDN(random_state=0).untrained().fit(table)
    learnt = "these look like the records that the model learnt from"
    assert learnt in build_report(detector, table, top=1)
    at = table.column_names.index("epoch")
    other = table.slice(0, 3).set_column(at, "epoch", pa.array(["soon", "1704067200", "1704067201"]))
    with pytest.warns(DataWarning):
        page = build_report(detector, other, top=1)
    assert learnt not in page
    assert page.count("1 of 3 values are no numbers (such as &#39;soon&#39;) and count as missing") == 1


def test_one_is_counted_as_one(detector, tmp_path):
    page = build_report(detector, TABLE.slice(0, 1), LABELS[:1], "ordinary")
    assert "The only label means normal" in page
    with pytest.raises(DataError, match="1 value, the table 2 rows"):
        build_report(detector, TABLE.slice(0, 2), LABELS[:1], "ordinary")
    model, data = tmp_path / "m.safetensors", tmp_path / "one.parquet"
    DMDN(random_state=0).untrained().fit(_of_all_kinds()).save(model)
    write_table(_of_all_kinds().slice(0, 1), data)
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        assert main(["report", str(model), str(data), "-o", str(tmp_path / "r.html")]) == 0
    assert "report on 1 record;" in told.getvalue()


def _panels(shown: Picture) -> list[np.ndarray]:
    """The reds of each panel's pixels."""
    pictures = re.findall('base64,([^"]*)', picture(shown))
    return [imread(io.BytesIO(base64.b64decode(png)))[..., 0] for png in pictures]


def test_channels_of_different_units_have_a_scale_each_and_an_images_channels_one():
    seen = np.array([[0.0, 5e6], [1.0, 5e6 + 1000], [2.0, 5e6 + 2000]])
    nearest = np.array([[1.0, 5e6], [1.0, 5e6], [0.0, np.nan]])
    grey, beside, heat = _panels(Picture(seen, nearest, np.array([[0.0, -1.0], [0.0, 0.0], [0.5, 0.0]])))
    assert grey == pytest.approx(np.array([[0, 0.5, 1], [0, 0.5, 1]]), abs=0.01)
    assert beside[0] == pytest.approx([0.5, 0.5, 0], abs=0.01)
    assert beside[1, :2] == pytest.approx([0, 0])
    assert len(set(heat[0, :2])) == 1
    assert heat[1, 0] < heat[0, 0] < heat[0, 2]  # on one scale: what adds less is paler
    image = np.stack([np.array([[0.0, 4.0]]), np.array([[2.0, 4.0]])], 2)
    assert _panels(Picture(image, None, image))[0] == pytest.approx(np.array([[0.0, 1.0]]))
    assert _panels(Picture(seen, seen - [1, 0], seen))[0][0] == pytest.approx([1 / 3, 2 / 3, 1], abs=0.01)


@pytest.mark.parametrize(
    ("ticks", "said"),
    [
        ([52.44, 52.46, 52.48], ["52.44", "52.46", "52.48"]),
        ([0.0, 1e76, 1e152], ["0", "1e76", "1e152"]),
        ([0.0, 1.0, 1e3, 1e6, 1e9], ["0", "1", "1k", "1M", "1G"]),
        ([-0.1, 5e-18, 0.1], ["−0.1", "0", "0.1"]),
        ([1_704_060_000.0, 1_704_080_000.0], ["1.70406G", "1.70408G"]),
        ([0.0, 2.5e-7, 5e-7], ["0", "2.5e−7", "5e−7"]),
        ([0.0, 1.5, 3.0], ["0", "1.5", "3"]),
    ],
)
def test_neighbouring_ticks_are_told_apart_and_short(ticks, said):
    assert labels(ticks) == said


def test_decades_leave_zero_its_room():
    assert decades(0.0, 1.4e300, 1.0) == pytest.approx([0.0, 1e76, 1e152, 1e228])
    assert decades(0.0, 900.0, 1.0) == [0.0, 1.0, 10.0, 100.0]


def test_an_axis_of_a_narrow_column_has_no_tick_twice(detector, monkeypatch):
    grid = np.linspace(52.44, 52.52, 200)
    expected = Expected("", (52.46, 52.5), (), (), tuple(grid), tuple(np.exp(-(((grid - 52.48) / 0.01) ** 2))))
    reason = Reason("hour", "", 52.5, 5.0, 5.0, expected, "")
    monkeypatch.setattr(detector, "explain", lambda X, top: [Explanation(0, 5.0, 0.1, False, (reason,), None)])
    page = build_report(detector, TABLE.slice(0, 1))
    (figure,) = re.findall(r'<svg[^>]*aria-label="Expected values.*?</svg>', page, re.DOTALL)
    ticks = re.findall(r"<text[^>]*>(.*?)</text>", figure)
    assert len(ticks) == len(set(ticks)) > 2
