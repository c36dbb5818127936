"""Measures what Longshore costs and how fast it is: `make bench`, or one row with `make bench ROW=event`.

Prints a table; writes bench/results.json and bench/RESULTS.md. Needs Java 17 and, the first time, Maven for a real
Kafka; in about twelve minutes. Figures are comparable between machines where they are in posts: see bench/README.md.
"""

import argparse
import resource
import signal
import sys
from pathlib import Path

from bench import costs, instructions, latency, machine, model, results, size, start, throughput
from bench.bed import open_bed
from bench.goals import ROWS
from bench.results import Results

GROUPS = (costs, instructions, latency, start, throughput, size)
RUNS = 3


def main() -> int:
    """Measures, prints and writes; returns 1 where a row failed."""
    options = parse()
    if options.rows == ["model"]:
        print(model.report(Results.load(options.out)))
        return 0
    wanted = set(options.rows or ROWS)
    # Thousands of requests in flight, in the target and in the worker.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # So that what it started ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found, here = Results.load(options.out), machine.describe()
    names: list[str] = []
    with open_bed(options.quick) as bed:
        bed.progress(", ".join(f"{what}: {value}" for what, value in here.items()))
        for group in GROUPS:
            if chosen := wanted & set(group.ROWS):
                with bed.failures_noted(", ".join(sorted(chosen))):
                    for measure in group.measure(bed, chosen, options.runs):
                        found.add(measure, here)
                        names.append(measure.name)
                        bed.progress(f"{measure.name}: {measure.text()}  {measure.note}")
                        found.save(options.out)
        bed.progress("measured")
    print(results.plain_table(results.rows(Results.load(results.BEFORE), found, names)))
    results.PAGE.write_text(results.page(Results.load(results.BEFORE), Results.load(results.NOW)))
    print(f"\nWritten: {options.out}, {results.PAGE}")
    for failure in bed.failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if bed.failures else 0


def parse() -> argparse.Namespace:
    """The options; ends the program for wrong ones."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"{', '.join(ROWS)}, or model alone; nothing: all rows")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each row (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="leave out the million and what runs under valgrind")
    parser.add_argument("--out", type=Path, default=results.NOW, help="results file (default: %(default)s)")
    options = parser.parse_args()
    if unknown := [row for row in options.rows if row not in ROWS and options.rows != ["model"]]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
