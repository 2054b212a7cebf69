//! The reader accepts the files in the README and the guide.

use super::*;

/// The Base64 of 32 bytes, a valid value for every variable of the texts.
const VARIABLE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn files_of_the_guide_are_read() {
    let texts = [
        ("README.md", include_str!("../../../../README.md")),
        ("cache.md", include_str!("../../../guide/cache.md")),
        ("cors.md", include_str!("../../../guide/cors.md")),
        ("credentials.md", include_str!("../../../guide/credentials.md")),
        ("encryption.md", include_str!("../../../guide/encryption.md")),
        ("headers.md", include_str!("../../../guide/headers.md")),
        ("limits.md", include_str!("../../../guide/limits.md")),
        ("listings.md", include_str!("../../../guide/listings.md")),
        ("log_in.md", include_str!("../../../guide/log_in.md")),
        ("migration.md", include_str!("../../../guide/migration.md")),
        ("resilience.md", include_str!("../../../guide/resilience.md")),
        ("standalone.md", include_str!("../../../guide/standalone.md")),
    ];
    for (name, text) in texts {
        let mut count = 0;
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            // A part of a file belongs to a mount.
            let file = match block.contains("[[mount]]") {
                true => block.to_owned(),
                false => format!("[[mount]]\nbucket = \"studio-media\"\nregion = \"us-west-2\"\n{block}"),
            };
            let parsed = ConfigFile::parse_with(&file, |_| Some(VARIABLE.to_owned()));
            let parsed = parsed.unwrap_or_else(|why| panic!("{name}: {why}\n{file}"));
            if !file.contains("[credentials.") {
                parsed
                    .build(Some(default_credentials()))
                    .unwrap_or_else(|why| panic!("{name}: {why}\n{file}"));
            }
            count += 1;
        }
        assert!(count > 0, "{name} has no file");
    }
}
