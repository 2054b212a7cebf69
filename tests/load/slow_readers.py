#!/usr/bin/env python3
"""tests/load/slow_readers.py [--readers 5000] [--size 25000000] [--binary PATH]

So many clients ask for an object of so many bytes and read nothing: distinct objects past the cache, objects that are in
it, and both over HTTP/2. The process may take 128 KiB for each beside what it takes idle (and the cache); the pool that
bursts share counts besides. Good clients are served meanwhile: their times stand beside those of before.
"""
import argparse
from harness import *

BURSTS = 64 * MIB
HEADROOM = 8 * MIB


def http1(port, paths, done):
    """Asks for each path on a connection of its own."""
    raise_file_limit()
    connections = []
    for number, path in enumerate(paths):
        connection = slow_socket(f"127.0.1.{1 + number % 100}")
        connection.connect(("127.0.0.1", port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        connections.append(connection)
        if number % 50 == 0:
            time.sleep(0.02)
    done.put(len(connections))
    time.sleep(600)


def http2(port, paths, done, streams=100):
    """A hundred on each connection. The windows of streams are left as they are, and used up."""
    raise_file_limit()
    connections = []
    for begin in range(0, len(paths), streams):
        connection = slow_socket()
        connection.connect(("127.0.0.1", port))
        connection.sendall(PREFACE + frame(4, 0, 0))
        for number, path in enumerate(paths[begin : begin + streams]):
            connection.sendall(request_frame(2 * number + 1, path.encode()))
        connections.append(connection)
        time.sleep(0.02)
    done.put(len(paths))
    time.sleep(600)


def scenario(name, clients, binary, paths, flags, checks, cached=0):
    s3 = S3()
    proxy = Proxy(binary, s3, *flags)
    try:
        for path in sorted(set(paths)) if cached else []:
            assert get(proxy.port, path, timeout=60)[0] == 200
        before = measure_good(proxy.port, 5)
        idle = proxy.settled()
        done = multiprocessing.Queue()
        process = multiprocessing.Process(target=clients, args=(proxy.port, paths, done), daemon=True)
        process.start()
        done.get(timeout=300)
        s3.quiet()
        slow = proxy.settled(5)
        during = measure_good(proxy.port, 8)
        slow = max(slow, proxy.resident())
        counts = s3.counts()
        process.kill()
        process.join()
        each = (slow - idle - BURSTS) / len(paths) / KIB
        total = (slow - idle) / len(paths) / KIB
        print(
            f"{name}: {len(paths)} readers, resident {idle / MIB:.1f} -> {slow / MIB:.1f} MiB: {total:.1f} KiB each, "
            f"{max(each, 0):.1f} without the bursts; {counts['connections']} connections to S3; "
            f"good clients: p50 {before['p50']:.1f} -> {during['p50']:.1f} ms, p99 {before['p99']:.1f} -> {during['p99']:.1f} ms"
        )
        checks.check(f"{name}: 128 KiB each", slow - idle <= len(paths) * 128 * KIB + BURSTS + HEADROOM)
        checks.check(f"{name}: good clients are served", not during["wrong"] and during["count"] > 0)
        time.sleep(2)
        after, files = proxy.settled(), proxy.files()
        print(f"{name}: after they left: {after / MIB:.1f} MiB, {files} files")
        checks.check(f"{name}: files are closed", files < 400)
    finally:
        proxy.stop()
        s3.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=5000)
    parser.add_argument("--size", type=int, default=25_000_000)
    parser.add_argument("--only", help="one scenario: distinct, cached, http2, http2-cached")
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    binary, checks = binary_of(arguments), Checks()
    raise_file_limit()
    caps = ["--max-connections", "9000", "--max-connections-per-address", "9000"]
    # Each of these reads from S3 as long as it lasts.
    caps += ["-o", "max_in_flight=9000", "-o", "transport.max_connections=9000"]
    cache = ["--cache-size", "320MiB", "-o", "default_cache_control=max-age=600", "--cache-max-object", "64MiB"]
    distinct = [f"/film{n}-{arguments.size}" for n in range(arguments.readers)]
    few = [f"/film{n % 10}-{arguments.size}" for n in range(arguments.readers)]
    rows = [
        ("distinct", http1, distinct, caps, 0),
        ("cached", http1, few, caps + cache, 10),
        ("http2", http2, distinct, caps, 0),
        ("http2-cached", http2, few, caps + cache, 10),
    ]
    for name, clients, paths, flags, cached in rows:
        if arguments.only in (None, name):
            scenario(name, clients, binary, paths, flags, checks, cached)
    checks.end()


if __name__ == "__main__":
    main()
