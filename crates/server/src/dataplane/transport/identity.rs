//! Who a certificate says that its owner is.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Longest identity that is told; a longer one is as none.
const MOST_BYTES: usize = 1_024;

/// The owner of a verified certificate: its first URI (a SPIFFE ID is one), else its first DNS name, else its subject.
/// `None` if it has none of these or one that cannot stand in a header.
#[must_use]
pub fn identity_of(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten().map(|names| &names.value.general_names);
    let first = |wanted: fn(&GeneralName<'_>) -> Option<String>| {
        names.and_then(|names| names.iter().find_map(wanted))
    };
    let uri = first(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    let dns = || {
        first(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
    };
    let subject = || Some(certificate.subject().to_string()).filter(|subject| !subject.is_empty());
    let identity = uri.or_else(dns).or_else(subject)?;
    let is_told = identity.len() <= MOST_BYTES && identity.bytes().all(|b| (b' '..=b'~').contains(&b));
    Some(identity.trim()).filter(|identity| is_told && !identity.is_empty()).map(Box::from)
}
