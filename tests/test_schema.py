"""A schema names columns' kinds and roles, takes them out of records by name, and says what is wrong."""

import datetime as dt
import json
from decimal import Decimal

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from unwonted.errors import DataError
from unwonted.schema import Kind, Role, Schema, profile, read_overrides
from unwonted.sources import as_table, read_table

TABLE = pa.table(
    {
        "bytes": [10, 20, None],
        "proto": ["tcp", "udp", ""],
        "login": [True, False, None],
        "when": ["2024-01-01T00:00:00+01:00", "2024-01-02", None],
        "model": [1, 1, 1],
        "id": ["x1", "x2", "x3"],
        "label": [0, 1, 0],
    }
)
SCHEMA = Schema.infer(TABLE, {"label": {"role": "label"}})


def names(columns):
    return [column.name for column in columns]


def test_features_are_what_a_model_may_see():
    assert SCHEMA.names == tuple(TABLE.column_names)
    assert names(SCHEMA.features) == ["bytes", "proto", "login", "when"]
    assert SCHEMA.targets == ()
    assert SCHEMA.text == ("proto",)
    assert len(SCHEMA.notices) == 2  # the constant and the identifier


def test_selecting_twice_is_selecting_once():
    decimals = pa.array([Decimal("0.00"), Decimal("1.00"), None], pa.decimal128(5, 2))
    table = TABLE.append_column("flag", decimals).append_column("code", decimals)
    once, _ = Schema.infer(table, {"code": {"kind": "categorical"}}).select(table)
    assert once["flag"].to_pylist() == ["false", "true", None]
    assert once["code"].to_pylist() == ["0", "1", None]
    assert Schema.infer(table, {"code": {"kind": "categorical"}}).select(once)[0].equals(once)


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.FEATURE, Role.TARGET)])
def test_other_roles_are_kept_in_the_schema_and_from_the_model(role):
    schema = Schema.infer(TABLE, {"bytes": {"role": role.value}})
    assert schema.columns[0].role is role
    assert "bytes" not in names(schema.features)
    assert "bytes" not in schema.select(TABLE)[0].column_names


def test_targets_ignored_and_overrides():
    schema = Schema.infer(
        TABLE,
        {"bytes": {"kind": "categorical"}, "id": {"role": "feature"}},
        targets=["proto"],
        ignore=["label"],
    )
    assert names(schema.targets) == ["proto"]
    assert names(schema.features) == ["bytes", "proto", "login", "when", "id"]
    assert schema.columns[0].kind is Kind.CATEGORICAL
    assert schema.columns[-1].role is Role.IGNORE


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"overrides": {"byte": {"kind": "numeric"}}}, "column 'byte' does not exist; did you mean 'bytes'"),
        ({"ignore": ["zzz"]}, "column 'zzz' does not exist; there are 'bytes', 'proto'"),
        ({"targets": ["protos"]}, "did you mean 'proto'"),
        (
            {"overrides": {"bytes": {"kind": "number"}}},
            "kind 'number' does not exist; choose of numeric, categorical",
        ),
        (
            {"overrides": {"bytes": {"role": "y"}}},
            "role 'y' does not exist; choose of feature, target, label",
        ),
        ({"overrides": {"bytes": {"type": "y"}}}, "'type' cannot be declared; declare kind or role"),
        ({"targets": ["bytes"], "ignore": ["bytes"]}, "named as target and as ignored"),
    ],
)
def test_wrong_declarations_are_named_with_what_there_is(declared, words):
    with pytest.raises(DataError, match=words):
        Schema.infer(TABLE, **declared)


def test_selected_columns_have_the_canonical_types_and_values():
    selected, notices = SCHEMA.select(TABLE)
    assert selected.schema.types == [pa.float64(), pa.string(), pa.string(), pa.timestamp("us")]
    assert selected.to_pydict() == {
        "bytes": [10, 20, None],
        "proto": ["tcp", "udp", None],
        "login": ["true", "false", None],
        "when": [dt.datetime(2023, 12, 31, 23), dt.datetime(2024, 1, 2), None],
    }
    assert notices == ()


def test_columns_are_matched_by_name_and_others_left_out():
    shuffled = TABLE.select(TABLE.column_names[::-1]).append_column("new", pa.array([1, 2, 3]))
    assert SCHEMA.select(shuffled)[0].equals(SCHEMA.select(TABLE)[0])
    assert SCHEMA.select(TABLE.drop_columns(["label", "model", "id"]))[0].equals(SCHEMA.select(TABLE)[0])


def test_the_same_records_in_other_types_are_the_same():
    as_words = pa.table({name: TABLE[name].cast(pa.string()) for name in TABLE.column_names})
    assert SCHEMA.select(as_words)[0].equals(SCHEMA.select(TABLE)[0])


def test_values_of_another_kind_are_counted_and_infinities_and_news_stay():
    table = pa.table(
        {
            "bytes": ["inf", "many", "-"],
            "proto": [6, 17, 6],
            "login": [0, 2, 1],
            "when": ["soon", None, "2024-01-01"],
        }
    )
    selected, notices = SCHEMA.select(table)
    assert selected.to_pydict() == {
        "bytes": [float("inf"), None, None],
        "proto": ["6", "17", "6"],
        "login": ["false", "2", "true"],
        "when": [None, None, dt.datetime(2024, 1, 1)],
    }
    assert notices == (
        "column 'bytes': 2 of 3 values are no numbers (such as 'many') and count as missing",
        "column 'when': 1 of 3 values are no dates (such as 'soon') and count as missing",
    )


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (["proto", "login", "when"], r"column 'bytes' is missing from the records; there are 'proto'"),
        (["login", "when"], "2 columns are missing from the records: 'bytes', 'proto'"),
        ([], "none of the columns needed .*'bytes', 'proto'.* is in the records; they have 'x0'"),
    ],
)
def test_missing_columns_are_named(kept, words):
    table = TABLE.select(kept) if kept else as_table(np.ones((2, 1)))
    with pytest.raises(DataError, match=words):
        SCHEMA.select(table)


def test_a_misspelt_column_is_recognised():
    with pytest.raises(DataError, match="did you mean 'byte'"):
        SCHEMA.select(TABLE.rename_columns(["byte", *TABLE.column_names[1:]]))


def test_no_rows_are_no_error():
    selected, notices = SCHEMA.select(TABLE.slice(0, 0))
    assert selected.shape == (0, 4)
    assert selected.schema == SCHEMA.select(TABLE)[0].schema
    assert notices == ()


def test_a_schema_survives_json():
    assert msgspec.json.decode(msgspec.json.encode(SCHEMA), type=Schema) == SCHEMA


def test_overrides_are_read_from_toml(tmp_path):
    path = tmp_path / "schema.toml"
    path.write_text('[columns.sport]\nkind = "categorical"\n[columns."my id"]\nrole = "ignore"\n')
    assert read_overrides(path) == {"sport": {"kind": "categorical"}, "my id": {"role": "ignore"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read .No such file"),
        (b"columns = [", "is no valid TOML"),
        (b"\xff\xfe", "is no valid TOML"),
        (b"[sport]\nkind = 'numeric'\n", "write one .columns.NAME. table"),
        (b"[columns.sport]\nkind = 3\n", "write one .columns.NAME. table"),
        (b"", "write one .columns.NAME. table"),
    ],
)
def test_bad_override_files_are_one_line(tmp_path, content, words):
    path = tmp_path / "schema.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_overrides(path)
    assert "\n" not in str(caught.value)


def test_a_profile_tells_what_the_columns_hold():
    table = pa.table(
        {
            "n": [1.5, float("inf"), None, 3],
            "c": ["b", "a", "a", "NA"],
            "d": ["2024-01-02", None, "2023-01-01", None],
        }
    )
    rows = profile(table, Schema.infer(table))
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [(row["name"], row["kind"], row["role"]) for row in rows] == [
        ("n", "numeric", "feature"),
        ("c", "categorical", "feature"),
        ("d", "datetime", "feature"),
    ]
    assert [(row["missing"], row["distinct"]) for row in rows] == [(1, 3), (1, 2), (2, 2)]
    assert [row["range"] for row in rows] == [
        [1.5, 3.0],
        None,
        ["2023-01-01 00:00:00", "2024-01-02 00:00:00"],
    ]
    assert rows[1]["examples"] == ["a", "b"]


@pytest.mark.data
def test_network_flows_are_understood(data_dir):
    table = read_table(data_dir / "unsw-nb15" / "unsw_nb15_oneclass_test_82332.parquet")
    schema = Schema.infer(table, {"label": {"role": "label"}}, ignore=["attack_cat"])
    kinds = {column.name: column.kind for column in schema.features}
    assert len(kinds) == 42
    assert {name for name, kind in kinds.items() if kind is not Kind.NUMERIC} == {
        "proto",
        "service",
        "state",
        "is_sm_ips_ports",
    }
    selected, notices = schema.select(table)
    assert selected.shape == (82332, 42)
    assert sum(column.null_count for column in selected.columns) == 0
    assert notices == ()


@pytest.mark.data
def test_sessions_of_shoppers_are_understood(data_dir):
    table = read_table(data_dir / "online-shoppers" / "online_shoppers_intention.parquet")
    kinds = {column.name: column.kind.value for column in Schema.infer(table).columns}
    assert {name for name, kind in kinds.items() if kind == "boolean"} == {"Weekend", "Revenue"}
    assert {name for name, kind in kinds.items() if kind == "categorical"} == {"Month", "VisitorType"}
