#!/usr/bin/env python3
"""tests/load/shutdown.py [--seconds 3] [--binary PATH]

SIGTERM at 500 requests a second, beside downloads that take a while: no request that the proxy has begun to answer fails,
nor one on a connection that was opened before. A kept connection may be closed while it is idle (RFC 9112 §9.3.1): a request
that crosses that is not in flight, and clients send it again.
"""
import argparse
from harness import *


class Tally:
    def __init__(self):
        self.whole = self.broken = self.refused = self.crossed = 0
        self.told = []


async def read_answer(reader):
    """The body; `None` if the connection ended before the first byte."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial == b"":
            return None, True
        raise
    length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    closes = re.search(rb"(?i)connection: close", head) is not None
    return (head, await reader.readexactly(length)), closes


async def client(port, number, rate, ended, tally):
    """Keeps a connection, as clients do, and counts what becomes of its requests."""
    reader = writer = None
    sent = 0
    await asyncio.sleep(number / 20 / rate)
    while not ended.is_set():
        is_fresh = writer is None
        try:
            if is_fresh:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.4.{1 + number}", 0))
        except OSError:
            tally.refused += 1
            return
        sent += 1
        size = 20_000 + number
        try:
            writer.write(f"GET /s{sent % 50}-{size} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            answer, closes = await asyncio.wait_for(read_answer(reader), 30)
            if answer is None and not is_fresh:
                tally.crossed += 1
            elif answer is not None and answer[0].startswith(b"HTTP/1.1 200") and answer[1] == whole(0, size):
                tally.whole += 1
            else:
                tally.broken += 1
                tally.told.append(repr(answer and answer[0][:60]))
        except ConnectionError as error:
            # The reset of a connection that was closed while the request was on its way.
            if is_fresh:
                tally.broken += 1
                tally.told.append(repr(error))
            else:
                tally.crossed += 1
            closes = True
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            tally.broken += 1
            tally.told.append(repr(error))
            closes = True
        if closes:
            writer.close()
            writer = None
        await asyncio.sleep(1 / rate)


async def download(port, number, tally):
    """5 MB in two seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.5.{1 + number}", 0), limit=1 << 16)
    size, received = 5_000_000 + number, 0
    writer.write(f"GET /film{number}-{size} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    expected = whole(0, size)
    while received < size:
        try:
            data = await reader.read(1 << 16)
        except ConnectionError:
            data = b""
        if not data or data != expected[received : received + len(data)]:
            tally.broken += 1
            tally.told.append(f"a download ended after {received} of {size}")
            break
        received += len(data)
        await asyncio.sleep(0.02)
    else:
        tally.whole += 1
    writer.close()


async def load(proxy, seconds):
    tally, ended = Tally(), asyncio.Event()
    clients = [asyncio.create_task(client(proxy.port, n, 25, ended, tally)) for n in range(20)]
    await asyncio.sleep(seconds)
    before = tally.whole
    downloads = [asyncio.create_task(download(proxy.port, n, tally)) for n in range(8)]
    await asyncio.sleep(0.3)
    proxy.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*downloads)
    await asyncio.sleep(0.5)
    ended.set()
    await asyncio.gather(*clients)
    return tally, before / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, s3 = Checks(), S3()
    raise_file_limit()
    proxy = Proxy(binary_of(arguments), s3)
    try:
        tally, rate = asyncio.run(load(proxy, arguments.seconds))
        print(f"{rate:.0f} requests a second: {vars(tally)}")
        checks.check("no request in flight failed", tally.broken == 0)
        checks.check("downloads went on to their ends", tally.whole > 8)
        checks.check("few requests crossed the end of an idle connection", tally.crossed <= 20)
        checks.check("nobody is let in behind it", tally.refused > 0)
        try:
            checks.check("the process ended by itself", proxy.process.wait(10) == 0)
        except subprocess.TimeoutExpired:
            checks.check("the process ended by itself", False)
    finally:
        if proxy.is_alive():
            proxy.stop()
        s3.stop()
    checks.end()


if __name__ == "__main__":
    main()
