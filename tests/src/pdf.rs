//! What somebody would hold in hand: the pages of a PDF, their size and their words, as Debian's poppler reads them.

use std::path::Path;

use crate::broker::not_run;
use crate::debian::{install, run};

/// A printed document.
#[derive(Debug)]
pub struct Paper {
    /// How many pages.
    pub pages: u32,
    /// Width and height of the first, in points.
    pub points: (f64, f64),
    /// Everything on it, without any space: lines break where they fit.
    pub text: String,
}

impl Paper {
    /// Reads it; none if there is no poppler: then `test` is told as not run.
    pub async fn read(test: &str, bytes: &[u8]) -> Option<Self> {
        if let Err(why) = find().await {
            not_run(test, &why);
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("it.pdf"), bytes).expect("it is written");
        let told = |it: Result<String, String>| it.unwrap_or_else(|it| panic!("no PDF: {it}"));
        let facts = told(run("pdfinfo", &["it.pdf"], folder.path()).await);
        let text = told(run("pdftotext", &["it.pdf", "-"], folder.path()).await);
        let fact = |name: &str| {
            let found = facts.lines().find_map(|it| it.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in {facts}")).trim()
        };
        let size: Vec<f64> =
            fact("Page size:").split(' ').filter_map(|it| it.parse().ok()).collect();
        Some(Self {
            pages: fact("Pages:").parse().expect("a count"),
            points: (size[0], size[1]),
            text: text.split_whitespace().collect(),
        })
    }
}

async fn find() -> Result<(), String> {
    let here = Path::new(".");
    if run("pdfinfo", &["-v"], here).await.is_err() {
        install(&["poppler-utils"]).await?;
    }
    run("pdfinfo", &["-v"], here).await.map(drop)
}
