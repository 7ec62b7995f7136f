"""A gateway reduced to its embedded servers: says "ready", then lives until it is killed.

Run as `python -m tests.embedded.gateway_process DATA_DIR`.
"""

import asyncio
import sys
from pathlib import Path

from gateway.embedded import embedded_servers


async def main() -> None:
    async with embedded_servers(Path(sys.argv[1]), redis=True, postgres=True):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
