//! `tls` of a listener and of a service's `upstream`. Files are read by whoever uses them; here they are paths.

use crate::mistake::{Complaint, Report};
use crate::model::{
    Alpn, CertificateFiles, ClientAuth, ClientAuthMode, ListenerTls, TlsVersion, UpstreamTls, Verification,
};
use crate::section::{Field, Section};
use crate::settings::tls::CERTIFICATE;
use crate::value::{name, path};
use evenkeel_core::policy::ListenerProtocol;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) fn of_listener(
    section: &Section<'_>,
    protocol: ListenerProtocol,
    report: &mut Report,
) -> ListenerTls {
    let client_auth = section.field("client_auth").optional_section(report);
    let min_version = section.field("min_version").choice(report, |word| match word {
        "1.2" => TlsVersion::V1_2,
        "1.3" => TlsVersion::V1_3,
        other => unreachable!("{other} is no word of `min_version`"),
    });
    let alpn = section.field("alpn").words(report).map(|words| words.into_iter().map(alpn).collect());
    ListenerTls {
        certificates: certificates(&section.field("certificates"), report),
        client_auth: client_auth.and_then(|client_auth| read_client_auth(&client_auth, report)),
        min_version: min_version.unwrap_or_default(),
        alpn: alpn.unwrap_or_else(|| match protocol {
            ListenerProtocol::Http | ListenerProtocol::Auto => vec![Alpn::H2, Alpn::Http11],
            ListenerProtocol::Tcp => Vec::new(),
        }),
    }
}

fn alpn(word: &'static str) -> Alpn {
    match word {
        "h2" => Alpn::H2,
        "http/1.1" => Alpn::Http11,
        other => unreachable!("{other} is no word of `alpn`"),
    }
}

fn certificates(field: &Field<'_>, report: &mut Report) -> Vec<CertificateFiles> {
    let mut certificates = Vec::new();
    for (node, path) in field.items(report) {
        let Some(section) = Section::open(node, path, &CERTIFICATE, report) else { continue };
        let (cert, key) = (pem(&section, "cert", report), pem(&section, "key", report));
        if let (Some(cert), Some(key)) = (cert, key) {
            certificates.push(CertificateFiles { cert, key });
        }
    }
    certificates
}

fn read_client_auth(section: &Section<'_>, report: &mut Report) -> Option<ClientAuth> {
    let ca = pem(section, "ca", report);
    let mode = section.field("mode").choice(report, |word| match word {
        "required" => ClientAuthMode::Required,
        "optional" => ClientAuthMode::Optional,
        other => unreachable!("{other} is no word of `mode`"),
    });
    Some(ClientAuth { ca: ca?, mode: mode? })
}

/// `dns_name` is the name by which the endpoints are found, if they are.
pub(crate) fn of_upstream(
    section: &Section<'_>,
    dns_name: Option<&Arc<str>>,
    report: &mut Report,
) -> UpstreamTls {
    let server_name = section.field("server_name").text(report, |text| name::server(text).map(Arc::from));
    let found_by = || dns_name.map(|name| Arc::from(name.trim_end_matches('.')));
    let [ca_field, cert_field, key_field] = ["ca", "cert", "key"].map(|name| section.field(name));
    let ca = ca_field.text(report, path::file);
    let (cert, key) = (cert_field.text(report, path::file), key_field.text(report, path::file));
    match (cert_field.node, key_field.node) {
        (Some(_), None) => cert_field.complain(Complaint::new("`cert` needs its `key`"), report),
        (None, Some(_)) => key_field.complain(Complaint::new("`key` needs its `cert`"), report),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let verification =
        if section.field("verify").is_on(report) { Verification::Full } else { Verification::Off };
    if verification == Verification::Off && ca.is_some() {
        ca_field.complain(Complaint::new("`ca` verifies nothing, since `verify` is false"), report);
    }
    UpstreamTls {
        server_name: server_name.or_else(found_by),
        ca,
        certificate: cert.zip(key).map(|(cert, key)| CertificateFiles { cert, key }),
        verification,
    }
}

fn pem(section: &Section<'_>, name: &str, report: &mut Report) -> Option<PathBuf> {
    section.field(name).text(report, path::file)
}
