"""The flags that several commands share, and what a command does with a model file before its work."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from unwonted.errors import DataError

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = [
    "Delimiter",
    "Files",
    "Json",
    "Label",
    "Model",
    "Names",
    "NewRate",
    "Normal",
    "Output",
    "Quiet",
    "Rate",
    "SchemaFile",
    "Seed",
    "above_zero",
    "loaded",
]

Files = Annotated[
    Path,
    Parameter(help="CSV, Parquet, JSON lines, Arrow or .npz files, also compressed; together one table."),
]
Model = Annotated[Path, Parameter(help="Model file that fit wrote.")]
Output = Parameter(name=["--output", "-o"])
Label = Annotated[str | None, Parameter(help="Column that holds the labels; it is never an input.")]
Normal = Annotated[list[str] | None, Parameter(consume_multiple=True, help="Values of that column that mean normal.")]
Names = Annotated[list[str] | None, Parameter(help="Column name; give the flag again for more.")]
SchemaFile = Annotated[Path | None, Parameter(help="TOML file: [columns.NAME] with kind or role.")]
Delimiter = Annotated[str | None, Parameter(help="Between the fields of a CSV file; found out if not given.")]
Rate = Annotated[float, Parameter(help="Share of normal records that may become alerts.")]
Seed = Annotated[int, Parameter(validator=Number(gte=0, lt=2**32), help="Of all random draws.")]
NewRate = Annotated[
    float | None, Parameter(name="--alert-rate", help="Another alert rate than the model was fitted with.")
]
Quiet = Annotated[bool, Parameter(help="No messages and no progress.")]
Json = Annotated[bool, Parameter(name="--json", help="One JSON object on standard output.")]


def above_zero(flag: str, number: int) -> None:
    """Refuses a count that is not positive.

    Raises:
        DataError: naming the flag.
    """
    if number < 1:
        raise DataError(f"{flag} {number}: give a number above zero")


def loaded(path: Path, alert_rate: float | None) -> "Estimator":
    """A model, for the device that is here and the rate asked for."""
    from unwonted.artifact import load

    detector = load(path)
    detector.device = "auto"
    if alert_rate is not None:
        detector.alert_rate = alert_rate
    detector.calibration_.threshold(detector.alert_rate)  # refuses a bad rate before the work
    return detector
