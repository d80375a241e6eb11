//! The token by which gateways and the queue service know each other: made once by the machine's CSPRNG, kept where only its
//! owner reads.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Once;

use data_encoding::HEXLOWER;
use pronto_types::Secret;
use rand::TryRng;
use rand::rngs::SysRng;

/// In the store's folder, where no other place is configured.
pub(super) const FILE: &str = "gateway.token";
/// Length of a generated token: 256 bits.
const OCTETS: usize = 32;
/// The shortest token that is taken, in characters: somebody may write one by hand.
const SHORTEST: usize = 32;
/// The longest, with the end of its line.
const LONGEST: u64 = 1024;

/// The token in this file. It is made where it is missing, by the first process that looks, and its folder with it (0700).
/// Only its owner may read it (0600). Where somebody else sets its mode (a Kubernetes secret, a read-only file system) it stays as
/// it is, with a warning.
///
/// # Errors
/// The file cannot be read or made, or holds something else.
pub fn gateway_token(path: &Path) -> io::Result<Secret> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            read(path)
        }
        read => read,
    }
}

fn read(path: &Path) -> io::Result<Secret> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        // Somebody may have copied it here with the usual mode.
        let closed = file.set_permissions(fs::Permissions::from_mode(0o600));
        closed.unwrap_or_else(|error| warn_of_readers(path, &error));
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    let token = text.trim_end();
    let fits = (SHORTEST..=LONGEST as usize).contains(&token.len());
    if fits && token.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Ok(Secret::new(token));
    }
    let why = format!("expected a line of {SHORTEST} to {LONGEST} characters without blanks");
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// Once for each process: a gateway reads its token at each attempt to attach.
fn warn_of_readers(path: &Path, error: &io::Error) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            path = %path.display(),
            %error,
            "others than its owner may read the gateways' token, and its mode cannot be changed: let only the user of Pronto read it"
        );
    });
}

/// Whole or not at all, and by one process alone: written beside and flushed; only the first can give it the name.
fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let token = hex::<OCTETS>()?;
    let beside = path.with_extension(format!("{}.new", hex::<8>()?));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            writeln!(file, "{token}")?;
            file.sync_all()
        });
    let named = written.and_then(|()| fs::hard_link(&beside, path));
    let _ = fs::remove_file(&beside);
    match named {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

/// Makes a token for a client of the gRPC API, 256 random bits in hexadecimal. It is kept nowhere.
///
/// # Errors
/// The operating system gives no random numbers.
pub fn new_token() -> io::Result<Secret> {
    hex::<OCTETS>().map(Secret::new)
}

/// Makes `OCTETS` random octets, written in hexadecimal.
fn hex<const OCTETS: usize>() -> io::Result<String> {
    let mut dice = [0_u8; OCTETS];
    SysRng.try_fill_bytes(&mut dice).map_err(io::Error::other)?;
    Ok(HEXLOWER.encode(&dice))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::tests::Folder;

    #[test]
    fn a_token_is_made_once_whoever_comes_first() {
        let folder = Folder::new();
        let path = folder.path().join("var/gateway.token");
        let tokens: BTreeSet<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| gateway_token(&path).unwrap()))
                .collect();
            let tokens = makers.into_iter().map(|maker| maker.join().unwrap());
            tokens.map(|token| token.reveal().to_owned()).collect()
        });
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens.first().unwrap().len(), 64);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn a_token_file_whose_mode_is_not_ours_to_change_refuses_no_start() {
        // A line of 36 characters that all may read and nobody may change, not even root: like a mounted secret.
        let path = Path::new("/proc/sys/kernel/random/boot_id");
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path), 0o444);
        assert!(fs::set_permissions(path, fs::Permissions::from_mode(0o600)).is_err());
        let line = fs::read_to_string(path).unwrap();
        assert_eq!(gateway_token(path).unwrap().reveal(), line.trim_end());
    }

    #[test]
    fn a_token_that_cannot_be_read_is_refused() {
        // A directory can be opened, and not read.
        let folder = Folder::new();
        let error = gateway_token(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn a_token_that_others_may_read_is_closed_and_a_short_one_is_refused() {
        let folder = Folder::new();
        let path = folder.path().join("token");
        fs::write(&path, format!("{}\n", "x".repeat(40))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(gateway_token(&path).unwrap().reveal(), "x".repeat(40));
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        for wrong in ["", "short\n", &format!("{} {}\n", "x".repeat(40), "y")] {
            fs::write(&path, wrong).unwrap();
            let error = gateway_token(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{wrong:?}");
        }
    }
}
