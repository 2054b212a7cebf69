use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{
    Doubt, Fetch,
    deliver::respond,
    from_origin_error,
    part::{PartError, PartReader},
};
use crate::{
    body::{MultipartBody, ObjectBody},
    error::Failure,
    object::{BucketName, Validators},
    origin::{Answer, Asked, Misfit, Refusal, S3ErrorCode, content_length},
    request::{ByteRange, Question, RangeSpec, ReadMethod, Resolved},
    response::{Boundary, Multipart},
};

/// How often an object that changes between two questions is tried.
const ATTEMPTS: u32 = 2;

/// What the client gets of an object whose head is known.
pub(super) enum Share {
    Whole,
    One(ByteRange),
    Several(Multipart),
    Nothing { total: u64 },
}

impl Fetch {
    /// Asks for the object's head, decides by it, and asks for nothing but what the client gets.
    pub(super) async fn look_up(&self, bucket: &BucketName) -> Result<Response<ObjectBody>, Failure> {
        for _ in 0..ATTEMPTS {
            let head = match self.ask(bucket, &Question::head()).await? {
                Answer::Found(answer) if answer.status() == StatusCode::OK => answer.into_parts().0.headers,
                Answer::Found(_) | Answer::NotModified(_) => return Err(Failure::misfit(Misfit::UNASKED)),
                Answer::Refused(refusal) => return Err(self.explained(bucket, refusal).await),
            };
            if let Some(response) = self.without_object(&head)? {
                return Ok(response);
            }
            let shared = match self.share(&head) {
                Share::Whole if content_length(&head) == Some(0) => {
                    return Ok(respond(StatusCode::OK, self.object_fields(&head), ObjectBody::Empty));
                }
                Share::Whole => self.ask_for(bucket, None, &head).await,
                Share::One(range) => self.ask_for(bucket, Some(range), &head).await,
                Share::Several(plan) => self.several(bucket, &head, plan).await,
                Share::Nothing { total } => return Err(Failure::unsatisfiable(total)),
            };
            match shared {
                Ok(response) => return Ok(response),
                Err(Doubt::Settled(failure)) => return Err(*failure),
                Err(Doubt::OtherState | Doubt::Misfit(Misfit::CHANGED)) => {}
                Err(Doubt::Misfit(misfit)) => return Err(Failure::misfit(misfit)),
            }
        }
        Err(Failure::misfit(Misfit::CHANGED))
    }

    /// What the refusal of a HEAD is to a client that asked to GET. A GET's 404 says whether the bucket is missing, too.
    pub(super) async fn explained(&self, bucket: &BucketName, refusal: Refusal) -> Failure {
        let is_explicable = refusal.status == StatusCode::NOT_FOUND && refusal.body.code.is_empty();
        if !is_explicable || self.read.method == ReadMethod::Head {
            return self.refused(bucket, refusal).await;
        }
        match self.ask(bucket, &Question::first_byte()).await {
            Ok(Answer::Refused(refusal)) => self.refused(bucket, refusal).await,
            Ok(Answer::Found(_) | Answer::NotModified(_)) => self.refused(bucket, refusal).await,
            Err(failure) => failure,
        }
    }

    /// The whole object, whatever range was asked for.
    pub(super) async fn whole(&self, bucket: &BucketName) -> Result<Response<ObjectBody>, Failure> {
        match self.ask(bucket, &Question::whole()).await? {
            Answer::Found(answer) => match self.deliver(answer, Asked { range: None, total: None }) {
                Ok(response) => return Ok(response),
                Err(Doubt::Settled(failure)) => return Err(*failure),
                Err(Doubt::OtherState | Doubt::Misfit(_)) => {}
            },
            Answer::NotModified(_) => {}
            Answer::Refused(refusal) => return Err(self.refused(bucket, refusal).await),
        }
        self.look_up(bucket).await
    }

    pub(super) fn share(&self, head: &HeaderMap) -> Share {
        let is_for_it = self.read.if_range.as_ref().is_none_or(|if_range| if_range.fits(head));
        let (Some(ranges), Some(total), true) = (&self.read.ranges, content_length(head), is_for_it) else {
            // Always a right answer (RFC 9110 §14.2).
            return Share::Whole;
        };
        match ranges.resolve(total) {
            Resolved::Whole => Share::Whole,
            Resolved::One(range) => Share::One(range),
            Resolved::Unsatisfiable => Share::Nothing { total },
            Resolved::Several(ranges) => {
                let fields = self.object_fields(head);
                let plan = Multipart::new(ranges, total, fields.get(CONTENT_TYPE), Boundary::random());
                // Parts of different states can't be told apart without a strong tag.
                let is_pinned =
                    Validators::of(head).tag.is_some_and(|tag| !tag.is_weak() && tag.to_s3().is_some());
                // A decoder would take the parts' heads for encoded content.
                let is_plain = !fields.contains_key(CONTENT_ENCODING);
                if is_pinned && is_plain && plan.content_length() < total {
                    Share::Several(plan)
                } else {
                    Share::Whole
                }
            }
        }
    }

    pub(super) async fn ask_for(
        &self,
        bucket: &BucketName,
        range: Option<ByteRange>,
        head: &HeaderMap,
    ) -> Result<Response<ObjectBody>, Doubt> {
        // One answer is of one state. Should it be another one by now, the conditions are looked at again.
        let range = range.map(RangeSpec::from);
        match self.ask(bucket, &Question::get(range, Vec::new())).await? {
            Answer::Found(answer) => self.deliver(answer, Asked { range, total: content_length(head) }),
            Answer::NotModified(_) => Err(Doubt::Misfit(Misfit::UNASKED)),
            Answer::Refused(refusal) => match refusal.code {
                S3ErrorCode::PreconditionFailed | S3ErrorCode::InvalidRange => Err(Doubt::OtherState),
                _ => Err(self.refused(bucket, refusal).await.into()),
            },
        }
    }

    /// Several parts of one state of the object. The first has to be there before the client is told of any.
    pub(super) async fn several(
        &self,
        bucket: &BucketName,
        head: &HeaderMap,
        plan: Multipart,
    ) -> Result<Response<ObjectBody>, Doubt> {
        let reader = PartReader::new(self, bucket, head);
        let Some(first) = plan.ranges().next() else { return Err(Doubt::OtherState) };
        let first = match reader.read(first).await {
            Ok(first) => first,
            Err(PartError::Origin(error)) => return Err(Failure::from(from_origin_error(error)).into()),
            Err(PartError::Refused(refusal)) => return Err(self.refused(bucket, *refusal).await.into()),
            Err(PartError::NoRanges) => return self.ask_for(bucket, None, head).await,
            Err(PartError::Misfit(misfit)) => return Err(Doubt::Misfit(misfit)),
        };
        let mut headers = self.object_fields(head);
        headers.insert(CONTENT_TYPE, plan.content_type());
        headers.insert(CONTENT_LENGTH, plan.content_length().into());
        let body = MultipartBody::new(plan, first, move |range| reader.part(range));
        Ok(respond(StatusCode::PARTIAL_CONTENT, headers, ObjectBody::Multipart(Box::new(body))))
    }
}
