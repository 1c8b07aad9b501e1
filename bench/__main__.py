"""Measure everything, or the groups that are named; print a table and write `bench/results.json`.

python -m bench                     all of it, about eleven minutes on two cores
python -m bench handover cancel     these groups
python -m bench --quick             a small part of the work, to see that it runs
"""

import argparse
import json
import shutil
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    api,
    breakdown,
    cancel,
    diffusion,
    efficiency,
    events,
    handover,
    page,
    peers,
    scaling,
    throughput,
)
from bench.figures import Figure, judge, table
from bench.machine import describe
from bench.servers import Servers

GROUPS = {
    "handover": handover.measure,
    "breakdown": breakdown.measure,
    "throughput": throughput.measure,
    "peers": peers.measure,
    "efficiency": efficiency.measure,
    "scaling": scaling.measure,
    "api": api.measure,
    "cancel": cancel.measure,
    "events": events.measure,
    "page": page.measure,
    "diffusion": diffusion.measure,
}
RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="scaled down: the figures mean little")
    parser.add_argument("--out", type=Path, default=None, help="default: bench/results.json, nothing with --quick")
    parser.add_argument("--keep", type=Path, default=None, help="folder for data and logs, kept afterwards")
    options = parser.parse_args()
    groups = options.groups or list(GROUPS)
    out = options.out or (None if options.quick else RESULTS)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="videogen-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    servers = Servers(folder)
    figures: list[Figure] = []
    failed: list[str] = []
    try:
        servers.start()
        described = describe(servers)
        for name in groups:
            started = time.monotonic()
            print(f"{name} ...", flush=True)
            try:
                for figure in GROUPS[name](servers, quick=options.quick):
                    figures.append(figure)
                    print(f"    {figure.key} = {figure.value:.4g} {figure.unit}", flush=True)
            except Exception:  # noqa: BLE001 -- The other groups must not be lost with it.
                traceback.print_exc()
                failed.append(name)
            print(f"    took {time.monotonic() - started:.0f} s", flush=True)
    finally:
        servers.stop()
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n" + table(figures))
    if out:
        _write(out, described, figures, quick=options.quick)
        print(f"\nwritten to {out}")
    if failed:
        print(f"\nnot measured, since it failed: {', '.join(failed)}")
    return bool(failed)


def _write(out: Path, described: dict[str, object], figures: list[Figure], *, quick: bool) -> None:
    """Groups that were not measured this time keep what they had, each figure with its own date."""
    before = json.loads(out.read_text())["figures"] if out.exists() else {}
    values = {figure.key: figure.value for figure in figures}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for figure in figures:
        aim, ok = judge(values, figure.key)
        before[figure.key] = {**figure.as_json(), "aim": aim, "ok": ok, "measured_at": now, "quick": quick}
    out.write_text(json.dumps({"date": now, **described, "figures": before}, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
