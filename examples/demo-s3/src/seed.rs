//! The files of the demo.

use std::io;
use std::path::Path;

/// Path below the folder, and content.
const FILES: &[(&str, &[u8])] = &[
    ("index.html", include_bytes!("../assets/index.html")),
    ("404.html", include_bytes!("../assets/404.html")),
    ("style.css", include_bytes!("../assets/style.css")),
    ("notes.txt", include_bytes!("../assets/notes.txt")),
    ("data/planets.json", include_bytes!("../assets/data/planets.json")),
    ("images/dawn.webp", include_bytes!("../assets/images/dawn.webp")),
    ("images/spiral.png", include_bytes!("../assets/images/spiral.png")),
    ("images/mark.svg", include_bytes!("../assets/images/mark.svg")),
    ("media/clock.webm", include_bytes!("../assets/media/clock.webm")),
    ("media/arpeggio.mp3", include_bytes!("../assets/media/arpeggio.mp3")),
    ("docs/guide/index.html", include_bytes!("../assets/docs/guide/index.html")),
    ("docs/guide/start.html", include_bytes!("../assets/docs/guide/start.html")),
    ("odd names/ünïcödé + 100%.txt", ODD),
    ("odd names/a=b@c'(d)!.txt", ODD),
    ("odd names/one & two; three, four.txt", ODD),
    ("odd names/日本語.txt", ODD),
    ("odd names/#hash~tilde$.txt", ODD),
];

const ODD: &[u8] = include_bytes!("../assets/odd.txt");

/// Writes the files of the demo into a folder: a page with pictures, a film, music, and oddly named files.
///
/// # Errors
///
/// If a file cannot be written.
pub async fn seed(dir: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        tokio::fs::write(&path, content).await?;
    }
    Ok(())
}
