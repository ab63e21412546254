"""What a reader of replies tells the program that started it, as one line of JSON."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

KIB_IN_MIB = 1024


def tell(read: Callable[[], tuple[int, float]], times: int) -> None:
    """Read so many times, and tell the medians and the peak memory of this process.

    Args:
        read: returns how many rows or prices it found, and the sum of their LMPs, that readers may be compared by.
        times: how often.
    """
    wall_s, cpu_s = [], []
    for _ in range(times):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        count, total = read()
        wall_s.append(time.perf_counter() - began_s)
        cpu_s.append(time.process_time() - began_cpu_s)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory_mib = memory / KIB_IN_MIB if sys.platform == "linux" else memory / KIB_IN_MIB**2
    found = {"wall_s": statistics.median(wall_s), "cpu_s": statistics.median(cpu_s), "memory_mib": memory_mib}
    print(json.dumps(found | {"count": count, "total": round(total, 2)}))
