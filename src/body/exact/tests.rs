use std::{pin::Pin, sync::Mutex, task::Waker};

use aws_smithy_types::body::SdkBody;
use http::HeaderMap;
use http_body::Body;

use super::*;

/// What S3 sends: bytes, a failure, or trailers.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Bytes(&'static str),
    Break,
    Trailers,
}

struct Frames(std::vec::IntoIter<Sent>);

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.next().map(|sent| match sent {
            Sent::Bytes(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
            Sent::Break => Err("reset".into()),
            Sent::Trailers => Ok(Frame::trailers(HeaderMap::new())),
        }))
    }
}

fn body(sent: &[Sent], skip: u64, length: u64, end: End) -> ExactBody {
    let frames = Frames(Vec::from(sent).into_iter());
    ExactBody::new(WireBody::from(SdkBody::from_body_1_x(frames)), skip, length, end)
}

fn poll(body: &mut ExactBody) -> Option<Result<String, String>> {
    match body.poll_frame(Pace::Full, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame.map(|frame| match frame {
            Ok(frame) => Ok(str::from_utf8(&frame.into_data().unwrap()).unwrap().to_owned()),
            Err(error) => Err(error.to_string()),
        }),
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_body_has_the_bytes_that_were_promised_or_ends_in_an_error() {
    use Sent::{Break, Bytes, Trailers};
    let early = "the origin ended the object 2 bytes early";
    let more = "the origin sent more than the requested part";
    for (sent, skip, length, end, expected, error) in [
        (&[Bytes("abc"), Bytes("def")][..], 0, 6, End::Told, "abcdef", None),
        (&[Bytes("abc"), Bytes("def"), Trailers], 0, 6, End::Told, "abcdef", None),
        (&[Bytes(""), Bytes("abc")], 0, 3, End::Told, "abc", None),
        (&[Bytes("abcd")], 0, 6, End::Told, "abcd", Some(early)),
        (&[Bytes("abcd"), Break], 0, 6, End::Told, "abcd", Some("reset")),
        (&[], 0, 0, End::Told, "", None),
        // The rest is dropped, if that was said beforehand.
        (&[Bytes("abcdef")], 0, 4, End::Told, "abcd", None),
        (&[Bytes("abcd"), Break], 0, 4, End::Told, "abcd", None),
        // A part is cut out.
        (&[Bytes("abc"), Bytes("def")], 2, 3, End::Told, "cde", None),
        (&[Bytes("a"), Bytes("bc"), Bytes("def")], 3, 2, End::Told, "de", None),
        (&[Bytes("abc")], 2, 3, End::Told, "c", Some(early)),
        // The end shows whether it is the part.
        (&[Bytes("abc"), Bytes("def")], 0, 6, End::Awaited, "abcdef", None),
        (&[Bytes("abcdef"), Bytes("")], 0, 6, End::Awaited, "abcdef", None),
        (&[Bytes("abc"), Bytes("def"), Bytes("g")], 0, 6, End::Awaited, "abc", Some(more)),
        (&[Bytes("abcdefg")], 0, 6, End::Awaited, "", Some(more)),
        (&[Bytes("abcd")], 0, 6, End::Awaited, "abcd", Some(early)),
        (&[Bytes("abcdef"), Break], 0, 6, End::Awaited, "", Some("reset")),
    ] {
        let mut body = body(sent, skip, length, end);
        let mut got = String::new();
        let ended = loop {
            match poll(&mut body) {
                Some(Ok(text)) => got += &text,
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        let row = format!("{sent:?} {skip} {length} {end:?}");
        assert_eq!((&*got, ended.as_deref()), (expected, error), "{row}");
        assert_eq!(body.remaining(), 0, "{row}");
        assert_eq!(poll(&mut body), None, "nothing follows the end: {row}");
    }
}

#[test]
fn nothing_comes_behind_an_error_though_the_origin_goes_on() {
    let mut body = body(&[Sent::Bytes("ab"), Sent::Break, Sent::Bytes("cd")], 0, 4, End::Told);
    assert_eq!(poll(&mut body), Some(Ok("ab".to_owned())));
    assert_eq!(poll(&mut body), Some(Err("reset".to_owned())));
    assert_eq!((body.remaining(), poll(&mut body)), (0, None));
}

/// Has the rest, and a byte too many.
#[derive(Default)]
struct Surplus {
    asked: Mutex<Vec<ByteRange>>,
    broken: Mutex<Vec<(u64, u32)>>,
}

impl Reopen for Surplus {
    fn reopen(self: Arc<Self>, rest: Rest) -> PartFuture {
        self.asked.lock().unwrap().push(rest.range);
        Box::pin(async move { Ok(body(&[Sent::Bytes("efg")], 0, rest.range.len(), End::Awaited)) })
    }

    fn broke_off(&self, Broken { at, breaks, why, .. }: Broken) -> BoxError {
        self.broken.lock().unwrap().push((at, breaks));
        why
    }
}

#[test]
fn it_is_told_where_a_body_breaks_off_and_after_how_many_breaks() {
    let more = "the origin sent more than the requested part";
    for (sent, got, asked, broken) in [
        (&[Sent::Bytes("abcdefg")][..], &[][..], None, (10, 1)),
        (&[Sent::Bytes("abcd"), Sent::Break], &["abcd"], ByteRange::new(14, 15), (14, 2)),
    ] {
        let object = Arc::new(Surplus::default());
        let state = State::of(&HeaderMap::new(), 100);
        let mut body = body(sent, 0, 6, End::Awaited).of(Arc::<Surplus>::clone(&object), state, 15);
        for text in got {
            assert_eq!(poll(&mut body), Some(Ok((*text).to_owned())), "{sent:?}");
        }
        assert_eq!(poll(&mut body), Some(Err(more.to_owned())), "{sent:?}");
        assert_eq!(*object.asked.lock().unwrap(), Vec::from_iter(asked), "{sent:?}");
        assert_eq!(*object.broken.lock().unwrap(), [broken], "{sent:?}");
    }
}
