#!/usr/bin/env python3
"""tests/load/connections.py [--connections 20000] [--binary PATH]

So many connections are opened, in waves and from many addresses, and left as they are: some send nothing, some half a
head, some a preface of HTTP/2. `/ping` and good clients are served all the while; afterwards files are back, and a second
flood takes no more memory.
"""
import argparse
from harness import *

KINDS = [b"", b"GET /a HTTP/1.1\r\nhost: lo", PREFACE, PREFACE + frame(4, 0, 0), b"PRI * HTTP/2"]


def silent(port, count, wave, done):
    """Opens them by waves, as many as one process can have at a time."""
    raise_file_limit()
    opened, refused, kept = 0, 0, []
    while opened < count:
        for number in range(opened, min(opened + wave, count)):
            connection = socket.socket()
            connection.settimeout(5)
            try:
                connection.bind((f"127.0.{2 + number % 16}.{1 + number % 200}", 0))
                connection.connect(("127.0.0.1", port))
                connection.sendall(KINDS[number % len(KINDS)])
            except OSError:
                refused += 1
            kept.append(connection)
        opened += wave
        done.put((min(opened, count), refused))
        # Half of them go, without a word.
        for connection in kept[: len(kept) // 2]:
            connection.close()
        kept = kept[len(kept) // 2 :]
        time.sleep(1)
    time.sleep(600)


def flood(proxy, arguments, checks):
    """The resident set when it is over."""
    done = multiprocessing.Queue()
    process = multiprocessing.Process(
        target=silent, args=(proxy.port, arguments.connections, arguments.wave, done), daemon=True
    )
    process.start()
    pings, opened = [], 0
    while opened < arguments.connections:
        opened, refused = done.get(timeout=300)
        begun = time.monotonic()
        status = get(proxy.port, "/ping", source="127.0.0.9", timeout=10)[0]
        took = (time.monotonic() - begun) * 1000
        pings.append(status)
        print(f"{opened} opened ({refused} refused), {proxy.files()} files, /ping: {status}, {took:.0f} ms")
    good = measure_good(proxy.port, 4)
    print(f"good clients meanwhile: {good['count']} requests, p50 {good['p50']:.1f} ms, p99 {good['p99']:.1f} ms, wrong {good['wrong'][:3]}")
    checks.check("/ping is answered all the while", all(status == 200 for status in pings))
    checks.check("good clients are served", good["count"] > 0 and not good["wrong"])
    process.kill()
    process.join()
    time.sleep(8)
    return proxy.settled()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=20000)
    parser.add_argument("--wave", type=int, default=4000)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, s3 = Checks(), S3()
    proxy = Proxy(binary_of(arguments), s3, "--first-byte-timeout", "3", "--header-timeout", "3", "--idle-timeout", "5")
    try:
        measure_good(proxy.port, 2)
        idle, files = proxy.settled(), proxy.files()
        after = [flood(proxy, arguments, checks) for _ in range(2)]
        print(f"idle {idle / MIB:.1f} MiB and {files} files, afterwards {after[0] / MIB:.1f}, then {after[1] / MIB:.1f} MiB and {proxy.files()} files")
        checks.check("files are back", proxy.files() <= files + 16)
        # What an allocator keeps of the first flood serves the second, which has as many connections at a time, or nearly.
        checks.check("the second flood takes about the memory of the first", after[1] <= after[0] * 1.2 + 4 * MIB)
        checks.check("the process lives", proxy.is_alive())
    finally:
        proxy.stop()
        s3.stop()
    checks.end()


if __name__ == "__main__":
    main()
