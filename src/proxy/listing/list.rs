//! The list of a folder: who may have it, what S3 says, and the page.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{CONTENT_ENCODING, RANGE},
};
use http_body_util::{BodyExt, Empty, Limited};
use tokio::time::Instant;

use super::{
    super::{
        naming::head_of,
        site::{add_slash, for_navigations},
    },
    Step,
};
use crate::{
    body::{ObjectBody, ResponseBody},
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    fetch::{Asks, Bucket, Elsewhere, Fetch, Finish, Wanted, from_origin_error},
    listing::{
        Ask, Cursor, EntryKind, Folder, Format, InvalidCursor, ListingHtml, ListingNote, ListingPage,
        MountListing, PageId, Place, Powers, Rendered, Standing, TextStart, View, of_template, preview_of,
        respond, to_json,
    },
    object::{BucketName, Edition, ObjectKey},
    origin::{ListError, ListRequest, S3ErrorCode},
    request::{ReadMethod, ReadRequest},
    route::BucketSource,
};

/// A list that is asked for.
pub(super) struct List {
    /// The one with the rules.
    pub(super) mount: Mount,
    /// The one whose credentials list.
    pub(super) lister: Mount,
    pub(super) listing: MountListing,
    pub(super) bucket: Bucket,
    /// The folder; for the mount itself that of its prefix, or `/`.
    pub(super) key: ObjectKey,
    pub(super) place: Place,
    pub(super) step: Step,
    /// Without its body, and if nobody looks at them, without its fields.
    pub(super) request: Request<()>,
    pub(super) read: ReadRequest,
    pub(super) ask: Result<Ask, InvalidCursor>,
    /// Behind the mount's path, as it came.
    pub(super) rest: String,
}

/// Whether the authorizer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gated {
    Yes,
    No,
}

/// In bytes, of notes and of text that is shown.
const MOST_TEXT: usize = 64 * 1024;

// === impl List ===

impl List {
    /// The response, if there is such a folder.
    pub(super) async fn respond(&mut self) -> Option<Response<ObjectBody>> {
        match self.answer().await {
            Ok(response) => response,
            Err(failure) => Some(self.mount.refuse(failure, self.read.method, &self.key)),
        }
    }

    async fn answer(&mut self) -> Result<Option<Response<ObjectBody>>, Failure> {
        let bucket = self.bucket.name().await?;
        if let Some(gate) = self.mount.gate(|| self.head())
            && let Some(lister) = gate.open_folder(&bucket, &self.key).await?
        {
            self.lister = lister;
        }
        if self.listing.policy.hidden.hides(&self.place.path) {
            return Ok(None);
        }
        let ask = self.ask.as_ref().map_err(|_| {
            let why = "the cursor is none that a page of a listing has";
            ProxyError::from_source(ProxyErrorKind::BadQuery, why)
        })?;
        let folder = self.remembered(&bucket, ask.cursor.as_ref()).await?;
        let powers = self.powers();
        if folder.standing == Standing::Missing && !self.is_to_be_filled(powers) {
            return Ok(None);
        }
        if self.step == Step::Slash {
            return Ok(self.add_slash());
        }
        let note = match &folder.note {
            Some(note) if self.may_read(&bucket, &note.name).await => Some(note),
            Some(_) | None => None,
        };
        let root = self.root();
        let view = View {
            folder: &folder,
            place: &self.place,
            rest: &self.rest,
            root: root.as_deref(),
            ask,
            types: &self.mount.0.content_types,
            powers,
            note,
        };
        let page = view.page();
        if let Some(name) = &ask.preview
            && ask.format == Format::Html
        {
            return self.preview(&bucket, &page, name).await;
        }
        let rendered = match ask.format {
            Format::Json => Rendered::json(to_json(&page)),
            Format::Html => of_template(&self.listing.policy, &page)
                .unwrap_or_else(|| Rendered::html(ListingHtml::of(&page))),
        };
        respond(rendered, &self.read, self.cache_control()).map(Some)
    }

    /// The page, from memory or from S3.
    async fn remembered(&self, bucket: &BucketName, cursor: Option<&Cursor>) -> Result<Arc<Folder>, Failure> {
        let MountListing { policy, pages, folders, .. } = &self.listing;
        // That of the credentials that list.
        let scope = self.lister.0.listing.as_ref().map_or(self.listing.scope, |listing| listing.scope);
        let (bucket, prefix) = (bucket.clone(), self.place.prefix.clone());
        let id = PageId { scope, bucket, prefix, cursor: cursor.cloned() };
        let list = self.ask_s3(&id.bucket, cursor);
        pages.get(&id, policy.remember, || folders.of(&id.prefix), list).await
    }

    async fn ask_s3(&self, bucket: &BucketName, cursor: Option<&Cursor>) -> Result<Folder, Failure> {
        let policy = &self.listing.policy;
        let start_after = cursor.map(|cursor| cursor.start_after(&self.place.prefix));
        let request = ListRequest {
            bucket,
            prefix: &self.place.prefix,
            start_after: start_after.as_deref(),
            max_keys: policy.page_size,
        };
        let origin = &self.lister.0.origin;
        let mut listed = origin.list_folder(request).await;
        if listed.as_ref().is_err_and(ListError::is_to_be_learnt) {
            // A refused read teaches the proxy the bucket's region, S3's clock, and that credentials have expired.
            let _ = self.lister.probe(bucket).await;
            listed = origin.list_folder(request).await;
        }
        let page = listed.map_err(|why| self.mount.list_failure(bucket, why))?;
        let mut folder = Folder::new(page, &self.place, cursor, policy, &self.mount.0.keys);
        if cursor.is_none() {
            folder.note = self.note(bucket, &folder).await;
        }
        Ok(folder)
    }

    /// The note of the folder, by the credentials that list. Who sees the page is asked about it later.
    async fn note(&self, bucket: &BucketName, folder: &Folder) -> Option<ListingNote> {
        let (name, size) = folder.note_of(&self.listing.policy.notes)?;
        if is_long(size) {
            return None;
        }
        let response = self.fetch(bucket, self.key_of(name)?, &HeaderMap::new(), Gated::No).await;
        let text = text_of(response).await.ok()?;
        Some(ListingNote { name: name.to_owned(), text })
    }

    /// Whether the client may read an object of the folder, by the credentials that list.
    async fn may_read(&self, bucket: &BucketName, name: &str) -> bool {
        let Some(gate) = self.mount.gate(|| self.head()) else { return true };
        let Some(key) = self.key_of(name) else { return false };
        match gate.open(bucket, &key).await {
            Ok(None) => true,
            Ok(Some(reader)) => Arc::ptr_eq(&reader.0, &self.lister.0),
            Err(_) => false,
        }
    }

    async fn preview(
        &self,
        bucket: &BucketName,
        page: &ListingPage,
        name: &str,
    ) -> Result<Option<Response<ObjectBody>>, Failure> {
        let Some(entry) = preview_of(page, name) else { return Ok(None) };
        let text = match entry.kind() {
            EntryKind::Text => {
                let Some(key) = self.key_of(name) else { return Ok(None) };
                let size = entry.size().unwrap_or_default();
                let mut fields = HeaderMap::new();
                if is_long(size) {
                    let range = format!("bytes=0-{}", MOST_TEXT - 1);
                    fields.extend(HeaderValue::try_from(range).ok().map(|range| (RANGE, range)));
                }
                let response = self.fetch(bucket, key, &fields, Gated::Yes).await;
                match text_of(response).await {
                    Ok(text) if is_long(size) => Some(TextStart::Part(text)),
                    Ok(text) => Some(TextStart::Whole(text)),
                    // A denial, or that it is missing by now.
                    Err(Some(response)) => return Ok(Some(*response)),
                    Err(None) => None,
                }
            }
            // The browser asks for these itself.
            _ => None,
        };
        let rendered = Rendered::html(ListingHtml::preview(page, entry, text.as_ref()));
        respond(rendered, &self.read, self.cache_control()).map(Some)
    }

    async fn fetch(
        &self,
        bucket: &BucketName,
        key: ObjectKey,
        fields: &HeaderMap,
        gated: Gated,
    ) -> Response<ObjectBody> {
        let asks = Asks { elsewhere: Elsewhere::Never, ..Asks::default() };
        let wanted = Wanted { read: ReadRequest::new(ReadMethod::Get, fields), disposition: None, asks };
        let gate = match gated {
            Gated::Yes => self.mount.gate(|| self.head()),
            Gated::No => None,
        };
        let (mount, bucket) = (self.lister.clone(), Bucket::Named(bucket.clone()));
        let edition = Edition { version: None, bust: None };
        Fetch { mount, bucket, key, edition, wanted, gate, finish: Finish::default() }.run().await
    }

    fn head(&self) -> http::request::Parts {
        head_of(&self.request)
    }

    fn key_of(&self, name: &str) -> Option<ObjectKey> {
        ObjectKey::new(format!("{}{name}", self.place.prefix)).ok()
    }

    /// What a client may change here is shown where writes have somebody to ask.
    fn powers(&self) -> Powers {
        let parts = &self.mount.0;
        let writes = parts.writes.as_ref().filter(|_| parts.access.knows_who_asks());
        match writes.filter(|writes| self.place.prefix.starts_with(&writes.prefix)) {
            None => Powers::None,
            Some(writes) if writes.methods.contain(&Method::DELETE) => Powers::UploadAndDelete,
            Some(_) => Powers::Upload,
        }
    }

    /// Whether an empty folder is shown, so that something can be put into it: the mount, and where writes begin.
    fn is_to_be_filled(&self, powers: Powers) -> bool {
        let begins = self.mount.0.writes.as_ref().is_some_and(|writes| writes.prefix == self.place.prefix);
        powers != Powers::None && (begins || self.place.path.is_empty())
    }

    /// The name of the mount. Where the path names the bucket, that comes first.
    fn root(&self) -> Option<String> {
        if matches!(self.mount.0.bucket, BucketSource::FromPath(_)) {
            return None;
        }
        let name = self.mount.path().rsplit('/').next().filter(|name| !name.is_empty());
        Some(name.unwrap_or("Home").to_owned())
    }

    /// Without its slash, only the path of the mount is a folder for whoever asks.
    fn add_slash(&self) -> Option<Response<ObjectBody>> {
        let response = add_slash(self.request.uri());
        if self.rest.is_empty() { response } else { response.map(for_navigations) }
    }

    /// As long as the page is remembered; where it depends on who asks, nobody keeps it unasked.
    fn cache_control(&self) -> HeaderValue {
        let seconds = self.listing.policy.remember.as_secs();
        match (self.mount.0.access.knows_who_asks(), seconds) {
            (true, _) => const { HeaderValue::from_static("private, no-cache") },
            (false, 0) => const { HeaderValue::from_static("no-cache") },
            (false, seconds) => {
                HeaderValue::try_from(format!("max-age={seconds}")).expect("digits are ASCII")
            }
        }
    }
}

/// Whether a text is longer than what is shown of it.
fn is_long(size: u64) -> bool {
    usize::try_from(size).map_or(true, |size| size > MOST_TEXT)
}

/// The text of an object, which can have grown since it was listed.
///
/// # Errors
///
/// The response, if there is no object; nothing, if it is no text, or too much of it.
async fn text_of(response: Response<ObjectBody>) -> Result<String, Option<Box<Response<ObjectBody>>>> {
    if !response.status().is_success() {
        return Err(Some(Box::new(response)));
    }
    if response.headers().contains_key(CONTENT_ENCODING) {
        return Err(None);
    }
    let body = ResponseBody::<Empty<Bytes>>::object(response.into_body());
    let bytes = Limited::new(body, MOST_TEXT).collect().await.map_err(|_| None)?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

// === impl Mount ===

impl Mount {
    /// The failure of a list. Nobody guesses at keys by it: who may list is told why it fails.
    fn list_failure(&self, bucket: &BucketName, why: ListError) -> Failure {
        let (kind, name, line) = match why {
            ListError::Origin(error) => return from_origin_error(error),
            ListError::Failed(kind, line) => {
                return ProxyError::from_source(kind, line).into();
            }
            ListError::Refused { code: S3ErrorCode::AccessDenied, name, line, .. } => {
                (ProxyErrorKind::Forbidden, name, line)
            }
            ListError::Refused { status, code, name, line } => {
                (self.error_kind(status, code, None), name, line)
            }
        };
        let error = ProxyError::from_origin_code(kind, name);
        let id = error.id();
        if self.0.tallies.refusals.add(Instant::now()).is_some() {
            tracing::info!(id, detail = line, %bucket, "S3 does not list");
        } else {
            tracing::debug!(id, detail = line, %bucket, "S3 does not list");
        }
        error.into()
    }
}
