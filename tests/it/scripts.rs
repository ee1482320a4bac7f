//! Every script of `tests/scripts` is played, and what it expects is what happens.

use std::fs;
use std::path::Path;

/// Fewer would mean that somebody lost the folder.
const SCRIPTS_MIN: usize = 12;

#[test]
fn every_script_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in &paths {
        let text = fs::read_to_string(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        match tests::script::play(&text) {
            Ok(played) if played.difference.is_empty() => {}
            Ok(played) => wrong.push(format!("{name}:\n{}", played.difference)),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(paths.len() >= SCRIPTS_MIN, "only {} scripts", paths.len());
    let how = "right? then: cargo run -p tests --example update-scripts";
    assert!(wrong.is_empty(), "{}\n({how})", wrong.join("\n"));
}
