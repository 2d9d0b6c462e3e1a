"""Rows of earlier runs, taken again as long as the code that makes them is the same."""

import ast
import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import msgspec

import unwonted
from unwonted.bench.measuring import Row, Work

__all__ = ["Kept", "fingerprint", "timed_out", "versions"]

_PACKAGES = ("unwonted", "torch", "scikit-learn", "pyod", "xgboost-cpu", "numpy", "pyarrow")
_MEASURING = ("loads.py", "matrix.py", "measuring.py", "peers.py")
_OURS = (*_MEASURING, "ablation.py", "floors.py", "learners.py", "ours.py", "teaching.py")
_PEERS = (*_MEASURING, "rivals.py")


class Kept:
    """Rows that survive an interruption: one JSON line each, in a file that only ever grows.

    A row is taken again for the same data, method, seed and threads, as long as the code and the libraries that make
    it are the same (see `fingerprint`). A row that failed is run again, but not one whose time was up: it would be
    again.

    Args:
        out: Folder of the results; the rows of all benchmarks are in `.rows` inside, hidden from git, to be deleted
            for a run from scratch. None keeps nothing.
        earlier: Rows of published results, each with the `key` that it was made under.

    Attributes:
        rows: Every row that was ever made, by its key.
    """

    def __init__(self, out: Path | None = None, earlier: Iterable[Row] = ()) -> None:
        self.rows: dict[str, Row] = {row["key"]: row for row in earlier if "key" in row}
        self.codes: dict[tuple[str, ...], str] = {}
        self.file: Path | None = None
        if out is None:
            return
        folder = out / ".rows"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        self.file = folder / "rows.jsonl"
        for line in self.file.read_bytes().splitlines() if self.file.exists() else ():
            try:
                row = msgspec.json.decode(line, type=Row)
            except msgspec.DecodeError:  # cut short when the run was
                continue
            self.rows[row["key"]] = row

    def key(self, job: Work, threads: int) -> str:
        """What makes two rows the same: a digest of what is run, and one of the code that runs it."""
        if job.libraries not in self.codes:
            self.codes[job.libraries] = fingerprint(job.libraries)
        return f"{_digest(f'{job.what} | {threads}')}-{self.codes[job.libraries]}"

    def row(self, key: str, limit: float | None) -> Row | None:
        """The row of a key, unless there is none or it is to be run again; `limit` is the seconds a job may take."""
        row = self.rows.get(key)
        usable = row is not None and row.get("error") in (None, timed_out(limit))
        return row if usable else None

    def add(self, row: Row) -> None:
        """Keeps a row."""
        self.rows[row["key"]] = row
        if self.file is not None:
            with self.file.open("ab") as file:
                file.write(b"\n" + msgspec.json.encode(row) + b"\n")


def timed_out(limit: float | None) -> str:
    """The error of a row whose job was stopped at its limit of seconds."""
    return f"stopped after {limit:g} s" if limit else "stopped"


def fingerprint(libraries: tuple[str, ...] = ()) -> str:
    """A digest of what makes rows, less comments and docstrings.

    Args:
        libraries: Of a peer, the distributions that do its work: the digest is of their versions and of the code
            that loads data, prepares them and measures. Empty for this package's methods: the digest is of the whole
            package, less commands and pages, and of all libraries.
    """
    numbers = {name: version(name) for name in libraries} or versions()
    return _digest(f"{numbers} {_code_of(bool(libraries))}")


@cache
def _code_of(peers: bool) -> str:
    folder = Path(unwonted.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        place = file.relative_to(folder).parts
        if place[0] == "bench":
            counts = place[-1] in (_PEERS if peers else _OURS)
        else:
            counts = place[0] in ("datasets", "metrics.py") if peers else place[0] not in ("cli", "report")
        if counts:
            digest.update("/".join(place).encode() + _code(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _code(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [part for part in node.body if not _says_only(part)]
    return ast.dump(tree)


def _says_only(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


def versions() -> dict[str, str]:
    """Python's and those of the libraries that benchmarks run on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
