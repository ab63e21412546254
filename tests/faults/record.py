"""Record: `make faults` forces every fault and writes docs/faults.json, which the table of docs/registers.md is made of.

    python -m faults.record [NAME...]

With names only these rows are forced, and the others stay as they were recorded.
"""

import sys
import tempfile
from pathlib import Path

from faults.lanes import GROUPS, NAMES, force_all

from launcher.documents.fault_table import load_record, write_record


def main() -> int:
    """Force, and write what was seen. Fails when a good value was wrong, or a row could not be forced."""
    names = sys.argv[1:] or NAMES
    with tempfile.TemporaryDirectory() as folder:
        outcomes = force_all(Path(folder), names, {}, lambda name: print(name, flush=True))
    bad = [f"{name}: {one.failure or one.wrong}" for name, one in outcomes.items() if one.wrong or one.seen is None]
    known = {fault.name: fault for fault in load_record()} | {name: one.seen for name, one in outcomes.items() if one.seen}
    write_record([known[row.name] for rows in GROUPS.values() for row in rows if row.name in known])
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
