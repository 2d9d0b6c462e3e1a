"""What a column seems to be: its kind and role, from its name and values, each guess with its reason."""

import re
from enum import StrEnum

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from unwonted.coerce import as_dates, as_numbers, is_text, padded_codes, without_missing
from unwonted.numerals import was_rounded

__all__ = ["Column", "Kind", "Role", "infer_column"]


class Kind(StrEnum):
    """How a column's values are read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    CONSTANT = "constant"


class Role(StrEnum):
    """What a column is for; only features and targets reach a model."""

    FEATURE = "feature"
    TARGET = "target"
    LABEL = "label"
    ENTITY = "entity"
    TIME = "time"
    IGNORE = "ignore"


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column as understood, and what was noticed about it."""

    name: str
    kind: Kind
    role: Role
    notices: tuple[str, ...] = ()


_PARSED = 0.95  # share of a text column's values that must be numbers (or dates) for it to count as such
_NEAR_UNIQUE = 0.9
_MOST_LABELS = 50  # different values
_MANY = 50  # fewer values than this say nothing about uniqueness of text

_IDENTIFIERS = {"id", "uuid", "guid"}
_ROW_NUMBERS = re.compile(r"unnamed_\d+|unnamed: ?\d+|__index_level_\d+__|index|row|row_?(id|num|number)", re.I)
_ENTITIES = {"user", "username", "host", "hostname", "account", "entity"}
_LABELS = {"label", "labels", "attack", "anomaly", "anomalous", "outlier", "fraud", "fraudulent", "malicious"}
_CODES = {"port", "sport", "dport", "dsport", "code", "type", "class", "category", "zip", "pin"}
_FOREIGN = {
    r"^[+-]?[0-9.' ]*[0-9],[0-9][0-9,]*(\.[0-9]+)?$": "numbers with commas; write them as 1234.5",
    r"^[0-9]{1,2}([.-][0-9]{1,2}[.-][0-9]{4}|/[0-9]{1,2}/([0-9]{4}|[0-9]{2}))\b": "dates; write them as 2024-01-31",
}
_EPOCHS = {"time", "timestamp", "ts", "stime", "ltime", "epoch", "date", "datetime"}


def infer_column(name: str, values: pa.Array, kind: Kind | None = None, role: Role | None = None) -> Column:
    """Infers what was not declared of a column.

    Args:
        name: the column's name.
        values: all its values, as `sources` gives them.
        kind: the declared kind, if any.
        role: the declared role, if any; never overruled.

    >>> infer_column("bytes", pa.array(["12", "0", "7"])).kind
    <Kind.NUMERIC: 'numeric'>
    """
    values = without_missing(values)
    missing = values.null_count
    counted = pc.value_counts(values.drop_null())
    seen, times = counted.field("values"), counted.field("counts")
    notices, said = list[str](), list[str]()
    foreign = kind is None and is_text(seen.type)
    if kind is None:
        kind, notices = _kind(name, seen, times, missing)
    if role is None:
        role, said = _role(name, kind, seen, len(values) - missing)
    if role not in (Role.FEATURE, Role.TARGET):
        notices = []  # how a column that no model sees would have been read is no news
    if foreign and kind is Kind.CATEGORICAL and (said or role is Role.FEATURE):
        notices = notices + _foreign(seen, times)
    return Column(name, kind, role, tuple(f"column {name!r}: {notice}" for notice in notices + said))


def _kind(name: str, seen: pa.Array, times: pa.Array, missing: int) -> tuple[Kind, list[str]]:
    """The kind by the distinct values and how often each occurs."""
    if not len(seen):
        return Kind.CONSTANT, ["every value is missing, so it tells nothing and is not used"]
    if len(seen) == 1 and not missing:
        return Kind.CONSTANT, [f"every value is {str(seen[0].as_py())[:40]!r}, so it tells nothing and is not used"]
    if is_text(seen.type):
        return _kind_of_text(name, seen, times)
    if pa.types.is_boolean(seen.type):
        return Kind.BOOLEAN, []
    if pa.types.is_timestamp(seen.type) or pa.types.is_date(seen.type) or pa.types.is_time(seen.type):
        return Kind.DATETIME, []
    return _kind_of_numbers(name, seen)


def _kind_of_numbers(name: str, seen: pa.Array) -> tuple[Kind, list[str]]:
    numbers = as_numbers(seen)
    if pc.all(pc.is_in(numbers, pa.array([0.0, 1.0]))).as_py():
        return Kind.BOOLEAN, []
    last = _words(name)[-1:]
    if pa.types.is_integer(seen.type) and _CODES.intersection(last):
        return Kind.NUMERIC, ['is named like a code but read as a number; kind = "categorical" may suit it']
    if _EPOCHS.intersection(last) and pc.min(numbers).as_py() > 5e8:
        return Kind.NUMERIC, ['is named like a time but read as a number; kind = "datetime" may suit it']
    return Kind.NUMERIC, []


def _kind_of_text(name: str, seen: pa.Array, times: pa.Array) -> tuple[Kind, list[str]]:
    lowered = set(pc.utf8_lower(pc.utf8_trim_whitespace(seen[:20])).to_pylist())
    if len(seen) <= 20 and (lowered <= {"true", "false"} or lowered <= {"yes", "no"}):
        return Kind.BOOLEAN, []
    total = pc.sum(times).as_py()
    trimmed = pc.utf8_trim_whitespace(seen)
    if _are_codes(trimmed, times):
        return Kind.CATEGORICAL, ['holds numbers with leading zeros, taken as codes; kind = "numeric" may suit it']
    if was_rounded(trimmed, as_numbers(trimmed)):
        said = 'holds whole numbers of more digits than a number keeps, taken as codes; kind = "numeric" may suit it'
        return Kind.CATEGORICAL, [said]
    for kind, parse, what in ((Kind.NUMERIC, as_numbers, "numbers"), (Kind.DATETIME, as_dates, "dates")):
        parsed = parse(seen)
        rest = pc.sum(pc.if_else(pc.is_null(parsed), times, 0)).as_py()
        if rest == 0 and kind is Kind.NUMERIC:
            return _kind_of_numbers(name, parsed)
        if total - rest >= _PARSED * total:
            odd = pc.filter(seen, pc.is_null(parsed))
            said = (
                f"{rest} of {total} values are no {what} (such as {str(odd[0])[:40]!r}) and count as missing"
                if rest
                else ""
            )
            return kind, [said] if said else []
    return Kind.CATEGORICAL, []


def _foreign(seen: pa.Array, times: pa.Array) -> list[str]:
    """What text seems to say in another country's way, which is read as names."""
    trimmed, total = pc.utf8_trim_whitespace(seen), pc.sum(times).as_py()
    for pattern, what in _FOREIGN.items():
        fits = pc.match_substring_regex(trimmed, pattern)
        if pc.sum(pc.if_else(fits, times, 0)).as_py() >= _PARSED * total:
            return [f"its values (such as {trimmed[0].as_py()[:40]!r}) are taken as names but look like {what}"]
    return []


def _are_codes(seen: pa.Array, times: pa.Array) -> bool:
    """Whether leading zeros are the rule here: all values are equally long, or many have them."""
    padded = padded_codes(seen)
    if not pc.any(padded).as_py():
        return False
    lengths = pc.min_max(pc.utf8_length(seen))
    share = pc.sum(pc.if_else(padded, times, 0)).as_py() / pc.sum(times).as_py()
    return bool(lengths["min"] == lengths["max"] or share > 1 - _PARSED)


def _role(name: str, kind: Kind, seen: pa.Array, present: int) -> tuple[Role, list[str]]:
    """The role by name and uniqueness; an identifier would let a model know the rows, not the habits."""
    words = _words(name)
    near_unique = present > 1 and len(seen) > _NEAR_UNIQUE * present
    share = f"{len(seen)} of {present} values are distinct"
    if near_unique and kind in (Kind.NUMERIC, Kind.CATEGORICAL):
        named = _IDENTIFIERS.intersection(words[-1:]) or _ROW_NUMBERS.fullmatch(name.strip())
        if named and not pa.types.is_floating(seen.type):
            return Role.IGNORE, [
                f'is named like an identifier and {share}, so it is ignored; role = "feature" keeps it'
            ]
        if kind is Kind.CATEGORICAL and present >= _MANY:
            return Role.IGNORE, [f'{share}, so it is ignored as free text; role = "feature" keeps it']
    nouns = [word for word in words if word not in ("name", "id")]
    if kind in (Kind.NUMERIC, Kind.CATEGORICAL) and _ENTITIES.intersection(nouns[-1:]):
        return Role.FEATURE, ['is named like whose behaviour it is; role = "entity" may suit it']
    if _LABELS.intersection(words) and 1 < len(seen) <= _MOST_LABELS:
        return Role.FEATURE, [
            'is named like a label but learnt like any column; role = "label", or --label, keeps it apart'
        ]
    return Role.FEATURE, []


def _words(name: str) -> list[str]:
    """The words of a name: `srcPort`, `src_port` and `src.port` are src and port."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[^\W_]+", spaced.lower())
