"""Raw HTTP/1 requests that are none, or two, or carry what must not go on; and the responses that each is due."""

# What must become of the connection after the responses that are due.
SYNC, CLOSED, EITHER, EATEN = "the marker is answered", "closed", "either", "the marker belongs to the payload"
OK, NOT_ALLOWED, BAD = {200}, {405}, {400}
# No key, or no target: as the parser or the mount sees it.
NO = {400, 404}

GET = b"GET /TAG-a HTTP/1.1\r\nhost: localhost\r\n"
POST = b"POST /TAG-a HTTP/1.1\r\nhost: localhost\r\n"
SMUGGLED = b"GET /TAG-smuggled HTTP/1.1\r\nhost: localhost\r\nx-evil: evil\r\n\r\n"
EXPECT = b"expect: 100-continue\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def row(name, payload, due=(OK,), after=EITHER, method="GET"):
    """`due` has the statuses that each response can have. TAG becomes a word of the payload's own."""
    return name, payload, due, after, method


def rows():
    # --- Framing: Content-Length and Transfer-Encoding, each spelling of both.
    for spelling in [
        b"transfer-encoding: chunked", b"Transfer-Encoding: Chunked", b"TRANSFER-ENCODING: CHUNKED",
        b"transfer-encoding:chunked", b"transfer-encoding:\tchunked", b"transfer-encoding: chunked ",
        b"transfer-encoding: chunked\t", b"transfer-encoding:  \t chunked",
    ]:
        for begin, due in [(POST, NOT_ALLOWED), (GET, OK)]:
            name = f"CL + {spelling!r}, {begin[:4].decode().strip()}"
            # By the length the smuggled request is the body; by the chunks it would be a request.
            body = b"0\r\n\r\n" + SMUGGLED
            yield row(
                name, begin + b"content-length: %d\r\n" % len(body) + spelling + b"\r\n\r\n" + body, (due | BAD,),
                CLOSED,
            )
            # By the length a request follows the "0"; by the chunks the body goes on.
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
            yield row(
                name + ", the other way", begin + b"content-length: 4\r\n" + spelling + b"\r\n\r\n" + body,
                (due | BAD,),
            )
    for spelling in [
        b"transfer-encoding : chunked", b" transfer-encoding: chunked", b"\ttransfer-encoding: chunked",
        b"x: y\r\n transfer-encoding: chunked", b"transfer-encoding\x00: chunked", b"transfer-encoding: chunked\x00",
        b"transfer_encoding: chunked\r\ntransfer-encoding\x0b: chunked", b"x: y\rtransfer-encoding: chunked",
        b"transfer-encoding: \x0bchunked", b"transfer-encoding: \r\n chunked", b"transfer-encoding\xa0: chunked",
        b"\xefbb\xbftransfer-encoding: chunked", b"transfer-encoding\r\n: chunked",
    ]:
        yield row(
            f"broken field {spelling!r}", POST + spelling + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, (BAD | NOT_ALLOWED,),
            CLOSED,
        )
    for coding in [
        b"identity", b"gzip", b"chunked, identity", b"gzip, chunked", b"xchunked", b"chunkedx", b'"chunked"',
        b"'chunked'",
        b"chunked;q=1", b"chunked, chunked", b",chunked", b"chunked,", b"", b"ch\xfcnked",
        b"identity\r\ntransfer-encoding: chunked",
        b"chunked\r\ntransfer-encoding: identity", b"chunked\r\ntransfer-encoding: chunked",
    ]:
        payload = POST + b"content-length: 5\r\ntransfer-encoding: " + coding + b"\r\n\r\n0\r\n\r\n" + SMUGGLED
        yield row(f"coding {coding!r}", payload, (BAD | NOT_ALLOWED,), CLOSED)
    for length in [
        b"+5", b"-5", b"5 5", b"5, 5", b"5,6", b"0x5", b"5.0", b"5e0", b"", b" ", b"\xb2", b"05x",
        b"18446744073709551616",
        b"99999999999999999999999999", b"9223372036854775808", b"5\r\ncontent-length: 6", b"6\r\ncontent-length: 5",
        b"5;",
        b"5\r\nContent-Length: +5", b"\x0b5", b"0\r\ncontent-length: 5",
    ]:
        yield row(
            f"length {length!r}", POST + b"content-length: " + length + b"\r\n\r\nevil!" + SMUGGLED,
            (BAD | NOT_ALLOWED | {413},), CLOSED,
        )
    yield row(
        "no length, but one with an underscore", GET + b"content_length: 5\r\n\r\nevil!", (OK, BAD | NOT_ALLOWED),
        EATEN,
    )
    for name in [b"content-length ", b" content-length", b"content-length\x00", b"content-\r\n length"]:
        yield row(f"length's name {name!r}", GET + name + b": 5\r\n\r\nevil!", (OK | BAD, BAD), CLOSED)
    # --- Bodies where none is of use.
    yield row("GET with a body", GET + b"content-length: 5\r\n\r\nevil!", after=EITHER)
    yield row("GET with a request as its body", GET + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)
    yield row("HEAD with a body", GET.replace(b"GET", b"HEAD") + b"content-length: 5\r\n\r\nevil!", method="HEAD")
    yield row("GET with a chunked body", GET + CHUNKED + b"\r\n5\r\nevil!\r\n0\r\n\r\n")
    yield row("POST with a chunked body", POST + CHUNKED + b"\r\n5\r\nevil!\r\n0\r\n\r\n", (NOT_ALLOWED,))
    yield row("GET with half a body", GET + b"content-length: 5000\r\n\r\nevil!", after=CLOSED)
    yield row("PUT", b"PUT /TAG-a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nevil!", (NOT_ALLOWED,))
    yield row(
        "PUT, Expect",
        b"PUT /TAG-a HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nevil!",
        (NOT_ALLOWED | {417},),
    )
    for begin, due in [(GET, OK), (POST, NOT_ALLOWED), (GET.replace(b"-a", b"-a/.."), NO)]:
        name = begin.split(b" HTTP")[0].decode()
        yield row(
            f"{name}, Expect, a request as its body",
            begin + EXPECT + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, (due | {417},),
        )
        yield row(
            f"{name}, Expect, a request in a chunk",
            begin + EXPECT + CHUNKED + b"\r\n%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n", (due | {417},),
        )
    yield row("GET, another expectation", GET + b"expect: 200-evil\r\n\r\n", (OK | {417},))
    # --- Chunks.
    for chunk in [
        b"5;evil=evil\r\nevil!\r\n0\r\n\r\n", b'5;evil="\r\n"\r\nevil!\r\n0\r\n\r\n', b"5 ; evil\r\nevil!\r\n0\r\n\r\n",
        b"00000000005\r\nevil!\r\n0\r\n\r\n", b"5\nevil!\n0\n\n", b"5\revil!\r0\r\r", b"0x5\r\nevil!\r\n0\r\n\r\n",
        b"-5\r\nevil!\r\n0\r\n\r\n", b"+5\r\nevil!\r\n0\r\n\r\n", b" 5\r\nevil!\r\n0\r\n\r\n",
        b"5_\r\nevil!\r\n0\r\n\r\n",
        b"5\r\nevil!evil\r\n0\r\n\r\n", b"5\r\nevil!0\r\n\r\n", b"ffffffffffffffff\r\nevil!",
        b"fffffffffffffffff\r\nevil!",
        b"10000000000000005\r\nevil!\r\n0\r\n\r\n", b"7fffffffffffffff\r\nevil!", b"\r\n5\r\nevil!\r\n0\r\n\r\n",
        b"0\r\nevil: evil\r\ncontent-length: 5\r\nhost: evil\r\n\r\n", b"0\r\nevil\r\n\r\n",
        b"0\r\n" + b"e: " + b"evil" * 9000 + b"\r\n\r\n",
        b"5;" + b"e" * 70000 + b"\r\nevil!\r\n0\r\n\r\n", b"5\r\nevil!\r\n0;\n\r\n",
    ]:
        yield row(
            f"chunk {chunk[:40]!r}, POST", POST + CHUNKED + b"\r\n" + chunk + SMUGGLED, (NOT_ALLOWED | BAD, OK | BAD),
            EITHER,
        )
        yield row(f"chunk {chunk[:40]!r}, GET", GET + CHUNKED + b"\r\n" + chunk, (OK | BAD, BAD), EITHER)
    # --- Lines.
    for name, payload in [
        ("obs-fold", GET + b"x-a: 1\r\n evil\r\n\r\n"),
        ("obs-fold, tab", GET + b"x-a: 1\r\n\tx-amz-evil: evil\r\n\r\n"),
        ("fold at the first field", b"GET /TAG-a HTTP/1.1\r\n host: localhost\r\n\r\n"),
        ("bare CR in a value", GET + b"x-a: 1\rx-evil: evil\r\n\r\n"),
        ("NUL in a value", GET + b"x-a: 1\x00evil\r\n\r\n"),
        ("NUL in a name", GET + b"x\x00a: evil\r\n\r\n"),
        ("NUL in the target", b"GET /TAG-a\x00evil HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("CR in the target", b"GET /TAG-a\revil HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("space in the target", b"GET /TAG-a evil HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("tab in the target", b"GET /TAG-a\tevil HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("two spaces", b"GET  /TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("space before the name's colon", GET + b"x-a : evil\r\n\r\n"), ("no colon", GET + b"x-evil\r\n\r\n"),
        ("no name", GET + b": evil\r\n\r\n"),
        ("control bytes", GET + b"x-a: \x01\x02\x7f evil\r\n\r\n"),
        ("a method of NUL", b"G\x00T /TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("no target", b"GET HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("no version", b"GET /TAG-a\r\nhost: localhost\r\n\r\n"),
        ("a lower-case version", b"GET /TAG-a http/1.1\r\nhost: localhost\r\n\r\n"),
        ("HTTP/1.2", b"GET /TAG-a HTTP/1.2\r\nhost: localhost\r\n\r\n"),
        ("HTTP/2.0", b"GET /TAG-a HTTP/2.0\r\nhost: localhost\r\n\r\n"),
        ("HTTP/11.1", b"GET /TAG-a HTTP/11.1\r\nhost: localhost\r\n\r\n"),
        ("HTTP/1.1 and more", b"GET /TAG-a HTTP/1.1 evil\r\nhost: localhost\r\n\r\n"),
        ("binary", bytes(range(128, 256)) + b"\r\n\r\n"),
        ("a TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(200)),
    ]:
        yield row(name, payload, (BAD | {505} | (OK if "control" in name else set()),), CLOSED)
    yield row("bare LF", b"GET /TAG-a HTTP/1.1\nhost: localhost\n\n", (OK | BAD,))
    yield row("LF in a value", GET + b"x-a: 1\nx-evil: evil\r\n\r\n", (OK | BAD,))
    yield row("empty lines first", b"\r\n\r\n" + GET + b"\r\n", after=SYNC)
    yield row("LFs first", b"\n\n" + GET + b"\r\n", (OK | BAD,))
    yield row("obs-text", GET + b"x-a: \xff\xfe\r\n\r\n", after=SYNC)
    yield row("300 fields", GET + b"".join(b"x-%d: evil\r\n" % n for n in range(300)) + b"\r\n", ({400, 431},), CLOSED)
    yield row("a field of 2 MB", GET + b"x-a: " + b"e" * 2_000_000 + b"\r\n\r\n", ({400, 431},), CLOSED)
    yield row(
        "a target of 70 KB", b"GET /TAG-" + b"e" * 70_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ({400, 404, 414, 431},),
    )
    yield row("a method of 2 KB", b"E" * 2000 + b" /TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n", ({400, 405, 414},))
    # --- Forms of the target.
    yield row("absolute form", b"GET http://localhost/TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n", after=SYNC)
    yield row(
        "absolute form of another host", b"GET http://evil.example/TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n",
        after=SYNC,
    )
    yield row(
        "absolute form, https", b"GET https://evil.example:444/TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n", after=SYNC,
    )
    yield row("userinfo", b"GET http://evil:evil@localhost/TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n", (OK | BAD,))
    for target in [
        b"http://169.254.169.254/latest/TAG", b"//evil.example/TAG-a", b"///TAG-a", b"http:///TAG-a",
        b"ftp://evil/TAG-a", b"file:///TAG-a", b"*", b"evil",
        b"TAG-a", b"http://", b"http:/TAG-a", b"/http://evil/TAG-a", b"/@evil.example/TAG-a", b"/TAG-a#evil",
        b"/TAG-a%0d%0ahost:%20evil",
        b"/TAG-a?%0d%0ahost:%20evil", b"/TAG-a%0d%0a%0d%0aGET%20/TAG-smuggled", b"/TAG-a%20HTTP/1.1%0d%0ax-evil:",
        b"/TAG-a?response-content-type=text/evil",
        b"/TAG-a?versionId=evil", b"/TAG-a?uploads", b"/TAG-a?x-id=DeleteObject", b"/?list-type=2&TAG", b"/?TAG",
        b"/TAG-a?X-Amz-Signature=evil", b"?TAG",
        b"/TAG-a?acl&evil", b"/TAG-%C0%AEa", b"/TAG-%00", b"/TAG/../evil", b"/TAG-%u002e", b"/TAG-\xff",
        b"/TAG-\xc3\xbc", b"/TAG-\"<>\\^`{|}",
    ]:
        yield row(f"target {target!r}", b"GET " + target + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", (OK | NO,))
    # --- Methods and protocols.
    yield row("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n", (NOT_ALLOWED | NO,))
    yield row("CONNECT, a path", b"CONNECT /TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n", (NOT_ALLOWED | NO,))
    yield row(
        "CONNECT, a request behind", b"CONNECT evil:1 HTTP/1.1\r\nhost: evil:1\r\n\r\n" + SMUGGLED,
        (NOT_ALLOWED | NO, OK),
    )
    yield row("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n", (NO | NOT_ALLOWED | {200, 204},), SYNC)
    for method in [
        b"DELETE", b"PATCH", b"PROPFIND", b"TRACE", b"get", b"GETS", b"PRI", b"QUERY", b"COPY", b"M-SEARCH", b"EVIL",
    ]:
        yield row(
            f"method {method.decode()}", method + b" /TAG-a HTTP/1.1\r\nhost: localhost\r\n\r\n", (NOT_ALLOWED | BAD,),
        )
    yield row(
        "h2c upgrade",
        GET + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
        after=SYNC,
    )
    yield row(
        "websocket",
        GET + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ZXZpbGV2aWxldmlsZXZpbA==\r\nsec-websocket-version: 13\r\n\r\n",
        after=SYNC,
    )
    yield row(
        "h2c upgrade, a request behind",
        GET + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n" + GET.replace(b"-a", b"-b") + b"\r\n", (OK, OK), SYNC,
    )
    for cut in [
        b"PRI * HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"PRI * HTTP/1.1\r\nhost: localhost\r\n\r\n", b"PRI /TAG-a HTTP/2.0\r\n\r\n",
    ]:
        yield row(f"preface {cut!r}", cut, (BAD | {405, 505} | NO,))
    yield row("HTTP/0.9", b"GET /TAG-a\r\n", (BAD,), CLOSED)
    yield row("HTTP/0.9, a blank line", b"GET /TAG-a\r\n\r\n", (BAD,), CLOSED)
    yield row("HTTP/1.0", b"GET /TAG-a HTTP/1.0\r\n\r\n", after=CLOSED)
    yield row("HTTP/1.0, keep-alive", b"GET /TAG-a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", after=SYNC)
    yield row(
        "HTTP/1.0, chunked",
        b"POST /TAG-a HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        (BAD | NOT_ALLOWED,), CLOSED,
    )
    # --- Fields that S3 would obey, or a hop.
    for names in [
        b"host", b"x-amz-date", b"authorization", b"x-amz-content-sha256", b"range", b"if-match", b"close, x-amz-date",
        b"content-length", b"transfer-encoding", b"keep-alive, evil",
    ]:
        yield row(
            f"Connection: {names.decode()}", GET + b"range: bytes=0-\r\nconnection: " + names + b"\r\n\r\n",
            (OK | {206},),
        )
    for field in [
        b"authorization: AWS4-HMAC-SHA256 evil", b"x-amz-date: evil", b"x-amz-security-token: evil",
        b"x-amz-content-sha256: evil",
        b"x-amz-copy-source: /evil/evil", b"x-amz-request-payer: evil", b"x-amz-expected-bucket-owner: evil",
        b"x-amz-checksum-mode: evil",
        b"x-amz-server-side-encryption-customer-key: evil", b"x-amz-evil: evil", b"cookie: evil=evil",
        b"x-forwarded-for: evil", b"x-forwarded-host: evil",
        b"forwarded: for=evil", b"via: 1.1 evil", b"te: trailers, evil", b"trailer: evil", b"proxy-authorization: evil",
        b"proxy-connection: evil",
        b"keep-alive: evil", b"referer: http://evil/", b"origin: http://evil", b"user-agent: evil",
        b"accept-encoding: evil", b"x-http-method-override: DELETE evil",
        b"x-original-url: /evil", b"x-rewrite-url: /evil", b"content-type: evil", b"content-md5: evil", b"date: evil",
        b"expect: evil", b"max-forwards: evil",
        b"range: evil=0-1", b"range: bytes=0-1, evil", b"if-range: evil", b'if-match: "evil', b"if-none-match: evil",
        b"if-modified-since: evil", b"if-unmodified-since: evil",
        b"range: bytes=0-\r\nrange: evil", b"x-amz-meta-evil: evil", b"amz-sdk-request: evil",
    ]:
        yield row(field.decode().split("\r")[0], GET + field + b"\r\n\r\n", (OK | {206, 304, 400, 412, 417},), SYNC)
    # --- Host: none, two, or a malformed one (RFC 9112 §3.2).
    sound = BAD
    for name, fields in [
        ("none", b""), ("empty", b"host:\r\n"), ("two", b"host: localhost\r\nhost: evil\r\n"),
        ("two, the same", b"host: localhost\r\nHost: localhost\r\n"),
        ("space", b"host: a b\r\n"), ("a path", b"host: a b/c\r\n"), ("slash", b"host: evil/TAG\r\n"),
        ("userinfo", b"host: evil@localhost\r\n"),
        ("query", b"host: localhost?evil\r\n"), ("port", b"host: localhost:evil\r\n"),
        ("port, too large", b"host: localhost:99999\r\n"), ("list", b"host: localhost, evil\r\n"),
        ("bytes", b"host: \xff\xfe\r\n"), ("bracket", b"host: [::1\r\n"), ("backslash", b"host: localhost\\evil\r\n"),
    ]:
        # These two the grammar allows; the others break it.
        due = OK | BAD if name in ("empty", "port, too large") else sound
        yield row(f"Host: {name}", b"GET /TAG-a HTTP/1.1\r\n" + fields + b"\r\n", (due,))
    # --- One after the other.
    two = GET + b"\r\n" + GET.replace(b"-a", b"-b") + b"\r\n"
    yield row("two in one packet", two, (OK, OK), SYNC)
    yield row(
        "twenty in one packet", b"".join(GET.replace(b"-a", b"-%d" % n) + b"\r\n" for n in range(20)), (OK,) * 20, SYNC,
    )
    yield row(
        "POST, then GET", POST + b"content-length: 0\r\n\r\n" + GET.replace(b"-a", b"-b") + b"\r\n", (NOT_ALLOWED, OK),
        SYNC,
    )
    yield row("close, then a request", GET + b"connection: close\r\n\r\n" + SMUGGLED, after=CLOSED)
    yield row("404, then GET", b"GET /.. HTTP/1.1\r\nhost: localhost\r\n\r\n" + GET + b"\r\n", (NO, OK), SYNC)
    yield row("200, then junk", GET + b"\r\nevil\r\n\r\n", (OK, BAD), CLOSED)
    yield row(
        "a request in a body, a byte too many", POST + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + b"X",
        (NOT_ALLOWED, NOT_ALLOWED | BAD), EATEN,
    )
    yield row("half a head", b"GET /TAG-a HTTP/1.1\r\nx-a: ", (OK,), EATEN)
