#!/usr/bin/env python3
"""tests/load/releases.py [--seconds 4] [--rate 200] [--binary PATH]

Two releases of a site, switched and rolled back ten times, each for so many seconds, under so many requests a second: pages,
the assets that they name, and assets of the other release, as tabs ask for them that were opened before. No request may fail,
a page and its assets are of one release, and each switch is seen within two seconds of the refresh.
"""
import argparse, hashlib, tempfile
from harness import *

SWITCHES, CLIENTS, REFRESH, PATIENCE = 10, 16, 1, 2
RELEASES = ["one", "two"]


def asset(release):
    return f"assets/app-{hashlib.sha256(release.encode()).hexdigest()[:8]}.js"


def objects():
    """What the bucket has besides `current`."""
    found = {}
    for release in RELEASES:
        folder = f"/media/site/releases/{release}"
        found[f"{folder}/index.html"] = f"{release} {asset(release)}".encode()
        found[f"{folder}/docs/index.html"] = f"{release} {asset(release)}".encode()
        found[f"{folder}/{asset(release)}"] = f"script of {release}".encode()
        found[f"{folder}/_headers"] = f"/*\n  X-Release: {release}\n".encode()
    return found


class Site(Origin):
    """Answers for that bucket; which release is current, the parent says."""

    kept = current = None

    async def answer(self, head):
        method, path = re.match(rb"([A-Z]+) (\S+)", head).groups()
        path = path.decode().split("?")[0]
        if path == "/media/site/current":
            data = RELEASES[self.current.value].encode()
        else:
            data = self.kept.get(path)
        if data is None:
            text = b"<Error><Code>NoSuchKey</Code></Error>"
            return self.transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
        tag = b'"%s"' % hashlib.md5(data).hexdigest().encode()
        fields = b"etag: %s\r\nlast-modified: Mon, 02 Nov 2026 10:00:00 GMT\r\nx-amz-request-id: 1\r\n" % tag
        if b"if-none-match: " + tag in head.lower():
            return self.transport.write(b"HTTP/1.1 304 Not Modified\r\n%s\r\n" % fields)
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%s\r\n" % (len(data), fields)
        self.transport.write(answer if method == b"HEAD" else answer + data)


def run_site(port_to, current):
    async def run():
        Site.counts = dict(connections=0, requests=0, asked=0, most=0, bytes=0)
        Site.kept, Site.current = objects(), current
        server = await asyncio.get_running_loop().create_server(Site, "127.0.0.1", 0)
        port_to.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Client:
    """Keeps its connection, as a browser does."""

    def __init__(self, port):
        self.port, self.writer = port, None

    async def get(self, path):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        body = await asyncio.wait_for(self.reader.readexactly(length), 10)
        release = re.search(rb"(?i)x-release: (\S+)", head)
        return int(head.split(b" ")[1]), body.decode(), release and release.group(1).decode()


async def visit(client, number, seen, wrong):
    """A page, the asset that it names, and an asset of the other release: three requests."""
    status, page, fields_of = await client.get("/" if number % 2 else "/docs/")
    release, _, named = page.partition(" ")
    if status != 200 or named != asset(release):
        wrong.append(f"page: {status} {page}")
        return
    if fields_of != release:
        wrong.append(f"a page of {release} with the fields of {fields_of}")
    seen.append((time.monotonic(), release))
    for wanted in [release, RELEASES[1 - RELEASES.index(release)]]:
        # The other one may never have been served yet.
        if wanted != release and not any(before == wanted for _, before in seen):
            continue
        status, body, _ = await client.get("/" + asset(wanted))
        if (status, body) != (200, f"script of {wanted}"):
            wrong.append(f"asset of {wanted} in {release}: {status} {body}")


async def drive(port, current, arguments):
    seen, wrong, switched = [], [], []
    until, pause = time.monotonic() + arguments.seconds * (SWITCHES + 1), 3 * CLIENTS / arguments.rate

    async def browse(number):
        client, turn = Client(port), 0
        # One after the other, not all at a time.
        await asyncio.sleep(pause * number / CLIENTS)
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                await visit(client, turn, seen, wrong)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                wrong.append(repr(error))
                client = Client(port)
            turn += 1
            await asyncio.sleep(max(0, pause - (time.monotonic() - begun)))

    async def switch():
        for turn in range(SWITCHES):
            await asyncio.sleep(arguments.seconds)
            current.value = (turn + 1) % 2
            switched.append((time.monotonic(), RELEASES[current.value]))

    await asyncio.gather(switch(), *(browse(number) for number in range(CLIENTS)))
    return seen, wrong, switched


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, ports, current = Checks(), multiprocessing.Queue(), multiprocessing.Value("i", 0)
    site = multiprocessing.Process(target=run_site, args=(ports, current), daemon=True)
    site.start()
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(f"""
[cache]
size = "16 MiB"
[[mount]]
bucket = "media"
prefix = "site"
region = "us-west-2"
path_style = true
endpoint_url = "http://127.0.0.1:{ports.get(timeout=10)}"
[mount.website]
rules = true
refresh_secs = {REFRESH}
releases = {{ prefix = "releases" }}
""")
        config.flush()
        proxy = Proxy(binary_of(arguments), None, config=config.name)
    try:
        seen, wrong, switched = asyncio.run(drive(proxy.port, current, arguments))
        late = []
        for at, release in switched:
            first = min((when for when, what in seen if when > at and what == release), default=math.inf)
            after = [what for when, what in seen if at + REFRESH + PATIENCE < when < at + arguments.seconds]
            late.append(first - at)
            if any(what != release for what in after):
                wrong.append(f"{release} was switched to, and the other one was served later")
        print(f"{len(seen)} pages, {len(wrong)} wrong {wrong[:3]}; {len(switched)} switches, seen after {max(late):.1f} s at most")
        checks.check("pages are served all the while", len(seen) > arguments.seconds * SWITCHES)
        checks.check("no request fails, and nothing mixes releases", not wrong)
        checks.check("each switch is seen in time", max(late) < REFRESH + PATIENCE)
        checks.check("the process lives", proxy.is_alive())
    finally:
        proxy.stop()
        site.terminate()
        site.join()
    checks.end()


if __name__ == "__main__":
    main()
