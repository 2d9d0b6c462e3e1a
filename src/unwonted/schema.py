"""A table's columns as understood: kind and role, inferred or declared, applied by name to new records."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from unwonted.coerce import as_dates, as_flags, as_numbers, as_text, without_missing
from unwonted.errors import DataError
from unwonted.infer import Column, Kind, Role, infer_column

__all__ = ["Column", "Kind", "Overrides", "Role", "Schema", "profile", "read_overrides"]

Overrides = Mapping[str, Mapping[str, str]]
"""Declared kinds and roles: `{"sport": {"kind": "categorical"}, "id": {"role": "ignore"}}`."""

_Option = TypeVar("_Option", bound=StrEnum)

_READ = {Kind.NUMERIC: as_numbers, Kind.DATETIME: as_dates, Kind.BOOLEAN: as_flags}


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="table"):
    """The columns of a table, in their order; records are matched to them by name.

    >>> table = pa.table({"bytes": [3, 5, 9], "proto": ["udp", "tcp", "udp"]})
    >>> [column.kind.value for column in Schema.infer(table).columns]
    ['numeric', 'categorical']
    """

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that reach a model, targets among them."""
        used = (Role.FEATURE, Role.TARGET)
        return tuple(column for column in self.columns if column.role in used and column.kind is not Kind.CONSTANT)

    @property
    def targets(self) -> tuple[Column, ...]:
        """The columns whose values a model is to predict."""
        return tuple(column for column in self.columns if column.role is Role.TARGET)

    @property
    def text(self) -> tuple[str, ...]:
        """The names of the categories, which `sources.read_table(text=...)` is to keep as written."""
        return tuple(column.name for column in self.features if column.kind is Kind.CATEGORICAL)

    @property
    def notices(self) -> tuple[str, ...]:
        """What was noticed about the columns."""
        return tuple(notice for column in self.columns for notice in column.notices)

    @classmethod
    def infer(
        cls,
        table: pa.Table,
        overrides: Overrides | None = None,
        *,
        targets: Sequence[str] = (),
        ignore: Sequence[str] = (),
    ) -> "Schema":
        """Infers each column's kind and role, except where they are declared.

        Args:
            table: the training records.
            overrides: kinds and roles by column name; what is declared is never overruled.
            targets: columns of role target.
            ignore: columns of role ignore.

        Raises:
            DataError: if a named column, kind or role does not exist, or a column is both target and ignored.
        """
        declared = {name: dict(entry) for name, entry in (overrides or {}).items()}
        both = sorted(set(targets) & set(ignore))
        if both:
            raise DataError(f"column {both[0]!r} is named as target and as ignored; choose one")
        for role, names in ((Role.TARGET, targets), (Role.IGNORE, ignore)):
            for name in names:
                declared.setdefault(name, {})["role"] = role
        for name in declared:
            if name not in table.column_names:
                raise DataError(f"column {name!r} does not exist; {_nearest(name, table.column_names)}")
        return cls(tuple(_column(table, name, declared.get(name, {})) for name in table.column_names))

    def select(self, table: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
        """Takes the features out of a table, by name, in this schema's order and each kind's canonical type.

        Numeric columns become float64, categorical ones text, boolean ones the text "true" or "false" (any
        third value stays), datetimes microseconds in UTC without a zone. Missing values are null, infinities
        stay, other columns are left out.

        Args:
            table: records with at least this schema's features.

        Returns:
            The features, and a notice for each column that holds values which are not of its kind.

        Raises:
            DataError: naming the features that the table lacks.
        """
        have = table.column_names
        lacking = [column.name for column in self.features if column.name not in have]
        if lacking:
            raise DataError(_lacking(lacking, have, len(self.features)))
        columns, notices = [], []
        for column in self.features:
            given = without_missing(_whole(table[column.name]))
            read = _READ.get(column.kind, as_text)(given)
            strange = read.null_count - given.null_count
            if strange:
                what = "dates" if column.kind is Kind.DATETIME else "numbers"
                odd = given.filter(pc.and_(pc.is_valid(given), pc.is_null(read)))[0].as_py()
                notices.append(
                    f"column {column.name!r}: {strange} of {len(given)} values are no {what} "
                    f"(such as {str(odd)[:40]!r}) and count as missing"
                )
            columns.append(read)
        return pa.table(columns, names=[column.name for column in self.features]), tuple(notices)


def read_overrides(path: str | Path) -> dict[str, dict[str, str]]:
    """Reads declared kinds and roles from a TOML file.

    The file has one table a column: `[columns.sport]` with `kind = "categorical"`, `role = "ignore"` or both.

    Raises:
        DataError: if the file cannot be read or has any other form.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DataError(f"{path}: is no valid TOML ({error}); mend it") from error
    try:
        return msgspec.convert(content, _File).columns
    except msgspec.ValidationError as error:
        raise DataError(
            f'{path}: {error}; write one [columns.NAME] table a column, with kind = "..." or role = "..."'
        ) from error


def profile(table: pa.Table, schema: Schema) -> list[dict[str, Any]]:
    """What each column is and holds, as plain values for a table on the terminal, JSON or the report.

    Args:
        table: the records that the schema was inferred from, or others with the same columns.
        schema: the columns to describe.

    Returns:
        For each column of the schema: `name`, `kind`, `role`, `missing` and `distinct` (counts), `range`
        (lowest and highest finite number, or first and last time as text; None for other kinds), `examples`
        (the three most frequent values as text), `notices`.
    """
    return [_described(column, _whole(table[column.name])) for column in schema.columns]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    columns: dict[str, dict[str, str]]


def _column(table: pa.Table, name: str, declared: Mapping[str, str]) -> Column:
    unknown = sorted(set(declared) - {"kind", "role"})
    if unknown:
        raise DataError(f"column {name!r}: {unknown[0]!r} cannot be declared; declare kind or role")
    kind = _member(Kind, declared["kind"], name) if "kind" in declared else None
    role = _member(Role, declared["role"], name) if "role" in declared else None
    return infer_column(name, _whole(table[name]), kind, role)


def _member(options: type[_Option], value: str, name: str) -> _Option:
    try:
        return options(value)
    except ValueError as error:
        known = ", ".join(options)
        raise DataError(
            f"column {name!r}: {options.__name__.lower()} {value!r} does not exist; choose of {known}"
        ) from error


def _nearest(name: str, have: Sequence[str]) -> str:
    """A hint: the column that may be meant, or else those there are."""
    near = difflib.get_close_matches(name, have, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {_listed(have)}"


def _lacking(lacking: Sequence[str], have: Sequence[str], wanted: int) -> str:
    if len(lacking) == wanted:
        return f"none of the columns needed ({_listed(lacking)}) is in the records; they have {_listed(have)}"
    if len(lacking) == 1:
        return f"column {lacking[0]!r} is missing from the records; {_nearest(lacking[0], have)}"
    return f"{len(lacking)} columns are missing from the records: {_listed(lacking)}; add them, empty if unknown"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "none"


def _described(column: Column, given: pa.Array) -> dict[str, Any]:
    values = _READ.get(column.kind, as_text)(without_missing(given))
    counted = pc.value_counts(as_text(values).drop_null())
    order = pc.sort_indices(counted.field("counts"), sort_keys=[("", "descending")])[:3]
    return {
        "name": column.name,
        "kind": column.kind.value,
        "role": column.role.value,
        "missing": values.null_count,
        "distinct": len(counted),
        "range": _range(column.kind, values),
        "examples": counted.field("values").take(order).to_pylist(),
        "notices": list(column.notices),
    }


def _range(kind: Kind, values: pa.Array) -> list[Any] | None:
    if kind is Kind.NUMERIC:
        values = values.filter(pc.is_finite(values))
    elif kind is not Kind.DATETIME:
        return None
    ends = [end.as_py() for end in pc.min_max(values).values()]
    if ends[0] is None:
        return None
    return ends if kind is Kind.NUMERIC else [end.isoformat(sep=" ") for end in ends]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
