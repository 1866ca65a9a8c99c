//! Why certificates cannot be used.

use std::path::PathBuf;

/// Why certificates cannot be used; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A file is no PEM, or what is in it is broken.
    #[error("{path}: {why}", path = path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file holds nothing of what it is for.
    #[error("{path}: holds no {what} (PEM)", path = path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The key is another certificate's.
    #[error("{key}: is not the key of the certificate in {cert}", key = key.display(), cert = cert.display())]
    OtherKey {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate does not hold now.
    #[error("{path}: the certificate is valid from {from} until {until} only", path = path.display())]
    OutOfDate {
        /// Which.
        path: PathBuf,
        /// Since when it holds.
        from: String,
        /// Until when it held.
        until: String,
    },
    /// A name that no certificate can have.
    #[error("service {service}: server_name {name:?} is neither a DNS name nor an address")]
    BadServerName {
        /// Whose.
        service: String,
        /// What was given.
        name: String,
    },
    /// The machine trusts nobody.
    #[error("service {service}: this machine has no trusted authorities; name a file with `ca`{why}")]
    NoAuthorities {
        /// Whose.
        service: String,
        /// What was found instead.
        why: String,
    },
    /// Rustls does not take it.
    #[error("{of}: {source}")]
    Refused {
        /// Whose TLS.
        of: String,
        /// What rustls said.
        source: rustls::Error,
    },
}
