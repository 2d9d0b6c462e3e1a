"""The commands by name; each is imported when it is asked for."""

from cyclopts import App, Parameter

import unwonted

__all__ = ["app"]

app = App(
    name="unwonted",
    help="Learns what is habitual in records of behaviour; says of each new record how improbable it is, and why.",
    version=unwonted.__version__,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
for name, (home, does) in {
    "demo": ("demo", "Find the misuse in an embedded log of office work; write model, log and report."),
    "fit": ("fit", "Learn from records and write a model file."),
    "score": (
        "score",
        "Score records: write them with score, p-value, alert and reasons, or print the strangest.",
    ),
    "evaluate": ("evaluate", "Compare scores and alerts with labels."),
    "report": ("report", "Write an HTML page about the records: which are strange, and why."),
    "inspect": ("inspecting", "Show how a data file is understood, or what a model file holds."),
    "models": ("inspecting", "List the models that fit can train."),
    "bench": ("bench", "Run a benchmark as it was run for the published figures."),
}.items():
    app.command(f"unwonted.cli.{home}:{name}", name=name, help=does)
