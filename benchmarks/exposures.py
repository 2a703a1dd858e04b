"""What a decision costs with exposures on, in process CPU, against the floor of `benchmarks.evaluation` in the same run.

    python -m benchmarks.exposures [--repeat N] [--json]

*Seen*: the exposure was sent before, as for all but the first decision of a unit. *New*: each unit is new, and the
figure holds everything the process does for its exposure: recording, JSON, the spool, compression, HTTP to a server in
another process, its acknowledgement.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from typing import Any

from paribus_sdk import Client
from paribus_sdk.testing import InMemoryClient

from benchmarks.evaluation import CONTEXT, five_rules, floor, microseconds, snapshot

SERVER = """
import json, sys
from tests.sdk.client.paribus_server import ParibusServer
server = ParibusServer(json.loads(sys.stdin.readline()))
print(server.url, flush=True)
sys.stdin.read()
"""
PEER_RATIO = 4.0  # Eppo's Rust core with exposure logging: 3.6 us where the floor was 0.9


def measure(repeat: int) -> dict[str, float]:
    definitions = snapshot({"five": five_rules()})
    by_hand = floor()
    units = [f"user-{number}" for number in range(20_000)]
    memory = InMemoryClient(definitions)
    for unit in units:
        memory.variant("five", unit, CONTEXT)
    figures = {
        "floor_us": microseconds(lambda unit: by_hand(unit, CONTEXT), units, repeat),
        "peek_us": microseconds(lambda unit: memory.peek("five", unit, CONTEXT), units, repeat),
        "seen_us": microseconds(lambda unit: memory.variant("five", unit, CONTEXT), units, repeat),
    }
    return figures | _delivered(definitions, units)


def _delivered(definitions: dict[str, Any], units: list[str]) -> dict[str, float]:
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(json.dumps(definitions) + "\n")
        server.stdin.flush()
        url = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as cache, Client(url, "pb_server_test", cache_dir=cache) as client:
            assert client.ready(10)
            client.track("warm")
            assert client.flush(10)
            process, thread = time.process_time(), time.thread_time()
            for unit in units:
                client.variant("five", unit, CONTEXT)
            called = time.thread_time() - thread
            assert client.flush(60)
            assert client.stats.sent == len(units) + 1
            total = time.process_time() - process
    finally:
        server.stdin.close()
        server.wait(10)
    return {"new_call_us": called / len(units) * 1e6, "new_delivered_us": total / len(units) * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=9, help="rounds; the least counts")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args()
    figures = measure(options.repeat)
    figures |= {f"{name}_ratio": figures[f"{name}_us"] / figures["floor_us"] for name in ("peek", "seen", "new_call")}
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"floor, closures and mmh3, five rules   {figures['floor_us']:8.2f} us")
    print(
        f"peek                                   {figures['peek_us']:8.2f} us   {figures['peek_ratio']:.2f} x the floor"
    )
    print(
        f"variant, exposure seen before          {figures['seen_us']:8.2f} us"
        f"   {figures['seen_ratio']:.2f} x the floor (at most {PEER_RATIO:.1f})"
    )
    print(
        f"variant, new exposure, the call        {figures['new_call_us']:8.2f} us"
        f"   {figures['new_call_ratio']:.2f} x the floor"
    )
    print(f"variant, new exposure, and delivered   {figures['new_delivered_us']:8.2f} us")


if __name__ == "__main__":
    main()
