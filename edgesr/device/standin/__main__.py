"""``python -m edgesr.device.standin PHONE...``: phones by name or as JSON of `PhoneOptions`."""

import asyncio
import sys

from edgesr.device.standin.options import PhoneOptions
from edgesr.device.standin.server import serve
from edgesr.errors import EdgesrError


def main() -> int:
    """Runs until a signal or the end of stdin; returns the exit code."""
    try:
        phones = [PhoneOptions.parse(text) for text in sys.argv[1:]] or [PhoneOptions()]
        asyncio.run(serve(phones))
    except (EdgesrError, TypeError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return getattr(error, "exit_code", 2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
