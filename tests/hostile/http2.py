#!/usr/bin/env python3
"""tests/hostile/http2.py [--full] [--binary PATH] [--show]

Raw HTTP/2 frames from a hostile client: fields that mean something else in HTTP/1, which is what S3 is asked in; framing that
lies; floods of frames. S3 must see nothing but the proxy's own requests; a marker stream after each payload must get the
marker, or the connection must end. After a flood the process lives, is no larger, and serves a good client.
"""
import argparse, time
from recorder import *
from harness import Checks, MIB, PREFACE, binary_of, frame
from http2_payloads import DATA, GOAWAY, GONE, HEADERS, PADDED, RESET, RST, SETTINGS, floods, headers, rows, with_path

# The stream that follows each payload.
MARKER = 99
# What a flood may leave in memory, in bytes.
GROWTH = 20 * MIB


class Streams:
    """What comes back."""

    def __init__(self):
        self.status, self.body, self.reset, self.gone = {}, {}, set(), False

    def outcome(self, stream):
        if stream in self.status:
            return self.status[stream]
        return RESET if stream in self.reset else GONE if self.gone else "nothing"

    def take(self, kind, flags, stream, payload):
        if kind == HEADERS and stream not in self.status:
            if flags & PADDED:
                payload = payload[1:]
            self.status[stream] = status(payload)
        elif kind == DATA:
            self.body[stream] = self.body.get(stream, b"") + payload
        elif kind == RST:
            self.reset.add(stream)
        elif kind == GOAWAY:
            self.gone = True


# RFC 7541: the static table's statuses, and the Huffman codes of digits.
INDEXED = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
DIGITS = {"00000": "0", "00001": "1", "00010": "2"} | {format(0b011001 + n, "06b"): str(n + 3) for n in range(7)}


def status(fields):
    """The status, which stands first; 0 if it cannot be read."""
    # Updates of the table's size come before it.
    while fields and fields[0] & 0xE0 == 0x20:
        fields = fields[1:]
    if fields[0] in INDEXED:
        return INDEXED[fields[0]]
    if fields[0] not in (0x48, 0x08):
        return 0
    coded = fields[2 : 2 + (fields[1] & 0x7F)]
    if not fields[1] & 0x80:
        return int(coded)
    bits, text = "".join(format(byte, "08b") for byte in coded), ""
    while len(text) < 3:
        size = 5 if bits[:5] in DIGITS else 6
        text, bits = text + DIGITS[bits[:size]], bits[size:]
    return int(text)


async def read(reader, streams, until):
    """Takes frames until the connection ends or `until` holds."""
    try:
        while not until():
            head = await reader.readexactly(9)
            size, stream = int.from_bytes(head[:3], "big"), int.from_bytes(head[5:], "big") & 0x7FFFFFFF
            streams.take(head[3], head[4], stream, await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        streams.gone = True


async def one(port, number, entry, wrong, show):
    name, frames, due = entry
    tag = b"%03d" % number
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # The tag is as long as what it stands for, and so the lengths stay right.
    marker = headers(with_path(b"/%s-marker" % tag), stream=MARKER)
    streams = Streams()
    try:
        writer.write(PREFACE + frame(SETTINGS, 0, 0) + frames.replace(b"TAG", tag) + marker)
        ended = lambda: MARKER in streams.body or MARKER in streams.reset
        await asyncio.wait_for(read(reader, streams, ended), 20)
        # The other stream's response can come later.
        until = lambda: streams.gone or streams.outcome(1) != "nothing"
        if not until() and "nothing" not in due:
            await asyncio.wait_for(read(reader, streams, until), 20)
    except asyncio.TimeoutError:
        wrong.append(f"{name}: no response within 20 s")
    finally:
        writer.close()
    found, marked = streams.outcome(1), streams.outcome(MARKER)
    if show:
        print(f"    {name}: {found}, marker {marked}")
    # Frames of other streams than the first are answered there, or by the end of the connection.
    if found not in due and not (found == "nothing" and streams.gone):
        wrong.append(f"{name}: {found}")
    if marked == 200 and streams.body.get(MARKER) != b"/media/%s-marker" % tag or marked not in (200, RESET, GONE):
        wrong.append(f"{name}: the marker got {marked}, {streams.body.get(MARKER)!r}")
    if found == 200 and not re.match(rb"/media/.*%s" % tag, streams.body.get(1, b"/media/" + tag)):
        wrong.append(f"{name}: the body {streams.body.get(1)!r}")


async def flood(port, name, frames):
    """How many frames went out before the connection was closed, or all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    streams, sent = Streams(), 0
    wait = asyncio.sleep(600) if name.endswith("unread") else read(reader, streams, lambda: False)
    reading = asyncio.create_task(wait)
    try:
        writer.write(PREFACE + frame(SETTINGS, 0, 0))
        for piece in frames:
            writer.write(piece)
            sent += 1
            if sent % 10 == 0:
                await asyncio.wait_for(writer.drain(), 10)
            if reading.done() or writer.transport.is_closing():
                break
        # What is on its way comes to the proxy.
        await asyncio.sleep(0.2)
    except (ConnectionError, asyncio.TimeoutError):
        pass
    ended = reading.done() or streams.gone
    reading.cancel()
    writer.close()
    return sent, ended


async def run(binary, flags, name, table, count, checks, show):
    recorder = await Recorder().start()
    proxy = media(binary, recorder, *flags)
    wrong = []
    try:
        limit = asyncio.Semaphore(16)

        async def bounded(number, entry):
            async with limit:
                await one(proxy.port, number, entry, wrong, show)

        await asyncio.gather(*(bounded(number, entry) for number, entry in enumerate(table)))
        for seen in recorder.requests:
            if seen.line and not re.match(
                r"/media/(?:.*\D)?\d{3}", seen.target,
            ) or b"smuggled" in seen.raw and b"%0A" not in seen.raw:
                recorder.violation(seen.raw, "a request that nobody sent")
        for what in wrong:
            print(f"WRONG: {what}")
        print(
            f"{name}: {len(table)} payloads: {len(recorder.violations)} violations at the origin, "
            f"{len(wrong)} wrong responses ({len(recorder.requests)} requests to S3)"
        )
        checks.check(f"{name}: the origin saw the proxy's own requests alone", not recorder.violations)
        checks.check(f"{name}: each stream ends as it must", not wrong)
        before = proxy.resident()
        for kind, frames in floods(count):
            begun, cpu = time.monotonic(), proxy.cpu()
            sent, ended = await flood(proxy.port, kind, frames)
            served = await asyncio.wait_for(good(proxy.port), 20)
            growth = proxy.resident() - before
            print(
                f"    {name}, flood of {kind}: {sent} of {count} sent, {'closed' if ended else 'not closed'}, "
                f"{growth / MIB:+.1f} MiB, {time.monotonic() - begun:.1f} s, {proxy.cpu() - cpu:.2f} CPU s"
            )
            if not proxy.is_alive() or not served or growth > GROWTH:
                checks.check(f"{name}: after a flood of {kind} the process lives, serves, and is no larger", False)
        checks.check(f"{name}: floods", proxy.is_alive() and not recorder.violations)
    finally:
        proxy.stop()


async def good(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    streams = Streams()
    writer.write(PREFACE + frame(SETTINGS, 0, 0) + headers(with_path(b"/good")))
    await read(reader, streams, lambda: 1 in streams.body)
    writer.close()
    return streams.body.get(1) == b"/media/good"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="5,000 frames of each flood instead of 1,000")
    parser.add_argument("--binary")
    parser.add_argument("--show", action="store_true", help="what became of each payload")
    arguments = parser.parse_args()
    binary, checks, table = binary_of(arguments), Checks(), list(rows())
    for name, flags in [("without a cache", []), ("with a cache", CACHE)]:
        asyncio.run(run(binary, flags, name, table, 5000 if arguments.full else 1000, checks, arguments.show))
    checks.end()


if __name__ == "__main__":
    main()
