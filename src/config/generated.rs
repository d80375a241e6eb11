//! Passwords nobody chose: made once by the machine's CSPRNG, kept where only its owner reads.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use pronto_types::{OperatorId, Secret};
use rand::TryRng;
use rand::rngs::SysRng;

/// In the store's folder.
const FILE: &str = "operators.passwords";
/// No character that is read as another (l, 1, o, 0). 32 of them: five bits each, none more likely.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of a password in characters: 80 bits.
const LENGTH: usize = 16;
const GROUP: usize = 4;
const LARGEST: u64 = 1 << 20;

/// The password of each of these operators: those kept under `dir` already, and new ones for the others, kept from
/// now on. The folder is made where it is missing (0700); the file is readable by its owner only (0600). A password
/// is 16 characters in groups of four, `abcd-efgh-jkmn-pqrs`: 80 bits.
///
/// # Errors
/// The folder cannot be made, the file cannot be read or written, or holds something else.
pub fn generated_passwords(dir: &Path, ids: &[OperatorId]) -> io::Result<BTreeMap<OperatorId, Secret>> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let path = dir.join(FILE);
    let mut kept = read(&path)?;
    let before = kept.len();
    for id in ids {
        if !kept.contains_key(id) {
            kept.insert(id.clone(), generate()?);
        }
    }
    if kept.len() > before {
        write(dir, &path, &kept)?;
    }
    kept.retain(|id, _| ids.contains(id));
    Ok(kept)
}

fn generate() -> io::Result<Secret> {
    let mut dice = [0_u8; LENGTH];
    SysRng.try_fill_bytes(&mut dice).map_err(io::Error::other)?;
    let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
    for (at, die) in dice.iter().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(die % 32)]));
    }
    Ok(Secret::new(text))
}

/// One `id password` a line.
fn read(path: &Path) -> io::Result<BTreeMap<OperatorId, Secret>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    // Somebody may have copied it here with the usual mode.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text)?;
    let mut kept = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let entry = line.split_once(' ').and_then(|(id, password)| {
            let whole = !password.is_empty() && !password.contains(char::is_whitespace);
            OperatorId::new(id)
                .ok()
                .filter(|_| whole)
                .map(|id| (id, Secret::new(password)))
        });
        let Some((id, password)) = entry else {
            let why = format!(
                "{}:{}: expected an operator's id, a space, a password",
                path.display(),
                at + 1
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        kept.insert(id, password);
    }
    Ok(kept)
}

/// Whole or not at all: written beside, flushed, renamed.
fn write(dir: &Path, path: &Path, passwords: &BTreeMap<OperatorId, Secret>) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new`, so that the mode is ours and no link is followed.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    for (id, password) in passwords {
        writeln!(file, "{id} {}", password.reveal())?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Folder;

    fn ids(names: &[&str]) -> Vec<OperatorId> {
        names.iter().map(|name| OperatorId::new(name).unwrap()).collect()
    }

    #[test]
    fn passwords_are_made_once_and_kept_for_the_owner_only() {
        let folder = Folder::new();
        let dir = folder.path().join("var");
        let first = generated_passwords(&dir, &ids(&["101", "102"])).unwrap();
        let more = generated_passwords(&dir, &ids(&["101", "103"])).unwrap();
        let all = generated_passwords(&dir, &ids(&["101", "102", "103"])).unwrap();
        assert_eq!(first.len(), 2);
        assert_eq!(more.keys().cloned().collect::<Vec<_>>(), ids(&["101", "103"]));
        for (id, password) in first.iter().chain(&more) {
            assert_eq!(&all[id], password);
        }
        assert_ne!(all[&ids(&["101"])[0]], all[&ids(&["102"])[0]]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join(FILE)), 0o600);
    }

    #[test]
    fn a_password_is_readable_and_long_enough() {
        let password = generate().unwrap();
        assert_eq!(password.reveal().len(), 19);
        assert!(
            password
                .reveal()
                .bytes()
                .all(|b| b == b'-' || ALPHABET.contains(&b))
        );
    }

    #[test]
    fn a_file_open_to_others_is_closed_and_a_strange_one_is_refused() {
        let folder = Folder::new();
        let path = folder.path().join(FILE);
        fs::write(&path, "101 abcd-efgh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let kept = generated_passwords(folder.path(), &ids(&["101"])).unwrap();
        assert_eq!(kept[&ids(&["101"])[0]].reveal(), "abcd-efgh");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(&path, "101 abcd-efgh\nnonsense\n").unwrap();
        let error = generated_passwords(folder.path(), &ids(&["101"])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("operators.passwords:2:"), "{error}");
        assert!(!error.to_string().contains("abcd"), "{error}");
    }
}
