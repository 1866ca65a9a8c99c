//! Writes what follows from the table of settings to `docs/`: `cargo run -p evenkeel-config --example generate_docs`.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (path, text) in [
        ("reference/configuration.md", evenkeel_config::reference_markdown()),
        ("schema/evenkeel.schema.json", evenkeel_config::json_schema()),
        ("examples/evenkeel.yaml", evenkeel_config::example_yaml()),
    ] {
        let path = docs.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}
