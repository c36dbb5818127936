"""Write every page that is made from the code or the chart; `--check` only says whether they are up to date.

Each `*_reference.py` beside this has a `PAGE`, where it goes, and `page()`, what it says.
"""

import runpy
import sys
from pathlib import Path

SOURCES = sorted(Path(__file__).parent.glob("*_reference.py"))


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; returns the exit code."""
    code = 0
    for source in SOURCES:
        names = runpy.run_path(str(source))
        path: Path = names["PAGE"]
        text: str = names["page"]()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if arguments == ["--check"]:
            print(f"docs/reference/{path.name} does not match its source: run `make reference`", file=sys.stderr)
            code = 1
        else:
            path.write_text(text, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
