//! Files of a test's own authority, and handshakes with what was made of them.

use super::*;
use crate::dataplane::transport::test_certificates::{Authority, Issued};
use evenkeel_config::model::{
    Alpn, CertificateFiles, ClientAuth, ClientAuthMode, ListenerTls, TlsVersion, UpstreamTls,
};
use rustls::{ClientConfig, ClientConnection, Error, HandshakeKind, ServerConfig, ServerConnection};
use std::path::Path;
use std::time::Duration;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn write_pair(&self, name: &str, issued: &Issued) -> CertificateFiles {
        let cert = self.write(&format!("{name}.crt"), &issued.cert);
        CertificateFiles { cert, key: self.write(&format!("{name}.key"), &issued.key) }
    }
}

fn listener(certificates: Vec<CertificateFiles>) -> NamedListener {
    let tls = ListenerTls {
        certificates,
        client_auth: None,
        min_version: TlsVersion::V1_2,
        alpn: vec![Alpn::H2, Alpn::Http11],
    };
    NamedListener { name: "web".into(), is_optional: false, tls }
}

fn upstream(ca: Option<&Path>) -> NamedUpstream {
    let tls = UpstreamTls {
        server_name: Some("web.test".into()),
        ca: ca.map(Path::to_owned),
        certificate: None,
        verification: Verification::Full,
    };
    NamedUpstream { name: "backend".into(), alpn: vec![Alpn::H2], tls }
}

fn of_listener(listener: &NamedListener) -> TlsSettings {
    TlsSettings { listeners: vec![listener.clone()], services: Vec::new() }
}

fn of_upstream(upstream: &NamedUpstream) -> TlsSettings {
    TlsSettings { listeners: Vec::new(), services: vec![upstream.clone()] }
}

fn prepare(settings: TlsSettings) -> Result<Certificates, CertificateError> {
    Certificates::default().prepare(settings, SystemTime::now())
}

fn server_of(certificates: &Certificates) -> Arc<ServerConfig> {
    certificates.contexts(|_| Some(ListenerId(1)), |_| None).listeners[&ListenerId(1)].config.clone()
}

fn client_of(certificates: &Certificates) -> Arc<ClientConfig> {
    certificates.contexts(|_| None, |_| Some(ServiceId(1))).services[&ServiceId(1)].config.clone()
}

/// Both sides of a handshake, or what the server, or else the client, said of it.
fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &'static str,
) -> Result<(ServerConnection, ClientConnection), Error> {
    let mut server = ServerConnection::new(server.clone()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name.try_into().unwrap()).unwrap();
    while server.wants_write() || client.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets()?;
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets()?;
    }
    Ok((server, client))
}

#[test]
fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let names: [&[&str]; 4] =
        [&["first.test"], &["web.test", "www.web.test"], &["*.wild.test"], &["one.wild.test"]];
    let issued: Vec<_> = names.iter().map(|names| authority.issue(names)).collect();
    let files = issued.iter().enumerate().map(|(n, issued)| dir.write_pair(&n.to_string(), issued));
    let server = server_of(&prepare(of_listener(&listener(files.collect()))).unwrap());
    // Whatever it gets, this one believes it.
    let mut anybody = upstream(None);
    anybody.tls.verification = Verification::Off;
    let client = client_of(&prepare(of_upstream(&anybody)).unwrap());
    for (asked, got) in [
        ("web.test", 1),
        ("WWW.Web.Test", 1),
        ("two.wild.test", 2),
        ("one.wild.test", 3),
        ("deeper.two.wild.test", 0),
        ("wild.test", 0),
        ("unknown.test", 0),
        ("127.0.0.1", 0),
    ] {
        let (_, client) = shake(&server, &client, asked).unwrap();
        assert_eq!(client.peer_certificates().unwrap()[0], issued[got].chain()[0], "{asked}");
    }
}

#[test]
fn what_a_client_asked_for_is_known_to_its_connection() {
    use crate::dataplane::transport::server_name;
    let (dir, authority) = (Dir::new(), Authority::new());
    let files = dir.write_pair("own", &authority.issue(&["web.test"]));
    let ca = dir.write("ca.crt", &authority.pem());
    let server = server_of(&prepare(of_listener(&listener(vec![files]))).unwrap());
    let client = client_of(&prepare(of_upstream(&upstream(Some(&ca)))).unwrap());
    for _ in 0..2 {
        shake(&server, &client, "Web.Test").unwrap();
        assert_eq!(server_name::take().as_deref(), Some("web.test"), "when it is resumed too");
    }
}

#[test]
fn files_that_cannot_be_used_are_told_by_their_path() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let (one, other) = (authority.issue(&["a.test"]), authority.issue(&["a.test"]));
    let good = dir.write_pair("good", &one);
    let of = |cert: &Path, key: &Path| {
        let files = CertificateFiles { cert: cert.to_owned(), key: key.to_owned() };
        prepare(of_listener(&listener(vec![files]))).map(drop).unwrap_err().to_string()
    };
    let absent = dir.0.path().join("absent.crt");
    let said = of(&absent, &good.key);
    assert!(said.contains("absent.crt") && said.contains("No such file"), "{said}");
    let other_key = dir.write("other.key", &other.key);
    let said = of(&good.cert, &other_key);
    assert!(
        said.contains("other.key: is not the key of the certificate in") && said.contains("good.crt"),
        "{said}"
    );
    let said = of(&good.key, &good.key);
    assert!(said.contains("good.key: holds no certificate"), "{said}");
    let said = of(&good.cert, &good.cert);
    assert!(said.contains("good.crt: holds no private key"), "{said}");
    let broken = dir.write("broken.crt", &one.cert.replace("MII", "???"));
    let said = of(&broken, &good.key);
    assert!(said.contains("broken.crt: "), "{said}");
    for (name, from, until) in [("expired", 2020, 2021), ("early", 2119, 2120)] {
        let files = dir.write_pair(name, &authority.issue_for(&["a.test"], from, until));
        let said = of(&files.cert, &files.key);
        let when = format!("{name}.crt: the certificate is valid from {from}-01-01");
        assert!(said.contains(&when), "{said}");
    }
}

#[test]
fn clients_certificates_are_verified_by_the_authority_that_is_named() {
    let (dir, authority, other) = (Dir::new(), Authority::new(), Authority::new());
    let ca = dir.write("ca.crt", &authority.pem());
    let files = dir.write_pair("own", &authority.issue(&["web.test"]));
    let of_ours = dir.write_pair("ours", &authority.issue(&["client.test"]));
    let of_other = dir.write_pair("other", &other.issue(&["client.test"]));
    for (mode, certificate, is_taken) in [
        (ClientAuthMode::Required, Some(&of_ours), true),
        (ClientAuthMode::Required, Some(&of_other), false),
        (ClientAuthMode::Required, None, false),
        (ClientAuthMode::Optional, Some(&of_ours), true),
        (ClientAuthMode::Optional, Some(&of_other), false),
        (ClientAuthMode::Optional, None, true),
    ] {
        let mut listener = listener(vec![files.clone()]);
        listener.tls.client_auth = Some(ClientAuth { ca: ca.clone(), mode });
        let mut upstream = upstream(Some(&ca));
        upstream.tls.certificate = certificate.cloned();
        let server = server_of(&prepare(of_listener(&listener)).unwrap());
        let client = client_of(&prepare(of_upstream(&upstream)).unwrap());
        assert_eq!(shake(&server, &client, "web.test").is_ok(), is_taken, "{mode:?} {certificate:?}");
    }
}

#[test]
fn endpoints_are_verified_unless_it_is_said_that_they_are_not() {
    let (dir, authority, other) = (Dir::new(), Authority::new(), Authority::new());
    let files = dir.write_pair("own", &authority.issue(&["web.test"]));
    let server = server_of(&prepare(of_listener(&listener(vec![files]))).unwrap());
    let of_other = dir.write("other.crt", &other.pem());
    let mut upstream = upstream(Some(&of_other));
    let believing = prepare(of_upstream(&upstream)).unwrap();
    assert!(shake(&server, &client_of(&believing), "web.test").is_err());
    assert!(believing.unverified().is_empty());
    upstream.tls.verification = Verification::Off;
    let believing = prepare(of_upstream(&upstream)).unwrap();
    assert!(shake(&server, &client_of(&believing), "web.test").is_ok());
    assert_eq!(believing.unverified(), ["backend".into()]);
}

#[test]
fn a_listener_may_take_the_newest_version_only() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let files = dir.write_pair("own", &authority.issue(&["web.test"]));
    let old = Arc::new(authority.client(None, &[&rustls::version::TLS12]));
    for (least, is_taken) in [(TlsVersion::V1_2, true), (TlsVersion::V1_3, false)] {
        let mut listener = listener(vec![files.clone()]);
        listener.tls.min_version = least;
        let server = server_of(&prepare(of_listener(&listener)).unwrap());
        assert_eq!(shake(&server, &old, "web.test").is_ok(), is_taken);
    }
}

#[test]
fn files_that_did_not_change_leave_the_same_value_and_its_tickets() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let files = dir.write_pair("own", &authority.issue(&["web.test"]));
    let ca = dir.write("ca.crt", &authority.pem());
    let listener = listener(vec![files]);
    let mut certificates = prepare(of_listener(&listener)).unwrap();
    let before = server_of(&certificates);
    let client = client_of(&prepare(of_upstream(&upstream(Some(&ca)))).unwrap());
    shake(&before, &client, "web.test").unwrap();
    assert_eq!(certificates.read_again(SystemTime::now()), []);
    let certificates = certificates.prepare(of_listener(&listener), SystemTime::now()).unwrap();
    assert!(Arc::ptr_eq(&before, &server_of(&certificates)));
    let (server, _) = shake(&server_of(&certificates), &client, "web.test").unwrap();
    assert_eq!(server.handshake_kind(), Some(HandshakeKind::Resumed));
}

#[test]
fn a_broken_file_leaves_the_last_good_in_use_and_is_told_once() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let files = dir.write_pair("own", &authority.issue_for(&["web.test"], 2020, 2120));
    let mut certificates = prepare(of_listener(&listener(vec![files.clone()]))).unwrap();
    let before = server_of(&certificates);
    let end = certificates.ends()[0].1;
    assert_eq!(humantime::format_rfc3339_seconds(end).to_string(), "2120-01-01T00:00:00Z");

    let next = authority.issue_for(&["web.test"], 2020, 2119);
    std::fs::write(&files.cert, &next.cert).unwrap();
    let now = SystemTime::now();
    let [News::Refused { of, why, valid_until }] = &certificates.read_again(now)[..] else {
        panic!("the key is another certificate's")
    };
    assert!(&**of == "web" && why.contains("own.key: is not the key") && *valid_until == Some(end));
    assert_eq!(certificates.read_again(now), []);
    assert!(Arc::ptr_eq(&before, &server_of(&certificates)));

    std::fs::write(&files.key, &next.key).unwrap();
    let [News::Renewed { valid_until: Some(next_end), .. }] = certificates.read_again(now)[..] else {
        panic!("they belong together")
    };
    assert!(next_end < end && certificates.ends()[0].1 == next_end);
    assert!(!Arc::ptr_eq(&before, &server_of(&certificates)));
    let seen = shake(
        &server_of(&certificates),
        &Arc::new(authority.client(None, &[&rustls::version::TLS13])),
        "web.test",
    );
    assert_eq!(seen.unwrap().1.peer_certificates().unwrap()[0], next.chain()[0]);
}

#[test]
fn a_file_that_comes_back_as_it_was_is_told_as_good_and_changes_nothing() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let own = authority.issue(&["web.test"]);
    let files = dir.write_pair("own", &own);
    let mut certificates = prepare(of_listener(&listener(vec![files.clone()]))).unwrap();
    let before = server_of(&certificates);
    std::fs::remove_file(&files.cert).unwrap();
    let now = SystemTime::now();
    assert!(matches!(&certificates.read_again(now)[..], [News::Refused { .. }]));
    dir.write_pair("own", &own);
    assert!(matches!(&certificates.read_again(now)[..], [News::Renewed { .. }]));
    assert!(Arc::ptr_eq(&before, &server_of(&certificates)));
}

#[test]
fn every_file_is_watched_and_those_of_other_listeners_stay_as_they_are() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let [one, two] = ["one", "two"].map(|name| dir.write_pair(name, &authority.issue(&["web.test"])));
    let ca = dir.write("ca.crt", &authority.pem());
    let first = NamedListener { name: "first".into(), ..listener(vec![one.clone()]) };
    let second = NamedListener { name: "second".into(), ..listener(vec![two.clone()]) };
    let mut backend = upstream(Some(&ca));
    backend.tls.certificate = Some(one.clone());
    let settings = TlsSettings { listeners: vec![first, second], services: vec![backend] };
    let mut certificates = prepare(settings).unwrap();
    let files = [one.cert, one.key, two.cert, two.key, ca];
    assert_eq!(certificates.files(), files.into());
    let id = |name: &str| Some(ListenerId(u32::from(name == "second")));
    let before = certificates.contexts(id, |_| None).listeners;
    dir.write_pair("two", &authority.issue(&["web.test"]));
    let news = certificates.read_again(SystemTime::now() + Duration::from_secs(1));
    assert!(matches!(&news[..], [News::Renewed { of, .. }] if &**of == "second"));
    let after = certificates.contexts(id, |_| None).listeners;
    let same = |id| Arc::ptr_eq(&before[&ListenerId(id)].config, &after[&ListenerId(id)].config);
    assert!(same(0) && !same(1));
}

#[test]
fn a_name_that_no_certificate_can_have_is_told() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let ca = dir.write("ca.crt", &authority.pem());
    let mut backend = upstream(Some(&ca));
    backend.tls.server_name = Some("not a name".into());
    let said = prepare(of_upstream(&backend)).map(drop).unwrap_err().to_string();
    assert!(said.contains("backend") && said.contains("not a name"), "{said}");
}
