"""The entry point: runs the command line and turns the package's errors into one line each."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``impasto``; ends the process with the exit code of what happened."""
    from impasto.cli import app
    from impasto.cli.parsing import as_options
    from impasto.errors import ImpastoError

    try:
        app()
    except ImpastoError as error:
        print(f"impasto: {as_options(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
