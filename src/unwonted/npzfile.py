"""NumPy's .npz files: tables, sequences and images under the name X, other arrays as columns beside them."""

import io
import zipfile
import zlib

import numpy as np
import pyarrow as pa

from unwonted.arrays import Arrays, as_arrays, as_column, sequences
from unwonted.errors import DataError

__all__ = ["read_npz"]


def read_npz(data: bytes, name: str) -> tuple[pa.Table, tuple[str, ...]]:
    """Reads `X` and what else there is; `lengths` makes sequences of a padded X.

    Args:
        data: The file's bytes.
        name: Of the file, for messages.

    Returns:
        A table: columns x0, x1, ... of a two-dimensional X, or the column X of sequences or images; and a column for
        each other array with one value a record. And notices of what was left out.

    Raises:
        DataError: if the file is damaged, has no X, an X of another rank, arrays of what is no value of a table, or
            beside a two-dimensional X one that is named like a column of it.
    """
    arrays = _loaded(data, name)
    if "X" not in arrays:
        raise DataError(f"{name}: has no array X; it has {', '.join(arrays) or 'none'}")
    X, lengths = arrays.pop("X"), arrays.get("lengths")
    columns: dict[str, pa.Array] = {}
    try:
        if X.ndim == 2:
            columns = {f"x{i}": pa.array(X[:, i]) for i in range(X.shape[1])}
        else:
            columns["X"] = as_column(_records(X, None if lengths is None else arrays.pop("lengths")))
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    beside = {key: array for key, array in arrays.items() if array.shape == (len(X),)}
    twice = [key for key in beside if key in columns]
    if twice:
        raise DataError(f"{name}: array {twice[0]!r} is named like a column of X; give it another name")
    columns |= {key: pa.array(array.tolist()) for key, array in beside.items()}
    left_out = [key for key in arrays if key not in beside]
    notices = [f"{name}: array {key!r} has not one value a record and is left out" for key in left_out]
    if X.ndim > 2 and beside:
        notices.append(f"{name}: {', '.join(map(repr, beside))} beside X can be labels and are no inputs")
    return pa.table(columns), tuple(notices)


def _loaded(data: bytes, name: str) -> dict[str, np.ndarray]:
    try:
        file = np.load(io.BytesIO(data))
        arrays = None if isinstance(file, np.ndarray) else {key: file[key] for key in file.files}
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{name}: is damaged or no .npz file ({error}); write it again with numpy.savez") from error
    except ValueError as error:
        raise DataError(f"{name}: holds Python objects or is damaged ({error}); save plain arrays") from error
    if arrays is None:
        raise DataError(f"{name}: holds one array without a name; write it again with numpy.savez(path, X=...)")
    return {key: _plain(array, key, name) for key, array in arrays.items()}


def _plain(array: np.ndarray, key: str, name: str) -> np.ndarray:
    """The same values as this machine writes them, numbers of at most 64 bits, and bytes as text."""
    kind = array.dtype.kind
    if kind in "cV":
        what = "complex numbers" if kind == "c" else "records of several fields"
        raise DataError(f"{name}: array {key!r} holds {what}; save each part as an array of its own")
    if kind == "S":
        return np.char.decode(array, "utf-8", "backslashreplace")
    if array.dtype == np.longdouble:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _records(X: np.ndarray, lengths: np.ndarray | None) -> Arrays:
    if lengths is not None:
        return sequences(X, lengths)
    found = as_arrays(X)
    if found is None:
        raise DataError(f"X is an array of {X.ndim} axis; give records along the first of two to four axes")
    return found
