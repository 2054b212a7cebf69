#!/usr/bin/env python3
"""tests/hostile/raw_http1.py [--full] [--binary PATH] [--show]

Raw HTTP/1 from a hostile client, once without a cache and once with one: requests that two parsers could read in two ways,
fields that S3 would obey, framing that lies. S3 must see nothing but the proxy's own requests; the connection must have
the responses that are due, in their order: a marker request follows each payload and must get the marker.
"""
import argparse
from recorder import *
from client import *
from http1_payloads import CLOSED, EATEN, SMUGGLED, SYNC, rows
from harness import Checks, binary_of

# Name, flags, bytes in a packet, and how many of S3's requests one of a client may take.
ROUNDS = [("without a cache", [], 1 << 30, 1), ("with a cache", CACHE, 1 << 30, 2), ("in pieces", [], 5, 1)]


async def one(port, number, entry, size, wrong, show):
    name, payload, due, after, method = entry
    tag = b"%03d" % number
    marker = b"/%s-marker" % tag
    reader, writer = await connect(port)
    got, broken, marked, closed = [], None, False, False
    fail = lambda what: wrong.append(f"{name}: {what}; {[r.status for r in got]}, marked={marked}, closed={closed}")
    try:
        data = payload.replace(b"TAG", tag) + b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % marker
        # Reads meanwhile: a connection that is closed before all is sent takes back what was not read.
        sending = asyncio.create_task(send(writer, data, size if len(data) < 2000 else len(data)))
        while not marked and not closed:
            if after == EATEN and len(got) == len(due):
                if await ends_quietly(reader):
                    break
            found = await asyncio.wait_for(respond(reader, method if not got else "GET"), 20)
            if found is None:
                closed = True
            elif found.body == b"/media" + marker:
                marked = True
            else:
                got.append(found)
        if marked:
            if not await ends_quietly(reader):
                fail("bytes behind the marker")
    except Broken as error:
        broken = error
        fail(f"broken: {error}")
    except asyncio.TimeoutError:
        fail("neither a response nor an end")
    finally:
        sending.cancel()
        writer.close()
    if broken is None:
        if len(got) > len(due):
            fail("more responses than are due")
        elif marked and len(got) < len(due) and after == SYNC:
            fail("fewer responses than are due")
        for response, statuses in zip(got, due):
            if response.status not in statuses:
                fail(f"the status {response.status}")
            if response.status == 200 and method == "GET" and not re.match(rb"/media/.*%s" % tag, response.body):
                fail(f"the body {response.body[:200]!r}")
        if marked and after == CLOSED:
            fail("the connection lives on")
        if closed and after == SYNC:
            fail("the connection is closed")
    if show:
        print(f"    {name}: {[r.status for r in got]} {'marker' if marked else 'closed' if closed else 'stuck'}")


async def send(writer, data, size):
    """In pieces of so many bytes, each in a packet of its own."""
    for begin in range(0, len(data), size):
        # A server that has refused the rest reads no more.
        if writer.transport.is_closing():
            break
        writer.write(data[begin : begin + size])
        if size < len(data):
            await asyncio.sleep(0.001)


async def ends_quietly(reader):
    """Whether nothing more comes."""
    try:
        return not await asyncio.wait_for(reader.read(1), 0.3)
    except (asyncio.TimeoutError, ConnectionError):
        return True


async def play(binary, name, flags, size, most, table, show):
    recorder = await Recorder().start()
    proxy = media(binary, recorder, *flags)
    wrong = []
    try:
        limit = asyncio.Semaphore(16)

        async def bounded(number, entry):
            async with limit:
                return await one(proxy.port, number, entry, size, wrong, show)

        await asyncio.gather(*(bounded(number, entry) for number, entry in enumerate(table)))
        counts = Counter((seen.method, seen.target) for seen in recorder.requests if seen.line)
        for (_, target), count in counts.items():
            # Each key has the number of the row that asked for it.
            found = re.match(r"/media/(?:.*\D)?(\d{3})(?:\D.*)?$", target)
            if not found or target.endswith("-smuggled") and not follows(table[int(found.group(1))]):
                recorder.violation(target.encode(), "a request that nobody sent")
            if count > most:
                recorder.violation(target.encode(), f"one request {count} times")
        if not proxy.is_alive():
            wrong.append("the process died")
    finally:
        proxy.stop()
    for what in wrong:
        print(f"WRONG: {what}")
    print(
        f"{name}: {len(table)} payloads: {len(recorder.violations)} violations at the origin, "
        f"{len(wrong)} wrong responses ({len(recorder.requests)} requests to S3)"
    )
    return recorder.violations, wrong


def follows(entry):
    """Whether the payload has its request for `smuggled` behind another, as a request of its own."""
    return len(entry[2]) == 2 or SMUGGLED not in entry[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also in small pieces")
    parser.add_argument("--binary")
    parser.add_argument("--show", action="store_true", help="what became of each payload")
    arguments = parser.parse_args()
    binary, checks, table = binary_of(arguments), Checks(), list(rows())
    for name, flags, size, most in ROUNDS if arguments.full else ROUNDS[:2]:
        violations, wrong = asyncio.run(play(binary, name, flags, size, most, table, arguments.show))
        checks.check(f"{name}: the origin saw the proxy's own requests alone", not violations)
        checks.check(f"{name}: each response is the one that is due", not wrong)
    checks.end()


if __name__ == "__main__":
    main()
