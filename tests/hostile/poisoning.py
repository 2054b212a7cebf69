#!/usr/bin/env python3
"""tests/hostile/poisoning.py [--full] [--binary PATH]

Each probe is the first to ask for a key of a cached mount with CORS: an odd method, a field that some proxies route or key by,
a range or a condition that lies, an odd spelling of the target. Five plain requests follow (GET, GET, HEAD, a range, CORS),
and five for a twin that nobody has probed: they must not differ but in time.
"""
import argparse, itertools
from recorder import *
from client import *
from harness import Checks, binary_of

ORIGIN = b"https://app.example"
PLACES = {
    "listed": f'[mount.cors]\norigins = ["{ORIGIN.decode()}", "https://*.b.example"]\n',
    "any": '[mount.cors]\norigins = ["*"]\n',
    "credentials": f'allow_downloads = true\n[mount.cors]\norigins = ["{ORIGIN.decode()}"]\n'
    'credentials = true\nheaders = ["*"]\n',
}

METHODS = [
    b"POST", b"PUT", b"PATCH", b"DELETE", b"TRACE", b"CONNECT", b"PURGE", b"BAN", b"REFRESH", b"PROPFIND", b"MKCOL",
    b"COPY", b"MOVE", b"LOCK", b"SEARCH",
    b"QUERY", b"get", b"Get", b"GETX", b"FOO", b"OPTIONS", b"HEAD", b"LINK", b"M-SEARCH", b"PRI", b"DEBUG", b"VIEW",
    b"INVALIDATE",
]
FIELDS = [
    b"x-forwarded-host: evil", b"x-forwarded-scheme: nothttps", b"x-forwarded-proto: http", b"x-forwarded-port: 1",
    b"x-forwarded-prefix: /evil",
    b"x-forwarded-for: evil", b"x-forwarded-server: evil", b"x-host: evil", b"x-original-host: evil",
    b"x-http-host-override: evil", b"forwarded: host=evil;proto=http",
    b"x-original-url: /evil", b"x-rewrite-url: /evil", b"x-accel-redirect: /evil", b"x-sendfile: /evil",
    b"x-http-method-override: POST", b"x-http-method: DELETE",
    b"x-method-override: HEAD", b"x-real-ip: evil", b"client-ip: evil", b"true-client-ip: evil",
    b"cf-connecting-ip: evil", b"fastly-client-ip: evil",
    b"x-middleware-prefetch: 1", b"x-nextjs-data: 1", b"rsc: 1", b"x-invoke-status: 500", b"x-wap-profile: http://evil",
    b"max-forwards: 0", b"via: 1.1 evil",
    b"x-amz-server-side-encryption: evil", b"x-amz-website-redirect-location: /evil", b"x-amz-meta-evil: evil",
    b"x-amz-security-token: evil", b"x-amz-request-payer: requester",
    b"x-amz-checksum-mode: ENABLED", b"x-amz-server-side-encryption-customer-algorithm: AES256",
    b"x-amz-copy-source: /evil", b"x-amz-date: 20200101T000000Z", b"x-amz-acl: private",
    b"range: bytes=0-0", b"range: bytes=1-3", b"range: bytes=-1", b"range: bytes=5-", b"range: bytes=999999999-",
    b"range: bytes=9-1", b"range: bytes=a-b", b"range: evil=0-1",
    b"range: bytes=0-1,5-6", b"range: bytes=0-0,-1", b"range: bytes=-0", b"range: bytes=0-18446744073709551616",
    b"range: bytes=0-1\r\nrange: bytes=2-3", b"range: ,", b"range:",
    b"range: bytes=0-1\r\nif-range: \"evil\"", b"range: bytes=0-1\r\nif-range: W/\"evil\"",
    b"range: bytes=0-1\r\nif-range: Mon, 02 Nov 2026 10:00:00 GMT", b"range: bytes=0-1\r\nif-range: *",
    b"range: bytes=1-\r\nif-range: evil", b"content-range: bytes 0-1/2", b"request-range: bytes=0-1",
    b"x-range: bytes=0-1",
    b"if-match: \"evil\"", b"if-match: *", b"if-match: evil", b"if-match: W/\"evil\"", b"if-none-match: \"evil\"",
    b"if-none-match: *", b"if-none-match: W/\"evil\", \"b\"", b"if-none-match: evil",
    b"if-modified-since: Mon, 02 Nov 2026 10:00:00 GMT", b"if-modified-since: Fri, 31 Dec 9999 23:59:59 GMT",
    b"if-modified-since: evil", b"if-modified-since: Thu, 01 Jan 1970 00:00:00 GMT",
    b"if-unmodified-since: Thu, 01 Jan 1970 00:00:00 GMT", b"if-unmodified-since: Fri, 31 Dec 9999 23:59:59 GMT",
    b"if-unmodified-since: evil", b"if-range: \"evil\"",
    b"accept: application/json", b"accept: text/html;q=0", b"accept: evil", b"accept-encoding: gzip",
    b"accept-encoding: identity;q=0", b"accept-encoding: *;q=0", b"accept-encoding: br, evil",
    b"accept-language: xx", b"accept-charset: evil", b"accept-datetime: evil", b"te: trailers",
    b"prefer: return=minimal", b"save-data: on", b"dnt: 1", b"sec-fetch-mode: cors", b"sec-fetch-dest: document",
    b"sec-ch-ua: evil", b"dpr: 9", b"width: 1", b"user-agent: evil", b"user-agent:", b"referer: https://evil/",
    b"from: evil@evil", b"cookie: session=evil", b"cookie: a=b; c=d", b"cookie:",
    b"origin: https://evil.example", b"origin: null", b"origin: " + ORIGIN, b"origin: https://x.b.example",
    b"origin: https://app.example.evil", b"origin: HTTPS://APP.EXAMPLE", b"origin: *", b"origin:",
    b"origin: https://app.example:443", b"origin: evil\r\norigin: " + ORIGIN, b"origin: https://x.b.example.evil",
    b"origin: https://evil#.b.example", b"origin: file://", b"origin: https://app.example/",
    b"cache-control: no-cache", b"cache-control: no-store", b"cache-control: max-age=0",
    b"cache-control: only-if-cached", b"cache-control: max-stale=99999", b"cache-control: min-fresh=99999",
    b"cache-control: no-transform", b"cache-control: public, max-age=0, s-maxage=0", b"cache-control: private",
    b"cache-control: evil=\"", b"cache-control: stale-if-error=9", b"pragma: no-cache",
    b"pragma: evil", b"expires: 0", b"age: 999999", b"vary: *", b"etag: \"evil\"", b"last-modified: evil",
    b"date: Thu, 01 Jan 1970 00:00:00 GMT", b"cdn-cache-control: no-store", b"surrogate-control: no-store",
    b"set-cookie: evil", b"location: http://evil", b"content-type: text/html", b"content-encoding: gzip",
    b"content-language: xx", b"content-disposition: attachment", b"content-location: /evil",
    b"authorization: Bearer evil", b"authorization: Basic ZXZpbDpldmls", b"authorization: AWS4-HMAC-SHA256 evil",
    b"authorization:", b"proxy-authorization: Basic evil", b"www-authenticate: evil",
    b"upgrade: h2c\r\nconnection: upgrade", b"connection: close", b"connection: cache-control",
    b"connection: etag, content-type, content-length", b"keep-alive: timeout=1", b"upgrade-insecure-requests: 1",
    b"expect: 100-continue", b"expect: evil", b"content-length: 0", b"content-length: 4", b"transfer-encoding: chunked",
    b"trailer: etag", b"x-a: " + b"e" * 8000, b"\xff\xfe: evil", b"x-a: \x01", b"x-a: \xff\xfe",
    b"access-control-request-method: PUT\r\norigin: " + ORIGIN,
    b"access-control-request-method: GET\r\norigin: https://evil.example",
    b"access-control-request-headers: evil\r\norigin: " + ORIGIN,
    b"access-control-request-private-network: true\r\norigin: " + ORIGIN,
    b"access-control-request-method: GET\r\naccess-control-request-headers: range\r\norigin: " + ORIGIN,
    b"access-control-allow-origin: *",
    b"traceparent: 00-evil-evil-01", b"x-request-id: evil", b"x-correlation-id: evil", b"x-amzn-trace-id: evil",
    b"purpose: prefetch", b"sec-purpose: prefetch", b"early-data: 1", b"priority: u=0",
]
# KEY is the key's name.
TARGETS = [
    b"/KEY?", b"/KEY?evil", b"/KEY?evil=evil", b"/KEY?utm_source=evil", b"/KEY?_=1", b"/KEY?versionId=evil",
    b"/KEY?partNumber=1", b"/KEY?response-content-type=text/html", b"/KEY?response-expires=0",
    b"/KEY?response-cache-control=no-store", b"/KEY?response-content-disposition=attachment;filename=evil",
    b"/KEY?response-content-encoding=gzip", b"/KEY?download", b"/KEY?download=evil.html", b"/KEY?x-id=evil",
    b"/KEY?X-Amz-Algorithm=evil&X-Amz-Signature=evil", b"/KEY?acl", b"/KEY?torrent", b"/KEY?tagging", b"/KEY?uploads",
    b"/KEY?callback=evil", b"/KEY?a&a&a", b"/KEY?%00", b"/KEY?;evil", b"/KEY??", b"/KEY?cb=1;2",
    b"/KEY#evil", b"/KEY#", b"/KEY%23", b"/KEY%3f", b"/KEY/", b"/KEY//", b"//KEY", b"/KEY.", b"/KEY..", b"/KEY%20",
    b"/KEY%00", b"/KEY%0a", b"/KEY;", b"/KEY;evil", b"/KEY.css", b"/KEY/evil.css", b"/KEY%2fevil.css",
    b"/KEY%2e", b"/%2e/KEY", b"/./KEY", b"/a/../KEY", b"/a/%2e%2e/KEY", b"/\\KEY", b"/KEY\\", b"/KEY%5c", b"/KEY%",
    b"/KEY%ff", b"/KEY%c0%80", b"/KEY\xff", b"/UPPER", b"/ESCAPED", b"/KEY+", b"/KEY~", b"/KEY:80", b"/KEY@evil",
    b"http://localhostBASE/KEY", b"http://evil.exampleBASE/KEY", b"https://evil.exampleBASE/KEY",
    b"http://evil@localhostBASE/KEY", b"http://localhost:80BASE/KEY", b"HTTP://LOCALHOSTBASE/KEY",
    b"http://localhostBASE/KEY?evil", b"http://localhostBASE//KEY", b"http://localhost.BASE/KEY",
]
HOSTS = [
    b"evil.example", b"LOCALHOST", b"localhost.", b"localhost:80", b"evil@localhost", b"localhost\r\nhost: evil", b"",
    b"127.0.0.1",
]
IGNORED = {"date", "age", "cache-status", "x-amz-request-id"}


def probes():
    """Method, target, Host, further fields."""
    for method, field in itertools.product([b"GET", b"HEAD", b"OPTIONS"], FIELDS):
        yield method, b"/KEY", b"localhost", field
    for field in FIELDS:
        yield b"GET", b"/KEY", b"localhost", b"range: bytes=2-5\r\norigin: https://x.b.example\r\n" + field
    for method, target in itertools.product([b"GET", b"HEAD"], TARGETS):
        yield method, target, b"localhost", b""
    for method in METHODS:
        yield method, b"/KEY", b"localhost", b""
        yield method, b"/KEY", b"localhost", b"content-length: 4\r\norigin: " + ORIGIN
    for method, host in itertools.product([b"GET", b"HEAD"], HOSTS):
        yield method, b"/KEY", host, b""


class Objects(Recorder):
    """The twins `N-p` and `N-t` hold the same bytes. Each tenth is missing; each ninth takes more than one block."""

    def content(self, seen):
        found = re.search(r"/(\d+)-[pt]$", seen.target)
        number = int(found.group(1)) if found else 0
        if not found or number % 10 == 9:
            return None
        return b"object %d " % number * (15_000 if number % 9 == 4 else 40)


def spelled(target, base, key):
    if target[:1] == b"/":
        target = base + target
    escaped = b"".join(b"%%%02x" % byte for byte in key)
    return target.replace(b"BASE", base).replace(b"KEY", key).replace(
        b"UPPER", key.upper(),
    ).replace(b"ESCAPED", escaped)


async def probe(port, entry, base, key):
    method, target, host, fields = entry
    reader, writer = await connect(port)
    body = b"evil" if b"content-length: 4" in fields else b"0\r\n\r\n" if b"chunked" in fields else b""
    lines = b"%s %s HTTP/1.1\r\nhost: %s\r\n%s" % (
        method, spelled(target, base, key), host, fields + b"\r\n" * bool(fields),
    )
    try:
        writer.write(lines + b"\r\n" + body)
        return await asyncio.wait_for(respond(reader, method.decode()), 20)
    finally:
        writer.close()


PLAIN = [
    (b"GET", b""), (b"GET", b""), (b"HEAD", b""), (b"GET", b"range: bytes=3-9\r\n"),
    (b"GET", b"origin: " + ORIGIN + b"\r\n"),
]


async def plain(port, base, key):
    reader, writer = await connect(port)
    found = []
    for method, field in PLAIN:
        writer.write(b"%s %s/%s HTTP/1.1\r\nhost: localhost\r\n%s\r\n" % (method, base, key, field))
        response = await asyncio.wait_for(respond(reader, method.decode()), 20)
        fields = sorted((name, value) for name, value in response.fields if name not in IGNORED)
        # A refusal has an id of its own.
        found.append((response.status, fields, re.sub(rb"\(id [0-9a-f]{16}\)", b"", response.body)))
    writer.close()
    return found


async def run(binary, entries, checks):
    recorder = await Objects().start()
    text = f'region = "{REGION}"\n[cache]\nsize = "256MiB"\n'
    for place, more in PLACES.items():
        text += f'[[mount]]\npath = "/{place}"\nbucket = "media"\npath_style = true\n'
        text += f'endpoint_url = "http://127.0.0.1:{recorder.port}"\n'
        text += f'default_cache_control = "max-age=600"\nprefix = "{place}"\n{more}'
    proxy = Configured(binary, [], file=text)
    differences, statuses, limit, right = [], Counter(), asyncio.Semaphore(16), 0

    async def one(number, place, entry):
        nonlocal right
        async with limit:
            base = b"/" + place.encode()
            probed = await probe(proxy.port, entry, base, b"%d-p" % number)
            statuses[probed.status if probed else None] += 1
            after, twin = [await plain(proxy.port, base, b"%d-%s" % (number, side)) for side in (b"p", b"t")]
            for (method, field), one, other in zip(PLAIN, after, twin):
                if one != other:
                    differences.append(f"{place}, {entry}: {method} {field}: {str(one)[:400]} and {str(other)[:400]}")
            right += [status for status, _, _ in twin] == ([404] * 5 if number % 10 == 9 else [200, 200, 200, 206, 200])

    try:
        await asyncio.gather(*(one(number, *entry) for number, entry in enumerate(entries)))
        alive = proxy.is_alive()
    finally:
        proxy.stop()
    for what in differences[:30]:
        print(f"WRONG: {what}")
    print(
        f"{len(entries)} probes x {len(PLAIN)} comparisons, {dict(statuses)}: {len(differences)} differences, "
        f"{len(recorder.violations)} violations"
    )
    checks.check("no probe shows in a later response", not differences and alive)
    checks.check("the origin saw the proxy's own requests alone", not recorder.violations)
    # A test of the test: what is compared is what a plain client must get.
    checks.check("twins are answered as they must", right == len(entries))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all probes at all mounts, instead of each seventh")
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    binary, checks = binary_of(arguments), Checks()
    entries = [(place, entry) for entry in probes() for place in PLACES]
    asyncio.run(run(binary, entries if arguments.full else entries[::7], checks))
    checks.end()


if __name__ == "__main__":
    main()
