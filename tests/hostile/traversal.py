#!/usr/bin/env python3
"""tests/hostile/traversal.py [--full] [--binary PATH]

Each spelling of dots, by each spelling of slashes, in each shape of a path that climbs, at each kind of mount. What reaches
S3 must lie below the prefix, in a bucket that is allowed, and be what one decoding of the path gives, byte for byte; all
else is 404. Objects hold their own names, and so each response tells what S3 was asked.
"""
import argparse, fnmatch, itertools, math, time
from recorder import *
from client import *
from harness import Checks, binary_of

Mount = namedtuple("Mount", "path host bucket globs prefix bust")
MOUNTS = [
    Mount("", "media.example", "hosted", [], "web", False),
    Mount("/deep/er", None, "media", [], "web/site", False),
    Mount("/w", None, "media", [], "web", False),
    Mount("/any", None, None, ["media-*", "downloads"], "web", False),
    Mount("/bust", None, "media", [], "web", True),
    Mount("/anybust", None, None, ["media-*"], "web", True),
]
BASES = [
    ("localhost", b"/w/"), ("localhost", b"/w"), ("localhost", b"/deep/er/"), ("localhost", b"/deep/"),
    ("localhost", b"/deep/er/a/"),
    ("localhost", b"/any/media-a/"), ("localhost", b"/any/"), ("localhost", b"/any/media-"),
    ("localhost", b"/any/downloads"),
    ("localhost", b"/bust/--v1/"), ("localhost", b"/bust/--v1"), ("localhost", b"/bust/--"),
    ("localhost", b"/anybust/media-a/--v1/"),
    ("media.example", b"/"), ("media.example", b"/w/"), ("other.example", b"/"), ("media.example.evil", b"/"),
    ("localhost", b"/"),
]
# No glob means a directory bucket: S3 is asked for a session for its name.
BASES.append(("localhost", b"/any/media-a--use1-az1--x-s3/"))

DOTS = [
    b"..", b"%2e%2e", b"%2E%2e", b".%2e", b"%2E.", b"%252e%252e", b"%25252e%25252e", b"%252E.", b".", b"%2e", b"...",
    b"....",
    b"%c0%ae%c0%ae", b"%C0%AE.", b"%e0%80%ae%e0%80%ae", b"%f0%80%80%ae%f0%80%80%ae", b"%c0%2e%c0%2e", b"%u002e%u002e",
    b"%%32%65%%32%65", b"%2%65.",
    b"%ef%bc%8e%ef%bc%8e", "．．".encode(), b"%e2%80%a4%e2%80%a4", b"%e2%80%a5", b"%e3%80%82%e3%80%82", b"..;", b"..;a=b",
    b";..", b"..%3b",
    b"..%00", b"%00..", b".%00.", b"..%20", b"%20..", b"..%09", b"..%0d%0a", b"..%e2%80%8b", b"..%c2%a0", b"..%ff",
    b"..%", b"..+", b"..~", b"..:", b"..?", b"..#",
]
SLASHES = [
    b"/", b"%2f", b"%2F", b"\\", b"%5c", b"%5C", b"//", b"%2f%2f", b"/%2f", b"/\\", b"%5c/", b"%252f", b"%252F",
    b"%255c", b"%25252f", b"/./", b"/%2e/",
    b"%c0%af", b"%e0%80%af", b"%c1%9c", b"%ef%bc%8f", "／".encode(), b"%e2%88%95", b"%u2215", b"%2f%00", b"/;/", b"%3b/",
    b"%0d%0a/", b"/%20/",
]
SHAPES = [
    b"{d}{s}website-secret{s}k", b"a{s}{d}{s}{d}{s}website-secret{s}k", b"{s}{d}{s}{d}{s}{d}{s}etc{s}passwd", b"{d}",
    b"a{s}{d}", b"{d}{s}{d}{s}site-secret/k",
    b"site-secret{s}{d}k", b"a{s}b{d}{s}-secret", b"--v2/{d}{s}media-b{s}k",
]

# What a client can write without breaking the grammar of a target; the parser can refuse the rest with 400.
PROPER = re.compile(rb"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(?:\?.*)?")


def expected(host, path):
    """What S3 is asked for: a second reading of the rules, and a naive one. `None` is 404."""
    path = re.split(rb"[?#]", path)[0]
    for mount in MOUNTS:
        if mount.host not in (None, host):
            continue
        below = mount.path.encode()
        if path == below or path.startswith(below + b"/"):
            return below_mount(mount, path[len(below) + 1 :])
    return None


def below_mount(mount, rest):
    bucket = mount.bucket
    if bucket is None:
        name, _, rest = rest.partition(b"/")
        bucket = decoded(name) or ""
        is_name = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]+[A-Za-z0-9]", bucket) and ".." not in bucket
        if not is_name or not any(fnmatch.fnmatchcase(bucket, glob) for glob in mount.globs):
            return None
        if bucket.endswith("--x-s3"):
            return None
    if mount.bust:
        rest = re.sub(rb"^--[0-9A-Za-z._-]+/", b"", rest)
    key = decoded(rest)
    if not key or len(key.encode()) + len(mount.prefix) + 1 > 1024 or "\0" in key:
        return None
    if any(segment in (".", "..") for segment in re.split(r"[/\\]", key)):
        return None
    return f"/{bucket}/{mount.prefix}/" + urllib.parse.quote(key, safe="/-._~")


def decoded(text):
    if re.search(rb"%(?![0-9A-Fa-f]{2})", text):
        return None
    try:
        return urllib.parse.unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None


BELOW = re.compile(rb"/(?:media/web|media/web/site|media-[a-zA-Z0-9._-]*/web|downloads/web|hosted/web)/(.*)", re.S)


def escapes(seen):
    """Whether the key lies elsewhere: asked of the bytes, without a look at the client's path."""
    below = BELOW.fullmatch(seen.key)
    return not below or any(part in (b".", b"..") for part in re.split(rb"[/\\]", seen.key)) or b"\0" in seen.key


def configuration(port, cached):
    text = f'region = "{REGION}"\n' + '[cache]\nsize = "64MiB"\n' * cached
    for mount in MOUNTS:
        globs = f"buckets_from_path = {mount.globs}".replace("'", '"')
        source = f'bucket = "{mount.bucket}"' if mount.bucket else globs
        text += f'[[mount]]\npath = "{mount.path or "/"}"\n{source}\nprefix = "{mount.prefix}"\npath_style = true\n'
        text += f'endpoint_url = "http://127.0.0.1:{port}"\ndefault_cache_control = "max-age=600"\n'
        text += f'host = "{mount.host}"\n' * bool(mount.host) + "cache_bust_segment = true\n" * mount.bust
    return text


async def lane(port, cases, wrong, statuses):
    """Sends many at once, and takes up behind what ends the connection."""
    cases, reader, writer = list(cases), None, None
    while cases:
        batch = cases[:40]
        if writer is None:
            reader, writer = await connect(port)
        writer.write(b"".join(b"GET %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (path, host.encode()) for host, path in batch))
        for host, path in batch:
            try:
                response = await asyncio.wait_for(respond(reader), 60)
            except (Broken, asyncio.TimeoutError) as error:
                wrong.append(f"{host} {path!r}: {error!r}")
                response = None
            if response is None:
                writer = None
                # A connection that ends before its first response does so because of the request.
                if cases[0] is batch[0]:
                    wrong.append(f"{host} {path!r}: no response")
                    cases.pop(0)
                break
            cases.pop(0)
            statuses[response.status] += 1
            judge(host, path, response, wrong)
    if writer:
        writer.close()


def judge(host, path, response, wrong):
    target = expected(host, path)
    if response.status == 400 and not PROPER.fullmatch(path):
        return
    if target is None and response.status == 404:
        return
    if target is not None and response.status == 200 and response.body == target.encode():
        return
    wrong.append(f"{host} {path!r}: {response.status} {response.body[:200]!r}, not {target}")


async def run(binary, cached, cases, checks):
    name = "with a cache" if cached else "without a cache"
    recorder = await Recorder().start()
    proxy = Configured(binary, [], file=configuration(recorder.port, cached))
    wrong, statuses, begun = [], Counter(), time.monotonic()
    try:
        await asyncio.gather(*(lane(proxy.port, cases[n::8], wrong, statuses) for n in range(8)))
        alive = proxy.is_alive()
    finally:
        proxy.stop()
    outside = [seen.target if seen.line else seen.raw for seen in recorder.requests if not seen.line or escapes(seen)]
    for what in [*wrong[:30], *outside[:30]]:
        print(f"WRONG: {what}")
    print(
        f"{name}: {len(cases)} requests in {time.monotonic() - begun:.0f} s, {dict(statuses)}, "
        f"{len(recorder.requests)} reached S3: "
        f"{len(outside)} outside, {len(recorder.violations)} violations, {len(wrong)} differ from one decoding"
    )
    checks.check(f"{name}: all lies below the prefix, in an allowed bucket", not outside and not recorder.violations)
    checks.check(f"{name}: each is what one decoding gives, or 404", not wrong and alive)
    # A test of the test: both ways out are taken.
    checks.check(f"{name}: some reach S3 and some do not", statuses[200] > 100 and statuses[404] > 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the whole product, instead of some 3,000")
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    binary, checks = binary_of(arguments), Checks()
    spellings = sorted(
        {shape.replace(b"{d}", d).replace(b"{s}", s) for shape, d, s in itertools.product(SHAPES, DOTS, SLASHES)}
    )
    product = [(host, base + spelling) for spelling in spellings for host, base in BASES]
    # A stride that no factor of the product shares comes by each value of each factor.
    step = len(product) // (31_000 if arguments.full else 1_500)
    step = next(n for n in range(step, 0, -1) if math.gcd(n, len(product)) == 1)
    cases = product[::step]
    print(f"{len(spellings)} spellings at {len(BASES)} places: {len(product)} paths, every {step}th")
    for cached in [False, True]:
        asyncio.run(run(binary, cached, cases, checks))
    checks.end()


if __name__ == "__main__":
    main()
