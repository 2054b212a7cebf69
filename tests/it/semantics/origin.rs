use std::time::Duration;

use demo_s3::{DemoS3, ObjectAttributes};
use http::{HeaderName, HeaderValue};
use tower_s3_proxy::MountBuilder;

use crate::{
    lying::{KEY, Lie, LyingOrigin, Mangled, Object, Seen, http_date},
    support::{BUCKET, mount, s3},
};

/// An origin with one object, and what is true of that object.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) name: String,
    pub(super) truth: Truth,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Demo(DemoS3),
    Lying(LyingOrigin),
}

/// What every client has to be told, as far as the origin lets anybody know it.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub(super) object: Object,
    /// As it has to be shown.
    pub(super) tag: Option<String>,
    pub(super) last_modified: Option<String>,
    /// Whether answers say their length before they end.
    pub(super) length: LengthIs,
    pub(super) total: LengthIs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthIs {
    Said,
    /// It need not be known, but what is said must be right.
    Unsaid,
}

// === impl Origin ===

impl Origin {
    /// The in-process server, which checks signatures.
    pub(super) async fn demo(object: &Object) -> Self {
        let s3 = s3().await;
        let mut attributes = ObjectAttributes::new().last_modified(object.modified);
        for (name, value) in &object.fields {
            attributes = attributes.header(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let put = s3.store().put_with(BUCKET, KEY, object.bytes.clone(), attributes);
        let object = object.clone().tagged(put.etag.trim_matches('"'));
        Self { name: "demo_s3".to_owned(), truth: Truth::of(&object, &[]), kind: Kind::Demo(s3) }
    }

    pub(super) async fn lying(object: &Object, lies: &[Lie]) -> Self {
        let name = if lies.is_empty() { "no lies".to_owned() } else { format!("{lies:?}") };
        let kind = Kind::Lying(LyingOrigin::start(object, lies).await);
        Self { name, truth: Truth::of(object, lies), kind }
    }

    pub(super) fn mount(&self) -> MountBuilder {
        match &self.kind {
            Kind::Demo(s3) => mount(s3),
            Kind::Lying(origin) => origin.mount(),
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        match &self.kind {
            Kind::Demo(s3) => s3.log().into_iter().map(Seen::from).collect(),
            Kind::Lying(origin) => origin.seen(),
        }
    }

    pub(super) fn forget(&self) {
        match &self.kind {
            Kind::Demo(s3) => s3.clear_log(),
            Kind::Lying(origin) => origin.forget(),
        }
    }
}

// === impl Truth ===

impl Truth {
    pub(super) fn of(object: &Object, lies: &[Lie]) -> Self {
        let quoted = object.quoted_tag();
        let tag = match () {
            () if lies.contains(&Lie::NoTag) => None,
            () if lies.contains(&Lie::WeakTag) || lies.contains(&Lie::UnquotedWeakTag) => {
                Some(format!("W/{quoted}"))
            }
            () => Some(quoted),
        };
        let is = |unsaid: fn(&Lie) -> bool| match lies.iter().any(unsaid) {
            true => LengthIs::Unsaid,
            false => LengthIs::Said,
        };
        Self {
            object: object.clone(),
            tag,
            last_modified: (!lies.contains(&Lie::NoLastModified)).then(|| http_date(object.modified)),
            length: is(|lie| {
                matches!(
                    lie,
                    Lie::Framed(_) | Lie::HeadWithoutLength | Lie::HeadLengths(_) | Lie::RefusesHead(_)
                )
            }),
            total: is(|lie| *lie == Lie::Range(Mangled::UnknownTotal)),
        }
    }

    /// A field of a request, with `{tag}`, `{opaque}` (the tag without quotes), `{date}`, `{before}` and `{after}` filled in.
    pub(super) fn fill(&self, template: &str) -> String {
        let (at, second) = (self.object.modified, Duration::from_secs(1));
        template
            .replace("{opaque}", &self.object.tag)
            .replace("{tag}", &self.object.quoted_tag())
            .replace("{date}", &http_date(at))
            .replace("{before}", &http_date(at - second))
            .replace("{after}", &http_date(at + second))
    }
}
