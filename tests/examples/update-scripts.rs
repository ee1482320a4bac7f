//! Writes into every script what happens now. Read the difference before you commit it.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let played =
            tests::script::play(&text).map_err(|it| format!("{}: {it}", path.display()))?;
        if !played.difference.is_empty() {
            println!("{}\n{}", path.display(), played.difference);
            std::fs::write(&path, played.actual)?;
        }
    }
    Ok(())
}
