"""A server in a process of its own, for tests and benchmarks that look from outside."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path


def serve(
    collections: Path | Sequence[Path],
    *,
    environment: Mapping[str, str] | None = None,
    port: int = 0,
    **options: object,
) -> tuple[subprocess.Popen[str], str]:
    """Serve one or several collections; give the process and the address of the first page.

    ``options`` are those of the dashboard's own `serve`, as far as ``repr`` can write them.
    """
    several = not isinstance(collections, Path)
    paths = [str(path) for path in (collections if several else [collections])]
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    code = f"""
        import explorer as ex
        from explorer.dashboard.serving.serve import serve
        collections = [ex.open(path) for path in {paths!r}]
        serve(collections{"" if several else "[0]"}, port={port}, show=False{given},
              on_ready=lambda url: print("READY", url, flush=True))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        env=None if environment is None else dict(environment),
    )
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("READY"):
        if not line:
            process.wait()
            raise RuntimeError("the server did not start")
    return process, line.split()[1]
