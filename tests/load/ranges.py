#!/usr/bin/env python3
"""tests/load/ranges.py [--clients 1000] [--binary PATH]

What ranges cost S3: 1,300 overlapping ones at most one object, one byte at most one block, and so many clients with a byte
of as many objects each at most the bound in flight.
"""
import argparse
from harness import *

BLOCK = 128 * KIB
IN_FLIGHT = 64


async def many(port, paths, fields):
    """All at once, each on a connection of its own."""
    return await asyncio.gather(
        *(exchange(port, path, fields, f"127.0.3.{1 + n % 200}", 60) for n, path in enumerate(paths)),
        return_exceptions=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, s3 = Checks(), S3()
    raise_file_limit()
    flags = ["-o", f"max_in_flight={IN_FLIGHT}", "-o", "default_cache_control=max-age=600", "--cache-size", "64MiB"]
    proxy = Proxy(binary_of(arguments), s3, *flags)
    try:
        size = 1_000_000
        several = ",".join(f"{n}-{n + size // 2}" for n in range(1300))
        before = s3.counts()["bytes"]
        status, _, data = get(proxy.port, f"/overlapping-{size}", f"range: bytes={several}\r\n")
        taken = s3.counts()["bytes"] - before
        print(f"1300 overlapping ranges: {status}, {len(data)} bytes for the client, {taken} from S3")
        checks.check("at most one object is read", taken <= size + 2 * BLOCK and status in (200, 206, 416))

        before = s3.counts()["bytes"]
        status, _, data = get(proxy.port, f"/one-{size}", "range: bytes=500000-500000\r\n")
        taken = s3.counts()["bytes"] - before
        print(f"one byte: {status}, {taken} bytes from S3")
        checks.check("one byte costs at most a block", status == 206 and len(data) == 1 and taken <= BLOCK)

        s3.counts()
        paths = [f"/late{n}-{size}" for n in range(arguments.clients)]
        answers = asyncio.run(many(proxy.port, paths, "range: bytes=7-7\r\n"))
        most = s3.counts()["most"]
        kinds = {}
        for answer in answers:
            kind = answer[0] if isinstance(answer, tuple) else type(answer).__name__
            kinds[kind] = kinds.get(kind, 0) + 1
        print(f"{arguments.clients} clients with a byte each of as many objects: {kinds}, at most {most} at S3 at once")
        checks.check("the bound in flight holds, and is reached", IN_FLIGHT / 2 < most <= IN_FLIGHT)
        checks.check("each has its byte, or 503 with Retry-After", set(kinds) <= {206, 503})
        wrong = [a for a in answers if a[0] == 206 and a[2] != whole(7, 1) or a[0] == 503 and b"retry-after" not in a[1].lower()]
        checks.check("and the right one", not wrong)
    finally:
        proxy.stop()
        s3.stop()
    checks.end()


if __name__ == "__main__":
    main()
