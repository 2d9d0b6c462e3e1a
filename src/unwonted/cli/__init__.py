"""The command line: runs a command and turns what goes wrong into one line and an exit code."""

import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from unwonted.cli.commands import app
from unwonted.cli.terminal import error_line, flush, screen, tolerant
from unwonted.errors import UnwontedError

__all__ = ["main"]

MISTAKE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: What follows `unwonted` on the command line; `sys.argv[1:]` if not given.

    Returns:
        0 on success, 2 after a mistake of the user's, told in one line on standard error, 130 after Ctrl-C.

    >>> main(["fit", "nowhere.csv", "-o", "nowhere/model.safetensors"])
    2
    """
    with tolerant():
        try:
            app(
                list(sys.argv[1:] if argv is None else argv),
                console=screen(),
                print_error=False,
                exit_on_error=False,
                result_action="return_value",
            )
            flush()
        except KeyboardInterrupt:
            error_line("interrupted; nothing more was written")
            return INTERRUPTED
        except BrokenPipeError:
            _forget_standard_output()  # whoever read it has seen enough
        except (UnwontedError, CycloptsError, OSError) as error:
            error_line(str(error))
            return MISTAKE
    return 0


def _forget_standard_output() -> None:
    """Lets the interpreter's last flush go nowhere instead of failing a second time."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
