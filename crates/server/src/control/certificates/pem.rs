//! PEM files to certificates and keys that belong together and hold now.

use super::error::CertificateError;
use crate::control::watch::MAX_FILE_BYTES;
use evenkeel_config::model::CertificateFiles;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Reads files, and notes their contents so that the same can be told again.
#[derive(Default)]
pub(super) struct Reader {
    contents: DefaultHasher,
}

/// A certificate with its key, and what is known of it.
pub(super) struct Pair {
    pub(super) key: CertifiedKey,
    /// Its DNS names, in lower case.
    pub(super) names: Vec<String>,
    pub(super) valid_until: SystemTime,
}

impl Reader {
    /// A number that stands for all that was read.
    pub(super) fn fingerprint(&self) -> u64 {
        self.contents.finish()
    }

    /// Reads a file whole.
    ///
    /// # Errors
    /// It cannot be read, or is larger than anything of its kind.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, CertificateError> {
        let unreadable = |source| CertificateError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(unreadable(std::io::Error::other(format!("larger than {MAX_FILE_BYTES} bytes"))));
        }
        self.contents.write_usize(bytes.len());
        self.contents.write(&bytes);
        Ok(bytes)
    }

    /// Certificates of authorities.
    ///
    /// # Errors
    /// No file, no certificate in it, or one that is no authority's.
    pub(super) fn authorities(&mut self, path: &Path) -> Result<RootCertStore, CertificateError> {
        let bytes = self.read(path)?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&bytes, path)? {
            roots.add(certificate).map_err(|e| malformed(path, &e))?;
        }
        Ok(roots)
    }

    /// A certificate with its key, valid at `now`.
    ///
    /// # Errors
    /// Which of the files cannot be used, and why.
    pub(super) fn pair(
        &mut self,
        files: &CertificateFiles,
        now: SystemTime,
    ) -> Result<Pair, CertificateError> {
        let (cert, key) = (self.read(&files.cert)?, self.read(&files.key)?);
        let chain = certificates(&cert, &files.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|e| match e {
            PemError::NoItemsFound => {
                CertificateError::Missing { path: files.key.clone(), what: "private key" }
            }
            other => malformed(&files.key, &other),
        })?;
        let key = ring::sign::any_supported_type(&key).map_err(|e| malformed(&files.key, &e))?;
        let known = known_of(&chain[0], &files.cert, now)?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            // A key that cannot say what its public half is has to be believed.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                return Err(CertificateError::OtherKey { cert: files.cert.clone(), key: files.key.clone() });
            }
            Err(other) => return Err(malformed(&files.cert, &other)),
        }
        Ok(Pair { key, names: known.0, valid_until: known.1 })
    }
}

fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let all = all.map_err(|e| malformed(path, &e))?;
    if all.is_empty() {
        return Err(CertificateError::Missing { path: path.to_owned(), what: "certificate" });
    }
    Ok(all)
}

/// The names of a certificate, and when it ends.
fn known_of(
    der: &CertificateDer<'_>,
    path: &Path,
    now: SystemTime,
) -> Result<(Vec<String>, SystemTime), CertificateError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| malformed(path, &e))?;
    let names = certificate.subject_alternative_name().map_err(|e| malformed(path, &e))?;
    let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let validity = certificate.validity();
    let (from, until) = (moment(validity.not_before.timestamp()), moment(validity.not_after.timestamp()));
    if now < from || now > until {
        let day = |at| humantime::format_rfc3339_seconds(at).to_string();
        return Err(CertificateError::OutOfDate {
            path: path.to_owned(),
            from: day(from),
            until: day(until),
        });
    }
    Ok((names.collect(), until))
}

/// Seconds since 1970; times before it count as its beginning.
fn moment(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn malformed(path: &Path, why: &dyn std::fmt::Display) -> CertificateError {
    CertificateError::Malformed { path: path.to_owned(), why: why.to_string() }
}
