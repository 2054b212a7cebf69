use serde::Serialize;

use super::{PolicyDocument, pattern};
use crate::response::Cors;

/// The JSON of S3's PutBucketCors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CorsConfiguration {
    #[serde(rename = "CORSRules")]
    rules: [CorsRule; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CorsRule {
    allowed_origins: Vec<String>,
    allowed_methods: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expose_headers: Vec<String>,
    max_age_seconds: u64,
}

/// The CORS of the mount as that of its bucket; `Err` with the reason if S3 cannot express it.
pub(super) fn document(cors: &Cors) -> Result<PolicyDocument, String> {
    let mut origins = Vec::new();
    let mut too_wide = Vec::new();
    for origin in &cors.origins {
        for written_out in pattern::of_glob(&origin.replace('[', "\\[")) {
            let origin = written_out.pattern;
            // S3 API, CORSRule: "can contain at most one * wildcard character". It takes a `?` for one.
            let is_said = origin.matches('*').count() <= 1 && !origin.contains('?') && written_out.is_exact;
            if is_said { origins.push(origin) } else { too_wide.push(origin) }
        }
    }
    if origins.is_empty() {
        return Err(
            "The CORS configuration: S3 allows one star in an origin, and no other wildcard, so it cannot \
                    express the origins of the mount."
                .to_owned(),
        );
    }
    let mut about = String::from(
        "Only needed if pages send requests to S3 themselves, by presigned URLs: the proxy's responses have their own \
         CORS, and the proxy sends S3 no origin. For `aws s3api put-bucket-cors --cors-configuration`; the console \
         expects only the list in it. S3 adds no Vary to responses without an origin, so a cache in between may keep a \
         response that other pages cannot read.",
    );
    if !too_wide.is_empty() {
        about.push_str(&format!(
            " This leaves out origins with wildcards that S3 does not support: {}.",
            too_wide.join(", ")
        ));
    }
    let rule = CorsRule {
        allowed_origins: origins,
        // S3 answers OPTIONS itself, and supports no other methods.
        allowed_methods: cors.methods.iter().filter(|method| *method != "OPTIONS").cloned().collect(),
        allowed_headers: cors.headers.clone(),
        expose_headers: cors.exposed.clone(),
        max_age_seconds: cors.max_age.as_secs(),
    };
    if rule.allowed_methods.is_empty() {
        return Err("The CORS configuration: the mount allows no method that S3 supports.".to_owned());
    }
    Ok(PolicyDocument::cors(about, CorsConfiguration { rules: [rule] }))
}
