"""Raw HTTP/2 frames that lie, what may become of each, and floods of them."""
import struct
from harness import frame, literal, varint

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x4, 0x8, 0x20

# The status of a response, or these.
RESET, GONE = "reset", "gone"
ERROR = {RESET, GONE}
OK, BAD = {200}, {400, 404} | ERROR
PSEUDO = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", b"/TAG-a")]


def block(fields):
    return b"".join(literal(*pair) for pair in fields)


def headers(fields, flags=END_STREAM | END_HEADERS, stream=1):
    return frame(HEADERS, flags, stream, block(fields))


def with_path(path):
    return [*PSEUDO[:3], (b":path", path)]


def with_method(method):
    return [(b":method", method), *PSEUDO[1:]]


def rows():
    """Name, frames, what may become of stream 1."""
    field = lambda name, value: headers([*PSEUDO, (name, value)])
    yield "a plain request", headers(PSEUDO), OK
    # --- Pseudo-header fields.
    for left_out in range(4):
        name = PSEUDO[left_out][0].decode()
        yield f"no {name}", headers(
            [pair for pair in PSEUDO if pair[0].decode() != name]
        ), OK | BAD if name == ":authority" else BAD
        yield f"{name} twice", headers([*PSEUDO, PSEUDO[left_out]]), BAD
        yield f"{name} twice, different", headers([*PSEUDO, (PSEUDO[left_out][0], b"/TAG-evil")]), BAD
        yield f"{name} after a field", headers(
            [*(p for p in PSEUDO if p[0].decode() != name), (b"x-a", b"evil"), PSEUDO[left_out]]
        ), BAD
        yield f"{name} empty", headers(
            [(n, b"" if n.decode() == name else v) for n, v in PSEUDO]
        ), OK | BAD if name in (":authority", ":scheme") else BAD
    yield "an unknown pseudo-header", headers([*PSEUDO, (b":evil", b"evil")]), BAD
    yield "a :status", headers([*PSEUDO, (b":status", b"200")]), BAD
    yield "a :protocol", headers([*with_method(b"CONNECT"), (b":protocol", b"websocket")]), BAD | {405}
    yield ":method GET in upper case of names", headers([(n.upper(), v) for n, v in PSEUDO]), BAD
    for path in [
        b"*", b"TAG-a", b"http://evil/TAG-a", b"//evil/TAG-a",
        b"/TAG-a HTTP/1.1\r\nx-evil: evil\r\n\r\nGET /TAG-smuggled", b"/TAG-a\r\nevil: evil",
        b"/TAG-a\nevil", b"/TAG-a\x00", b"/TAG-a evil", b"/TAG-a\tevil", b"/TAG-a%0d%0ax-evil:%20evil",
        b"/TAG-a?\r\nx-evil: evil", b"/TAG-a#evil", b"/TAG/../evil",
        b"/TAG-%2e%2e/%2e%2e/evil", b"/TAG-\xff", b"/TAG-\xc3\xbc", b"/TAG-a?versionId=evil", b"/TAG-a?x-id=evil",
        b"/" + b"TAG" * 6000, b"/TAG-\x7f", b"\\TAG-a",
    ]:
        yield f":path {path[:50]!r}", headers(with_path(path)), OK | BAD | {414, 431}
    for method in [
        b"GET /TAG-smuggled HTTP/1.1\r\nx: ", b"GET\r\n", b"get", b"G\x00T", b"GET ", b"DELETE", b"PRI", b"TRACE",
        b"\xff", b"E" * 300,
    ]:
        yield f":method {method[:40]!r}", headers(with_method(method)), BAD | {405}
    yield "CONNECT", headers([(b":method", b"CONNECT"), (b":authority", b"evil.example:443")]), BAD | {405}
    yield "CONNECT with a path", headers(with_method(b"CONNECT")), BAD | {405}
    for scheme in [b"https", b"file", b"ht tp", b"http://evil/?", b"http\r\nevil: evil", b"\x00", b"javascript"]:
        yield f":scheme {scheme!r}", headers([PSEUDO[0], (b":scheme", scheme), *PSEUDO[2:]]), OK | BAD
    for authority in [
        b"evil.example", b"evil@localhost", b"localhost:evil", b"local host", b"localhost\r\nevil: evil",
        b"localhost/evil", b"localhost?evil", b"\xff", b"[::1", b"localhost#evil", b"a" * 300,
    ]:
        yield f":authority {authority[:30]!r}", headers([*PSEUDO[:2], (b":authority", authority), PSEUDO[3]]), OK | BAD
    yield ":authority against host", headers([*PSEUDO, (b"host", b"evil")]), OK | BAD
    yield "host twice", headers([*PSEUDO, (b"host", b"evil"), (b"host", b"evil2")]), OK | BAD
    yield "host alone", headers([*PSEUDO[:2], PSEUDO[3], (b"host", b"localhost")]), OK
    yield "host of CR LF", headers([*PSEUDO, (b"host", b"a\r\nevil: evil")]), BAD
    # --- Fields of HTTP/1 connections, and bytes that end its lines.
    for name, value in [
        (b"connection", b"close"), (b"connection", b"x-amz-date, authorization"), (b"transfer-encoding", b"chunked"),
        (b"keep-alive", b"evil"), (b"proxy-connection", b"evil"),
        (b"upgrade", b"h2c"), (b"te", b"trailers"), (b"te", b"trailers, evil"), (b"te", b"evil"),
        (b"http2-settings", b"evil"), (b"trailer", b"evil"), (b"expect", b"100-continue"),
        (b"X-Upper", b"evil"), (b"Host", b"evil"), (b"x-a", b"evil\r\nx-b: evil"), (b"x-a", b"evil\nx-b: evil"),
        (b"x-a", b"evil\rx"), (b"x-a", b"\x00evil"), (b"x-a", b" evil "),
        (b"x-a: evil\r\nx-b", b"evil"), (b"x a", b"evil"), (b"x\x00a", b"evil"), (b"x:a", b"evil"), (b"", b"evil"),
        (b"x-a\xff", b"evil"), (b"x-a", b"\xff"), (b"x-a", b"e" * 70_000),
        (b"authorization", b"AWS4-HMAC-SHA256 evil"), (b"x-amz-date", b"evil"), (b"x-amz-security-token", b"evil"),
        (b"cookie", b"evil=evil"), (b"x-forwarded-host", b"evil"),
        (b"range", b"evil=0-1"), (b"if-match", b"evil\r\nx: y"), (b"if-none-match", b'"evil\x00"'),
        (b"content-type", b"evil"), (b"x-http-method-override", b"evil"),
    ]:
        yield f"field {name!r}: {value[:30]!r}", field(name, value), OK | BAD | {412, 431}
    yield "300 fields", headers([*PSEUDO, *((b"x-%d" % n, b"evil") for n in range(300))]), OK | BAD | {431}
    # --- Lengths, bodies and trailers.
    for length in [b"0", b"5", b"3", b"+5", b"-1", b"5, 5", b"18446744073709551616", b"evil", b""]:
        begin = headers([*PSEUDO, (b"content-length", length)], END_HEADERS)
        yield f"content-length {length!r} and 5 bytes", begin + frame(DATA, END_STREAM, 1, b"evil!"), OK | BAD
        yield f"content-length {length!r} and no body", headers([*PSEUDO, (b"content-length", length)]), OK | BAD
    yield "content-length twice", headers(
        [*PSEUDO, (b"content-length", b"5"), (b"content-length", b"6")], END_HEADERS,
    ) + frame(DATA, END_STREAM, 1, b"evil!"), OK | BAD
    smuggled = b"GET /TAG-smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n"
    yield "a request as the body", headers(
        [*PSEUDO, (b"content-length", b"0")], END_HEADERS,
    ) + frame(DATA, END_STREAM, 1, smuggled), OK | BAD
    yield "chunks as the body", headers(
        [*PSEUDO, (b"transfer-encoding", b"chunked")], END_HEADERS,
    ) + frame(DATA, END_STREAM, 1, b"0\r\n\r\n" + smuggled), OK | BAD
    yield "POST with a body", headers(
        with_method(b"POST"), END_HEADERS,
    ) + frame(DATA, END_STREAM, 1, smuggled), {405} | ERROR
    yield "a body that does not end", headers(PSEUDO, END_HEADERS) + frame(DATA, 0, 1, b"evil"), OK
    yield "trailers", headers(PSEUDO, END_HEADERS) + frame(DATA, 0, 1, b"evil!") + headers(
        [(b"x-amz-evil", b"evil")]
    ), OK | BAD
    yield "trailers with pseudo-headers", headers(PSEUDO, END_HEADERS) + headers(
        [(b":path", b"/TAG-smuggled"), (b"x", b"y")]
    ), OK | BAD
    yield "trailers without an end", headers(PSEUDO, END_HEADERS) + headers(
        [(b"x-evil", b"evil")], END_HEADERS,
    ), OK | BAD
    yield "DATA after the end", headers(PSEUDO) + frame(DATA, END_STREAM, 1, b"evil"), OK | BAD
    yield "HEADERS after the end", headers(PSEUDO) + headers(with_path(b"/TAG-b")), OK | BAD
    # --- Frames.
    raw = block(PSEUDO)
    yield "padding", frame(HEADERS, 5 | PADDED, 1, bytes([9]) + raw + bytes(9)), OK
    yield "padding of evil", frame(HEADERS, 5 | PADDED, 1, bytes([5]) + raw + b"evil!"), OK | BAD
    yield "padding longer than the frame", frame(HEADERS, 5 | PADDED, 1, bytes([255]) + raw), BAD
    yield "padding without room", frame(HEADERS, 5 | PADDED, 1, b""), BAD
    yield "DATA with a lie of padding", headers(PSEUDO, END_HEADERS) + frame(
        DATA, END_STREAM | PADDED, 1, bytes([200]) + b"evil",
    ), OK | BAD
    yield "a priority", frame(HEADERS, 5 | PRIORITISED, 1, struct.pack(">IB", 3, 200) + raw), OK
    yield "a priority of itself", frame(HEADERS, 5 | PRIORITISED, 1, struct.pack(">IB", 1, 200) + raw), OK | BAD
    yield "CONTINUATION, byte by byte", frame(HEADERS, END_STREAM, 1, raw[:1]) + b"".join(
        frame(CONTINUATION, 0, 1, raw[n : n + 1]) for n in range(1, len(raw) - 1)
    ) + frame(CONTINUATION, END_HEADERS, 1, raw[-1:]), OK | BAD
    yield "CONTINUATION of another stream", frame(HEADERS, END_STREAM, 1, raw) + frame(
        CONTINUATION, END_HEADERS, 3, raw,
    ), BAD
    yield "CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, raw), BAD
    yield "a frame between HEADERS and CONTINUATION", frame(
        HEADERS, END_STREAM, 1, raw[:9],
    ) + frame(PING, 0, 0, bytes(8)) + frame(
        CONTINUATION, END_HEADERS, 1, raw[9:],
    ), BAD
    yield "stream 0", headers(PSEUDO, stream=0), BAD
    yield "an even stream", headers(PSEUDO, stream=2), BAD
    yield "a frame too large", frame(HEADERS, 5, 1, raw + bytes(20_000)), BAD
    yield "PUSH_PROMISE", frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + raw), BAD
    yield "an unknown frame", frame(0xEE, 0xFF, 1, b"evil") + headers(PSEUDO), OK
    yield "RST of an idle stream", frame(RST, 0, 1, bytes(4)), BAD
    yield "RST at once", headers(PSEUDO) + frame(RST, 0, 1, struct.pack(">I", 8)), OK | BAD | {"nothing"}
    yield "WINDOW_UPDATE of 0", headers(PSEUDO) + frame(WINDOW, 0, 1, bytes(4)), OK | BAD
    yield "WINDOW_UPDATE beyond 2^31", headers(PSEUDO) + frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff"), OK | BAD
    yield "WINDOW_UPDATE of the connection beyond 2^31", headers(PSEUDO) + frame(
        WINDOW, 0, 0, b"\x7f\xff\xff\xff",
    ) * 2, OK | BAD
    yield "SETTINGS of a window beyond 2^31", frame(
        SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31),
    ) + headers(PSEUDO), BAD
    yield "SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, bytes(5)) + headers(PSEUDO), BAD
    yield "PING of 7 bytes", frame(PING, 0, 0, bytes(7)) + headers(PSEUDO), BAD
    yield "a field block that ends early", frame(HEADERS, 5, 1, raw[:-3]), BAD
    yield "an index that is not there", frame(HEADERS, 5, 1, raw + b"\xff\x80\x80\x80\x01"), BAD
    yield "an integer without end", frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 100), BAD
    yield "Huffman of junk", frame(HEADERS, 5, 1, raw + b"\x00\x83\xff\xff\xff\x83\xff\xff\xff"), BAD
    yield "a table size of 4 GiB", frame(HEADERS, 5, 1, b"\x3f" + varint((1 << 32) - 31) + raw), BAD
    yield "HTTP/1 after the preface", b"GET /TAG-smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n", BAD | {"nothing"}


# Some thousand frames of each kind.
def floods(count):
    raw = block([(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", b"/flood")])
    odd = range(1, 2 * count, 2)
    request = lambda stream: frame(HEADERS, 5, stream, raw)
    yield "rapid reset", (request(n) + frame(RST, 0, n, struct.pack(">I", 8)) for n in odd)
    yield "made you reset, by WINDOW_UPDATE", (request(n) + frame(WINDOW, 0, n, bytes(4)) for n in odd)
    yield "made you reset, by DATA", (request(n) + frame(DATA, 1, n, b"evil") for n in odd)
    yield "streams beyond the limit", (request(n) for n in odd)
    yield "malformed requests", (frame(HEADERS, 5, n, raw + literal(b"connection", b"evil")) for n in odd)
    yield "unfinished requests", (frame(HEADERS, END_HEADERS, n, raw) for n in odd)
    yield "PING", (frame(PING, 0, 0, bytes(8)) for _ in odd)
    yield "PING, unread", (frame(PING, 0, 0, bytes(8)) for _ in odd)
    yield "SETTINGS, unread", (frame(SETTINGS, 0, 0) for _ in odd)
    yield "SETTINGS", (frame(SETTINGS, 0, 0, struct.pack(">HI", 1, n)) for n in odd)
    yield "empty SETTINGS", (frame(SETTINGS, 0, 0) for _ in odd)
    yield "SETTINGS of windows", (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, n)) for n in odd)
    yield "CONTINUATION, empty", (
        frame(HEADERS, END_STREAM, 1, raw) if n == 1 else frame(CONTINUATION, 0, 1) for n in odd
    )
    yield "CONTINUATION, fields", (
        frame(HEADERS, 1, 1, raw) if n == 1 else frame(
            CONTINUATION, 0, 1, literal(b"x-%d" % n, b"e" * 1000),
        ) for n in odd
    )
    yield "empty DATA", (frame(HEADERS, 4, 1, raw) if n == 1 else frame(DATA, 0, 1) for n in odd)
    yield "DATA of padding", (
        frame(HEADERS, 4, 1, raw) if n == 1 else frame(DATA, PADDED, 1, bytes([200]) + bytes(200)) for n in odd
    )
    yield "WINDOW_UPDATE", (frame(WINDOW, 0, 0, struct.pack(">I", 1)) for _ in odd)
    yield "PRIORITY", (frame(PRIORITY, 0, n, struct.pack(">IB", 0, n % 256)) for n in odd)
    yield "unknown frames", (frame(0xEE, 0, n, b"evil") for n in odd)
    yield "GOAWAY", (frame(GOAWAY, 0, 0, bytes(8)) for _ in odd)
    # One field of 3 KB in the table of the connection, named 60 times by each request.
    big = b"\x40" + literal(b"x", b"e" * 3000)[1:]
    yield "a bomb of the field table", (
        frame(HEADERS, 5, n, raw + (big if n == 1 else b"") + b"\xbe" * 60) for n in odd
    )
