#!/usr/bin/env python3
"""tests/load/slow_readers.py [--readers 5000] [--size 25000000] [--binary PATH]

So many clients ask for an object of so many bytes and read nothing: distinct objects past the cache, objects that are in
it, and both over HTTP/2. The process may take 128 KiB for each beside what it takes idle (and the cache); the pool that
bursts share counts besides. Good clients are served meanwhile: their times stand beside those of before.
"""
import argparse, tempfile
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


# Good clients have a server of S3's of their own: it is the proxy that is measured, and not a server with 5,000 connections.
CONFIG = """
region = "us-west-2"
{cache}
[transport]
max_connections = 9000

[[mount]]
path = "/"
bucket = "media"
endpoint_url = "http://127.0.0.1:{slow}"
path_style = true
max_in_flight = 9000
default_cache_control = "max-age=600"

[[mount]]
path = "/good"
bucket = "media"
endpoint_url = "http://127.0.0.1:{good}"
path_style = true
cache = false
"""
CACHE = '[cache]\nsize = "320MiB"\nmax_object = "64MiB"\n'


def scenario(name, clients, binary, paths, checks, is_cached):
    s3, good = S3(), S3()
    config = tempfile.NamedTemporaryFile("w", suffix=".toml")
    text = CONFIG.format(cache=CACHE if is_cached else "", slow=s3.port, good=good.port)
    config.write(text if is_cached else text.replace("cache = false\n", ""))
    config.flush()
    caps = ["--max-connections", "9000", "--max-connections-per-address", "9000", "--write-timeout", "10m"]
    proxy = Proxy(binary, s3, *caps, config=config.name)
    try:
        for path in sorted(set(paths)) if is_cached else []:
            assert get(proxy.port, path, timeout=60)[0] == 200
        before = measure_good(proxy.port, 5, "/good")
        idle = proxy.settled()
        done = multiprocessing.Queue()
        process = multiprocessing.Process(target=clients, args=(proxy.port, paths, done), daemon=True)
        process.start()
        done.get(timeout=300)
        s3.quiet()
        slow = proxy.settled(5)
        during = measure_good(proxy.port, 8, "/good")
        slow = max(slow, proxy.resident())
        counts, (kernel, most) = s3.counts(), tcp_memory()
        process.kill()
        process.join()
        each = (slow - idle - BURSTS) / len(paths) / KIB
        total = (slow - idle) / len(paths) / KIB
        print(
            f"{name}: {len(paths)} readers, resident {idle / MIB:.1f} -> {slow / MIB:.1f} MiB: {total:.1f} KiB each, "
            f"{max(each, 0):.1f} without the bursts; {counts['connections']} connections to S3; "
            f"in the kernel, S3 and clients included: {kernel:.0f} of at most {most:.0f} MiB; "
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
        good.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=5000)
    parser.add_argument("--size", type=int, default=25_000_000)
    parser.add_argument("--only", help="one scenario: distinct, cached, http2, http2-cached")
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    binary, checks = binary_of(arguments), Checks()
    raise_file_limit()
    distinct = [f"/film{n}-{arguments.size}" for n in range(arguments.readers)]
    few = [f"/film{n % 10}-{arguments.size}" for n in range(arguments.readers)]
    rows = [
        ("distinct", http1, distinct, False),
        ("cached", http1, few, True),
        ("http2", http2, distinct, False),
        ("http2-cached", http2, few, True),
    ]
    for name, clients, paths, is_cached in rows:
        if arguments.only in (None, name):
            scenario(name, clients, binary, paths, checks, is_cached)
    checks.end()


if __name__ == "__main__":
    main()
