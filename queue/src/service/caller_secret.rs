//! How a caller is recognised without being known: an HMAC of the number under a secret that stays in `var/`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use pronto_engine::CallerKey;
use pronto_types::PhoneNumber;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;

/// The file, in the store's directory.
const FILE: &str = "caller_key";
const LENGTH: usize = 32;

/// The secret. Who has it and the ledger can try numbers until one fits, so it is as private as the numbers are.
#[derive(Clone)]
pub(super) struct CallerSecret([u8; LENGTH]);

impl std::fmt::Debug for CallerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl CallerSecret {
    /// Makes a secret from the operating system's randomness, for this process only.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(super) fn random() -> io::Result<Self> {
        let mut secret = [0; LENGTH];
        SysRng.try_fill_bytes(&mut secret).map_err(io::Error::other)?;
        Ok(CallerSecret(secret))
    }

    /// Loads the secret in `directory`, or makes it (mode 0600) if it is missing. The directory exists and is ours
    /// alone.
    ///
    /// # Errors
    /// If it cannot be read or made, or is not 32 bytes long.
    pub(super) fn load_or_make(directory: &Path) -> io::Result<Self> {
        match File::open(directory.join(FILE)) {
            Ok(file) => Self::read(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(directory),
            Err(error) => Err(error),
        }
    }

    fn read(file: File) -> io::Result<Self> {
        let mut secret = Vec::with_capacity(LENGTH + 1);
        file.take(LENGTH as u64 + 1).read_to_end(&mut secret)?;
        let secret = <[u8; LENGTH]>::try_from(secret);
        secret
            .map(CallerSecret)
            .map_err(|_| io::Error::other(format!("`{FILE}` is not {LENGTH} bytes long")))
    }

    /// Under another name first: a process killed in between leaves no half secret.
    fn make(directory: &Path) -> io::Result<Self> {
        let secret = Self::random()?;
        let fresh = directory.join(format!("{FILE}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&secret.0)?;
        file.sync_all()?;
        std::fs::rename(&fresh, directory.join(FILE))?;
        File::open(directory)?.sync_all()?;
        Ok(secret)
    }

    /// The caller's key: the first 16 bytes of HMAC-SHA256 (RFC 2104) of the number, separators removed, `00` as `+`.
    /// `None` for what is no number: all callers who withhold theirs would be one.
    pub(super) fn key(&self, number: &PhoneNumber) -> Option<CallerKey> {
        let number = normal(number.reveal())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(number.as_bytes());
        let code = mac.finalize().into_bytes();
        code.first_chunk().copied().map(CallerKey)
    }
}

fn normal(number: &str) -> Option<String> {
    let number: String = number
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')'))
        .collect();
    let number = match number.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => number,
    };
    // "The From header field … `sip:anonymous@anonymous.invalid`" (RFC 3323 §4.1).
    let withheld = ["anonymous", "unknown", "unavailable", "restricted", "private"];
    let none = number.is_empty() || withheld.iter().any(|word| number.eq_ignore_ascii_case(word));
    (!none).then_some(number)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use data_encoding::HEXLOWER;

    use super::*;
    use crate::service::tests::TestDirectory;

    fn key(secret: &CallerSecret, number: &str) -> Option<CallerKey> {
        secret.key(&PhoneNumber::new(number))
    }

    #[test]
    fn the_same_number_in_any_dress_has_the_same_key() {
        let secret = CallerSecret([7; LENGTH]);
        let plain = key(&secret, "+39061234567").unwrap();
        for dressed in ["0039061234567", "+39 06 123-4567", "+39 (06) 123.45/67"] {
            assert_eq!(key(&secret, dressed), Some(plain), "{dressed}");
        }
        assert_ne!(key(&secret, "+39061234568"), Some(plain));
        assert_ne!(key(&CallerSecret([8; LENGTH]), "+39061234567"), Some(plain));
        for withheld in ["", "anonymous", "Anonymous", " - "] {
            assert_eq!(key(&secret, withheld), None, "{withheld:?}");
        }
    }

    #[test]
    fn it_is_the_hmac_of_the_number() {
        // RFC 4231 test case 2 has a shorter key; this value is from `openssl dgst -sha256 -mac HMAC`.
        let secret = CallerSecret([0x0b; LENGTH]);
        let expected = "eaf287a2424f54d6ccafe57e09250bb9";
        assert_eq!(HEXLOWER.encode(&key(&secret, "800").unwrap().0), expected);
    }

    #[test]
    fn the_secret_is_made_once_and_nobody_else_reads_it() {
        let directory = TestDirectory::new();
        let first = CallerSecret::load_or_make(directory.path()).unwrap();
        let again = CallerSecret::load_or_make(directory.path()).unwrap();
        assert_eq!(first.0, again.0);
        assert_ne!(first.0, CallerSecret::random().unwrap().0);
        let file = directory.path().join(FILE);
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(format!("{first:?}"), "[secret]");
        for length in [0, 31, 33] {
            std::fs::write(&file, vec![1; length]).unwrap();
            assert!(CallerSecret::load_or_make(directory.path()).is_err(), "{length}");
        }
    }
}
