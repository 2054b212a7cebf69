//! The body of an upload, whose end goes on to S3 only when all of it was right: S3 then never has all of one that was not.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use http_body::{Body, Frame, SizeHint};
use s3s::{
    S3Error, S3ErrorCode, TrailingHeaders,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
    header::{
        X_AMZ_CHECKSUM_CRC32, X_AMZ_CHECKSUM_CRC32C, X_AMZ_CHECKSUM_CRC64NVME, X_AMZ_CHECKSUM_SHA1,
        X_AMZ_CHECKSUM_SHA256,
    },
};

use crate::error::BoxError;

/// A body that checks itself as it passes.
pub(super) struct CheckedBody {
    inner: s3s::Body,
    /// The last piece, which waits for the one behind it, or for the end.
    held: Option<Bytes>,
    /// In bytes: what has yet to come.
    missing: u64,
    /// In bytes: what has yet to go on.
    left: u64,
    hasher: ChecksumHasher,
    md5: Option<Md5>,
    expected: Expected,
    is_over: bool,
    course: Arc<Course>,
}

/// What the client says of the body.
#[derive(Default)]
pub(super) struct Expected {
    /// By the fields of the request: algorithm and digest in Base64.
    sums: Vec<(HeaderName, String)>,
    /// The field in the trailer section that will have one.
    trailer: Option<HeaderName>,
    trailers: Option<TrailingHeaders>,
    md5: Option<String>,
}

/// How it went, for whoever sends the body.
#[derive(Default)]
pub(super) struct Course {
    fault: OnceLock<BodyFault>,
    waits_for_client: AtomicBool,
}

/// Why a body is not the one that its request announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// It ended too early, or was broken off.
    Incomplete,
    /// It is longer than it should be.
    TooLong,
    /// A digest is of another body.
    Digest,
    /// The SHA-256 that was signed is of another body.
    Signed,
    /// A piece has another signature.
    Signature,
}

// === impl CheckedBody ===

impl CheckedBody {
    pub(super) fn new(inner: s3s::Body, length: u64, expected: Expected) -> Self {
        let mut hasher = ChecksumHasher::default();
        for name in expected.sums.iter().map(|(name, _)| name).chain(&expected.trailer) {
            match name {
                name if *name == X_AMZ_CHECKSUM_CRC32 => hasher.crc32 = Some(Crc32::new()),
                name if *name == X_AMZ_CHECKSUM_CRC32C => hasher.crc32c = Some(Crc32c::new()),
                name if *name == X_AMZ_CHECKSUM_CRC64NVME => hasher.crc64nvme = Some(Crc64Nvme::new()),
                name if *name == X_AMZ_CHECKSUM_SHA1 => hasher.sha1 = Some(Sha1::new()),
                name if *name == X_AMZ_CHECKSUM_SHA256 => hasher.sha256 = Some(Sha256::new()),
                _ => {}
            }
        }
        let md5 = expected.md5.is_some().then(Md5::new);
        Self {
            inner,
            held: None,
            missing: length,
            left: length,
            hasher,
            md5,
            expected,
            is_over: false,
            course: Arc::default(),
        }
    }

    pub(super) fn course(&self) -> Arc<Course> {
        Arc::clone(&self.course)
    }

    fn take(&mut self, data: &Bytes) -> Result<(), BodyFault> {
        let length = data.len() as u64;
        self.missing = self.missing.checked_sub(length).ok_or(BodyFault::TooLong)?;
        self.hasher.update(data);
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        Ok(())
    }

    /// At the end of the client's body.
    fn check(&mut self) -> Result<(), BodyFault> {
        if self.missing > 0 {
            return Err(BodyFault::Incomplete);
        }
        let sums = std::mem::take(&mut self.hasher).finalize();
        let of = |name: &HeaderName| match name {
            name if *name == X_AMZ_CHECKSUM_CRC32 => sums.checksum_crc32.clone(),
            name if *name == X_AMZ_CHECKSUM_CRC32C => sums.checksum_crc32c.clone(),
            name if *name == X_AMZ_CHECKSUM_CRC64NVME => sums.checksum_crc64nvme.clone(),
            name if *name == X_AMZ_CHECKSUM_SHA1 => sums.checksum_sha1.clone(),
            name if *name == X_AMZ_CHECKSUM_SHA256 => sums.checksum_sha256.clone(),
            _ => None,
        };
        let Expected { sums: told, trailer, trailers, md5 } = &self.expected;
        if told.iter().any(|(name, sum)| of(name).as_ref() != Some(sum)) {
            return Err(BodyFault::Digest);
        }
        if let Some(name) = trailer {
            let told = |fields: &HeaderMap| fields.get(name)?.to_str().ok().map(str::to_owned);
            let told = trailers.as_ref().and_then(|trailers| trailers.read(told).flatten());
            // The trailer section is the last of a body: without it, the rest was cut off.
            match told {
                None => return Err(BodyFault::Incomplete),
                told if told != of(name) => return Err(BodyFault::Digest),
                Some(_) => {}
            }
        }
        let sum = self.md5.take().map(|md5| aws_smithy_types::base64::encode(md5.finalize()));
        if sum == *md5 { Ok(()) } else { Err(BodyFault::Digest) }
    }

    fn fail(&mut self, fault: BodyFault) -> BoxError {
        self.held = None;
        self.is_over = true;
        let _ = self.course.fault.set(fault);
        fault.message().into()
    }

    fn pass(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.left = self.left.saturating_sub(data.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Body for CheckedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        while !this.is_over {
            let polled = Pin::new(&mut this.inner).poll_frame(cx);
            this.course.waits_for_client.store(polled.is_pending(), Relaxed);
            match ready!(polled) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if data.is_empty() {
                        continue;
                    }
                    if let Err(fault) = this.take(&data) {
                        return Poll::Ready(Some(Err(this.fail(fault))));
                    }
                    if let Some(before) = this.held.replace(data) {
                        return this.pass(before);
                    }
                }
                Some(Err(why)) => {
                    let fault = BodyFault::of(&why);
                    return Poll::Ready(Some(Err(this.fail(fault))));
                }
                None => {
                    this.is_over = true;
                    if let Err(fault) = this.check() {
                        return Poll::Ready(Some(Err(this.fail(fault))));
                    }
                    if let Some(last) = this.held.take() {
                        return this.pass(last);
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

// === impl Expected ===

impl Expected {
    pub(super) fn new(headers: &HeaderMap, trailers: Option<TrailingHeaders>) -> Self {
        let text = |name: &HeaderName| super::fields::text(headers, name);
        let sums = CHECKSUMS.iter().filter_map(|name| Some((name.clone(), text(name)?))).collect();
        let announced = text(&TRAILER);
        let trailer = CHECKSUMS.into_iter().find(|name| {
            announced.as_ref().is_some_and(|told| {
                told.split(',').any(|told| told.trim().eq_ignore_ascii_case(name.as_str()))
            })
        });
        Self { sums, trailer, trailers, md5: text(&CONTENT_MD5) }
    }
}

const CHECKSUMS: [HeaderName; 5] = [
    X_AMZ_CHECKSUM_CRC32,
    X_AMZ_CHECKSUM_CRC32C,
    X_AMZ_CHECKSUM_CRC64NVME,
    X_AMZ_CHECKSUM_SHA1,
    X_AMZ_CHECKSUM_SHA256,
];
const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

// === impl Course ===

impl Course {
    /// What was wrong with the body, if it is what went wrong.
    pub(super) fn fault(&self) -> Option<S3Error> {
        if let Some(fault) = self.fault.get() {
            return Some(fault.to_error());
        }
        let waits = self.waits_for_client.load(Relaxed);
        waits.then(|| S3Error::with_message(S3ErrorCode::RequestTimeout, "the rest of the body did not come"))
    }
}

// === impl BodyFault ===

impl BodyFault {
    /// The errors of `s3s` have no types of their own.
    fn of(why: &BoxError) -> Self {
        let why = why.to_string();
        match () {
            () if why.contains("Sha256Mismatch") => Self::Signed,
            () if why.contains("SignatureMismatch") => Self::Signature,
            () if why.contains("LengthMismatch") => Self::TooLong,
            () => Self::Incomplete,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Incomplete => "the body is shorter than the request says",
            Self::TooLong => "the body is longer than the request says",
            Self::Digest => "the body is not the one that its digest is of",
            Self::Signed => "the body is not the one that was signed",
            Self::Signature => "the signature of a piece of the body is another",
        }
    }

    fn to_error(self) -> S3Error {
        let code = match self {
            Self::Incomplete | Self::TooLong => S3ErrorCode::IncompleteBody,
            Self::Digest => S3ErrorCode::BadDigest,
            Self::Signed => {
                S3ErrorCode::from_bytes(b"XAmzContentSHA256Mismatch").unwrap_or(S3ErrorCode::BadDigest)
            }
            Self::Signature => S3ErrorCode::SignatureDoesNotMatch,
        };
        let mut error = S3Error::with_message(code, self.message());
        if self == Self::Signed {
            // `s3s` does not know the code, and so no status for it.
            error.set_status_code(StatusCode::BAD_REQUEST);
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::HeaderValue;
    use http_body_util::BodyExt;

    use super::*;

    /// A client's body, in these pieces.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }
    }

    /// What goes on of a body, and its fault.
    async fn passed(
        pieces: &[&'static str],
        length: u64,
        field: Option<(&'static str, &'static str)>,
    ) -> (String, Option<BodyFault>) {
        let pieces = Pieces(pieces.iter().map(|piece| Bytes::from(*piece)).collect());
        let field =
            field.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let expected = Expected::new(&field.into_iter().collect(), None);
        let mut body = CheckedBody::new(s3s::Body::http_body_unsync(pieces), length, expected);
        let (course, mut passed) = (body.course(), String::new());
        while let Some(Ok(frame)) = body.frame().await {
            passed.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        (passed, course.fault.get().copied())
    }

    #[tokio::test]
    async fn the_end_goes_on_only_if_all_of_the_body_is_right() {
        const MD5: &str = "content-md5";
        const CRC: &str = "x-amz-checksum-crc32";
        const SHA: &str = "x-amz-checksum-sha256";
        const ABC: &str = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        for (pieces, length, field, whole, fault) in [
            (&["abc"][..], 3, None, true, None),
            (&["a", "", "b", "c"], 3, None, true, None),
            (&["a", "bc"], 3, Some((CRC, "NSRBwg==")), true, None),
            (&["a", "bc"], 3, Some((SHA, ABC)), true, None),
            (&["a", "bc"], 3, Some((MD5, "kAFQmDzST7DWlj99KOF/cg==")), true, None),
            (&[], 0, None, true, None),
            (&[], 0, Some((CRC, "AAAAAA==")), true, None),
            (&[], 0, Some((CRC, "NSRBwg==")), false, Some(BodyFault::Digest)),
            (&["abd"], 3, Some((CRC, "NSRBwg==")), false, Some(BodyFault::Digest)),
            (&["a", "bd"], 3, Some((SHA, ABC)), false, Some(BodyFault::Digest)),
            (&["a", "bd"], 3, Some((MD5, "kAFQmDzST7DWlj99KOF/cg==")), false, Some(BodyFault::Digest)),
            (&["a", "b"], 3, None, false, Some(BodyFault::Incomplete)),
            (&[], 3, None, false, Some(BodyFault::Incomplete)),
            (&["ab", "cd"], 3, None, false, Some(BodyFault::TooLong)),
            (&["abc"], 3, Some(("x-amz-trailer", CRC)), false, Some(BodyFault::Incomplete)),
        ] {
            let (passed, told) = passed(pieces, length, field).await;
            assert_eq!(told, fault, "{pieces:?} {field:?}");
            let row = format!("{pieces:?} {field:?}: {passed}");
            assert_eq!(passed.len() as u64 == length && fault.is_none(), whole, "{row}");
            // S3 waits for the rest, and has no object without it.
            assert!(whole || passed.len() < 3, "{row}");
        }
    }
}
