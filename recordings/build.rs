//! Lists the clips under `prompts/`, so that nobody has to: `prompts/NAME.wav` and `prompts/LANGUAGE/NAME.wav`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=prompts");
    let prompts = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("prompts");
    let mut list = Vec::new();
    for entry in sorted(&prompts)? {
        if entry.is_dir() {
            let language = name(&entry)?;
            for file in sorted(&entry)? {
                clip(&mut list, Some(language), &file)?;
            }
        } else {
            clip(&mut list, None, &entry)?;
        }
    }
    let list = format!(
        "/// In the order of their paths.\npub(crate) static CLIPS: [Clip; {}] = [\n{}];\n",
        list.len(),
        list.concat()
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("clips.rs"), list)?;
    Ok(())
}

fn clip(list: &mut Vec<String>, language: Option<&str>, file: &Path) -> Result<(), Box<dyn Error>> {
    if file.extension().is_some_and(|extension| extension == "wav") {
        let name = name(file)?;
        list.push(format!(
            "Clip {{ language: {language:?}, name: {name:?}, file: include_bytes!({file:?}) }},\n"
        ));
    }
    Ok(())
}

fn name(path: &Path) -> Result<&str, String> {
    let name = path.file_stem().and_then(|name| name.to_str());
    name.ok_or_else(|| format!("{}: the name is not UTF-8", path.display()))
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        entries.push(entry?.path());
    }
    entries.sort();
    Ok(entries)
}
