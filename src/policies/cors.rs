use serde::Serialize;

use super::{PolicyDocument, pattern};
use crate::response::Cors;

/// As S3's PutBucketCors takes it, in JSON.
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

/// The CORS of the mount as that of its bucket; `Err` with the reason if S3 could not say as much.
pub(super) fn document(cors: &Cors) -> Result<PolicyDocument, String> {
    let mut origins = Vec::new();
    let mut too_wide = Vec::new();
    for origin in &cors.origins {
        for written_out in pattern::of_glob(&origin.replace('[', "\\[")) {
            let origin = written_out.pattern;
            // S3 API, CORSRule: "can contain at most one * wildcard character". A `?` it takes for one.
            let is_said = origin.matches('*').count() <= 1 && !origin.contains('?') && written_out.is_exact;
            if is_said { origins.push(origin) } else { too_wide.push(origin) }
        }
    }
    if origins.is_empty() {
        return Err("The CORS configuration: S3 knows one star in an origin, and no other wildcard, so the origins of \
                    the mount cannot be told to it."
            .to_owned());
    }
    let mut about = String::from(
        "Only needed if pages ask S3 themselves, by presigned URLs: what the proxy answers has its own CORS, and S3 is \
         sent no origin. For `aws s3api put-bucket-cors --cors-configuration`; the console wants the list in it alone. \
         S3 adds no Vary to answers without an origin, so that a cache in between may keep an answer that other pages \
         cannot read.",
    );
    if !too_wide.is_empty() {
        about.push_str(&format!(
            " Left out are origins with wildcards that S3 does not know: {}.",
            too_wide.join(", ")
        ));
    }
    let rule = CorsRule {
        allowed_origins: origins,
        // S3 answers OPTIONS itself, and knows no others.
        allowed_methods: cors.methods.iter().filter(|method| *method != "OPTIONS").cloned().collect(),
        allowed_headers: cors.headers.clone(),
        expose_headers: cors.exposed.clone(),
        max_age_seconds: cors.max_age.as_secs(),
    };
    if rule.allowed_methods.is_empty() {
        return Err("The CORS configuration: the mount allows no method that S3 knows.".to_owned());
    }
    Ok(PolicyDocument::cors(about, CorsConfiguration { rules: [rule] }))
}
