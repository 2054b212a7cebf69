#!/usr/bin/env python3
"""tests/load/soak.py [--minutes 30] [--binary PATH]

Good clients at some half of what the machine bears, beside slow readers, clients that come and go, and an S3 that is
busy, breaks off and stalls one time in fifty. The resident set grows by less than 1 MiB in ten minutes, files stay, and the
log is bounded.
"""
import argparse, tempfile
from harness import *

WARM_UP = 0.35


def load(port, seconds, results, half):
    """`half` clients one request after the other, with the rest of the time left free."""

    async def client(number, until, counts):
        rng = random.Random(number)
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.4.{1 + number}", 0))
                for _ in range(rng.randrange(1, 40)):
                    if time.monotonic() > until:
                        break
                    name, size = rng.randrange(2000), rng.choice([800, 20_000, 300_000, 2_000_000])
                    path = f"/soak{name}-{size}"
                    fields = rng.choice(["", "", "range: bytes=100-299\r\n", "cache-control: no-cache\r\n"])
                    if rng.randrange(20) == 0:
                        path = "/missing"
                    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n".encode())
                    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 40)
                    status = int(head.split(b" ")[1])
                    length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
                    data = await asyncio.wait_for(reader.readexactly(length), 40)
                    counts[status] = counts.get(status, 0) + 1
                    expected = whole(0, size) if status == 200 else whole(100, 200)
                    if status in (200, 206) and data != expected:
                        counts["wrong"] = counts.get("wrong", 0) + 1
                    took = time.monotonic() - begun
                    await asyncio.sleep(took)
                    begun = time.monotonic()
                writer.close()
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, asyncio.LimitOverrunError):
                counts["broken"] = counts.get("broken", 0) + 1

    async def slow(number, until):
        """Reads a little of a film now and then."""
        while time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.5.{1 + number}", 0), limit=4096)
                writer.write(f"GET /film{number}-40000000 HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                for _ in range(30):
                    await reader.read(4096)
                    await asyncio.sleep(2)
                    if time.monotonic() > until:
                        break
                writer.transport.abort()
            except OSError:
                await asyncio.sleep(1)

    async def run():
        counts, until = {}, time.monotonic() + seconds
        await asyncio.gather(*(client(n, until, counts) for n in range(half)), *(slow(n, until) for n in range(40)))
        results.put(counts)

    asyncio.run(run())


def slope(samples):
    """By least squares: bytes a second."""
    mean_t = sum(t for t, _ in samples) / len(samples)
    mean_v = sum(v for _, v in samples) / len(samples)
    return sum((t - mean_t) * (v - mean_v) for t, v in samples) / sum((t - mean_t) ** 2 for t, _ in samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, s3 = Checks(), S3(one_in=50)
    raise_file_limit()
    log = tempfile.TemporaryFile()
    flags = ["--cache-size", "64MiB", "-o", "default_cache_control=max-age=20", "-o", "transport.response_timeout_ms=2000"]
    proxy = Proxy(binary_of(arguments), s3, *flags, log=log)
    try:
        seconds, results = arguments.minutes * 60, multiprocessing.Queue()
        process = multiprocessing.Process(target=load, args=(proxy.port, seconds, results, 8), daemon=True)
        process.start()
        begun, cpu, samples = time.monotonic(), proxy.cpu(), []
        while process.is_alive() and time.monotonic() - begun < seconds:
            time.sleep(min(5, seconds / 30))
            samples.append((time.monotonic() - begun, proxy.resident(), proxy.files()))
            if len(samples) % 36 == 0:
                print(f"after {samples[-1][0] / 60:4.1f} min: {samples[-1][1] / MIB:.1f} MiB, {samples[-1][2]} files", flush=True)
        counts = results.get(timeout=120)
        busy = (proxy.cpu() - cpu) / (time.monotonic() - begun)
        late = [(t, v) for t, v, _ in samples if t > seconds * WARM_UP]
        files = [f for t, _, f in samples if t > seconds * WARM_UP]
        grows = slope(late) * 600 / MIB
        logged = os.fstat(log.fileno()).st_size
        requests = sum(n for kind, n in counts.items() if isinstance(kind, int))
        print(f"{arguments.minutes} min: {counts}, {busy:.2f} cores, {len(samples)} samples")
        print(f"resident {late[0][1] / MIB:.1f} -> {late[-1][1] / MIB:.1f} MiB: {grows:+.2f} MiB in 10 min; files {min(files)} to {max(files)}; log {logged} bytes")
        checks.check("no wrong bytes", "wrong" not in counts and counts.get(200, 0) > 0)
        if arguments.minutes >= 10:
            checks.check("less than 1 MiB in 10 min", grows < 1)
        checks.check("files stay", max(files) - min(files) < 200)
        checks.check("the log is bounded: 1 KiB for a request at most", logged <= max(requests, 1) * KIB)
        checks.check("the process lives", proxy.is_alive())
    finally:
        proxy.stop()
        s3.stop()
    checks.end()


if __name__ == "__main__":
    main()
