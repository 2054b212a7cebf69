//! S3's content coding `aws-chunked`, with a checksum behind the body ([S3 API, "Signature calculations including trailing
//! headers"](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html)).
//!
//! What travels without TLS can be changed on its way, and the signature covers no byte of it: so S3 compares this checksum
//! before there is an object.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use aws_smithy_checksums::{ChecksumAlgorithm, http::HttpChecksum};
use aws_smithy_types::base64;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};

use super::Upload;
use crate::error::BoxError;

/// A body of known length, as one chunk with its CRC-32 behind it.
pub(super) struct AwsChunked {
    body: Upload,
    crc: Box<dyn HttpChecksum>,
    step: Step,
    /// Of the coded body, in bytes.
    left: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The size of the chunk.
    Size(u64),
    /// So many bytes of the body.
    Data(u64),
    Checksum,
    End,
}

/// The body is shorter or longer than was announced.
#[derive(Debug)]
struct OtherLength;

/// The value of `x-amz-content-sha256`.
pub(super) const TRAILER_PAYLOAD: HeaderValue =
    HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
/// The value of `Content-Encoding`, before the object's own.
pub(super) const CODING: &str = "aws-chunked";
pub(super) const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
pub(super) const TRAILER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-amz-trailer"), HeaderValue::from_static("x-amz-checksum-crc32"));

/// The last chunk, and the field behind it with four bytes in Base64.
const BEHIND: usize = "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".len();

// === impl AwsChunked ===

impl AwsChunked {
    /// Of a body of this length.
    pub(super) fn new(body: Upload, length: u64) -> Self {
        let (step, before) = match length {
            0 => (Step::Checksum, 0),
            // And the end of the chunk.
            length => (Step::Size(length), size_line(length).len() + 2),
        };
        let left = length.saturating_add((before + BEHIND) as u64);
        Self { body, crc: ChecksumAlgorithm::Crc32.into_impl(), step, left }
    }

    fn checksum(&mut self, before: &str) -> Bytes {
        let crc = std::mem::replace(&mut self.crc, ChecksumAlgorithm::Crc32.into_impl());
        let text = base64::encode(crc.finalize());
        Bytes::from(format!("{before}0\r\nx-amz-checksum-crc32:{text}\r\n\r\n"))
    }
}

fn size_line(length: u64) -> String {
    format!("{length:x}\r\n")
}

impl Body for AwsChunked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let bytes = match this.step {
            Step::Size(length) => {
                this.step = Step::Data(length);
                Bytes::from(size_line(length))
            }
            Step::Data(0) => {
                this.step = Step::End;
                this.checksum("\r\n")
            }
            Step::Checksum => {
                this.step = Step::End;
                this.checksum("")
            }
            Step::Data(left) => {
                let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => frame,
                    Some(Err(why)) => return Poll::Ready(Some(Err(why))),
                    None => return Poll::Ready(Some(Err(OtherLength.into()))),
                };
                // A client's trailer fields are of no use to S3.
                let data = frame.into_data().unwrap_or_default();
                let Some(left) = left.checked_sub(data.len() as u64) else {
                    return Poll::Ready(Some(Err(OtherLength.into())));
                };
                this.crc.update(&data);
                this.step = Step::Data(left);
                data
            }
            Step::End => return Poll::Ready(None),
        };
        this.left = this.left.saturating_sub(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.step == Step::End
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl std::fmt::Display for OtherLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body has another length than was announced")
    }
}

impl std::error::Error for OtherLength {}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;

    use super::*;

    /// A body in pieces, which does not tell its length.
    struct Pieces(VecDeque<&'static str>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let piece = self.0.pop_front();
            Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }
    }

    async fn coded(pieces: &[&'static str], length: u64) -> Result<String, String> {
        let upload = Upload::new(Pieces(pieces.iter().copied().collect()));
        let body = AwsChunked::new(upload, length);
        let told = body.size_hint().exact().unwrap();
        let bytes = body.collect().await.map_err(|why| why.to_string())?.to_bytes();
        assert_eq!(told, bytes.len() as u64);
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_body_is_one_chunk_with_its_checksum_behind() {
        // The check value of CRC-32 is cbf43926.
        let expected = "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
        for pieces in [&["123456789"][..], &["12", "", "3456789"]] {
            assert_eq!(coded(pieces, 9).await.unwrap(), expected);
        }
        assert_eq!(coded(&[], 0).await.unwrap(), "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
        let long = coded(&["0123456789abcdef"], 16).await.unwrap();
        assert!(long.starts_with("10\r\n0123456789abcdef\r\n0\r\n"), "{long}");
    }

    #[tokio::test]
    async fn a_body_of_another_length_has_no_end() {
        for (pieces, length) in [(&["1234"][..], 9), (&["12345", "6789", "x"], 9), (&[], 1)] {
            let outcome = coded(pieces, length).await;
            match pieces.len() {
                // What is behind the end is never asked for.
                3 => assert!(outcome.unwrap().contains("y/Q5Jg==")),
                _ => assert!(outcome.unwrap_err().contains("another length"), "{pieces:?}"),
            }
        }
        assert!(coded(&["1234567890"], 9).await.unwrap_err().contains("another length"));
    }
}
