"""The command's entry point, and the one place that catches errors and turns them into exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from imagegate import __version__

if TYPE_CHECKING:
    from types import FrameType

    from imagegate.cli.app import App


def main() -> NoReturn:
    """Run the command and exit with 0 (pass), 1 (stopped by policy or trust) or 2 (could not decide)."""
    if sys.argv[1:] in (["version"], ["--version"]):
        # Scripts ask for it in loops, and importing click would more than double its time.
        print(f"imagegate {__version__}")
        sys.exit(0)
    leave(run(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """Exit with this code, without the interpreter's last search for cycles, a fifth of the time of a short verb."""
    import gc

    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; every error is told in a line or two on standard error."""
    import gc
    import signal

    # Nearly all that a start allocates are modules, which stay: collecting among them costs a tenth of a short verb.
    gc.set_threshold(50_000)
    signal.signal(signal.SIGTERM, _interrupt)
    return attempt(arguments).code


class End(NamedTuple):
    """How a command line ended. words: of the error, empty when there was none."""

    code: int
    words: str = ""


def attempt(arguments: list[str], app: App | None = None) -> End:
    """Run one command line, tell its error on standard error, and return how it ended.

    app: takes the verb's answer; None: nobody asks for it.
    """
    import os

    import click

    from imagegate.cli.root import root
    from imagegate.errors import ImagegateError

    debug = "--debug" in arguments or bool(os.environ.get("IMAGEGATE_DEBUG"))
    try:
        result = root(arguments, prog_name="imagegate", standalone_mode=False, obj=app)
    except ImagegateError as error:
        return _explain(error.exit_code, str(error), debug)
    except click.ClickException as error:
        error.show(sys.stderr)
        return End(2, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _explain(2, "interrupted; running the same command again finishes the job", debug)
    except (BrokenPipeError, SystemExit):
        # The reader of our output went away, for which click exits with 1, the code of a verdict.
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return End(2, "nobody reads the output")
    except Exception as error:  # noqa: BLE001 - the one place where a defect of ours becomes an exit code
        kind = type(error).__name__
        return _explain(
            2, f"internal error, {kind}: {error}. This is a defect of imagegate; --debug shows where", debug
        )
    return End(result if isinstance(result, int) else 0)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Take a request to end, such as Jenkins's when a build is aborted, for what it is: what is open is cleaned up."""
    raise KeyboardInterrupt


def _explain(code: int, text: str, debug: bool) -> End:
    from imagegate.cli.console import printable

    if debug:
        import traceback

        traceback.print_exc()
    print(f"imagegate: {printable(text)}", file=sys.stderr)
    return End(code, text)


if __name__ == "__main__":
    main()
