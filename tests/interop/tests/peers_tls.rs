//! TLS as real programs speak it, on both sides of Evenkeel: which versions and protocols are agreed on, who is believed and
//! who is not, certificates that change while sessions live, and ports that take both.

use anyhow::{Context, Result, ensure};
use evenkeel_interop::certificate::Certificate;
use evenkeel_interop::instance::{Instance, says};
use evenkeel_interop::tap::Tap;
use evenkeel_interop::wait::{DEADLINE, until};
use evenkeel_interop::web::{self, WebServer};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// `tls` of a listener that shows this certificate.
fn shows(certificate: &Certificate) -> String {
    of_files(&certificate.chain(), &certificate.key(), "")
}

fn of_files(chain: &Path, key: &Path, more: &str) -> String {
    format!(
        "tls: {{ certificates: [{{ cert: \"{}\", key: \"{}\" }}]{more} }}",
        chain.display(),
        key.display()
    )
}

/// One listener `peers` before one service. `listener` and `service`: what else is set of them.
fn configuration(listener: &str, endpoint: &str, service: &str) -> String {
    format!(
        "admin: {{ bind: \"127.0.0.1:0\" }}\nlisteners:\n- {{ name: peers, bind: \"127.0.0.1:0\", service: peers, {listener} }}\n\
         services:\n- name: peers\n  endpoints: {{ static: [\"{endpoint}\"] }}\n  upstream: {{ {service} }}\n"
    )
}

fn start(listener: &str, endpoint: &str, service: &str) -> Result<(Instance, String)> {
    let mut instance = Instance::start(TempDir::new()?, &configuration(listener, endpoint, service))?;
    let address = instance.address("peers")?;
    Ok((instance, address))
}

fn curl(words: &[&str], url: &str) -> Result<Output> {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "--noproxy", "*", "--max-time", "20"]).args(words).arg(url);
    command.output().context("cannot run curl")
}

/// What `curl` printed, which must have gone well.
fn asked(words: &[&str], url: &str) -> Result<String> {
    let output = curl(words, url)?;
    ensure!(output.status.success(), "curl {words:?} {url}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn path(file: &Path) -> String {
    file.display().to_string()
}

/// A Go server that takes TLS alone, with these names.
fn secure_servers(names: &[&str], certificate: &Certificate) -> Result<WebServer> {
    let (chain, key) = (path(&certificate.chain()), path(&certificate.key()));
    WebServer::go(names, &["--cert", &chain, "--key", &key])
}

#[test]
fn a_curl_client_agrees_on_each_version_of_tls_and_of_http() -> Result<()> {
    let certificate = Certificate::make()?;
    let server = WebServer::go(&["only"], &[])?;
    let (_instance, address) = start(&shows(&certificate), &server.addresses()[0], "protocol: h1")?;
    let ca = path(&certificate.authority());
    for tls in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        for (http, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
            let words = [&tls[..], &[http, "--cacert", &ca, "-w", "%{http_version}"]].concat();
            let said = asked(&words, &format!("https://{address}/"))?;
            assert_eq!(said, format!("only\n{version}"), "{words:?}");
        }
    }
    Ok(())
}

#[test]
fn a_curl_client_of_an_older_version_than_is_taken_is_refused() -> Result<()> {
    let certificate = Certificate::make()?;
    let server = WebServer::go(&["only"], &[])?;
    let listener = of_files(&certificate.chain(), &certificate.key(), ", min_version: 1.3");
    let (mut instance, address) = start(&listener, &server.addresses()[0], "protocol: h1")?;
    let (ca, url) = (path(&certificate.authority()), format!("https://{address}/"));
    let old = curl(&["--cacert", &ca, "--tlsv1.2", "--tls-max", "1.2"], &url)?;
    assert_eq!(old.status.code(), Some(35), "{old:?}");
    let record = instance.record_of("session_ended", "tls_handshake_failed")?;
    says(&record.to_string(), &["no version, cipher suite or protocol"])?;
    assert_eq!(asked(&["--cacert", &ca], &url)?, "only\n");
    Ok(())
}

/// Each kind of exchange of a client over TLS, before servers in cleartext and over TLS that say by ALPN what they speak.
fn every_kind_goes_through(client: &str, without: &[&str]) -> Result<()> {
    let certificate = Certificate::make()?;
    let ca = path(&certificate.authority());
    let clear = WebServer::go(&["only"], &[])?;
    let secure = secure_servers(&["only"], &certificate)?;
    let verified = format!("tls: {{ ca: \"{ca}\" }}");
    for (server, service, protocol) in [
        (&clear, "protocol: h1", "HTTP/1.1"),
        (&secure, &verified[..], "HTTP/2.0"),
        (&secure, &format!("protocol: h1, {verified}"), "HTTP/1.1"),
    ] {
        let (_instance, address) = start(&shows(&certificate), &server.addresses()[0], service)?;
        let report = web::https(client, &address, &certificate, &["--requests", "20", "--kinds"])?;
        let what = format!("{client}, {service}: {report:?}");
        assert_eq!((report.errors, report.protocols.get(protocol)), (0, Some(&20)), "{what}");
        let has_failed = |(kind, said): (&String, &String)| said != "ok" && !without.contains(&kind.as_str());
        assert!(!report.kinds.is_empty() && !report.kinds.iter().any(has_failed), "{what}");
    }
    Ok(())
}

#[test]
fn a_go_client_over_http_2_and_tls_makes_every_kind_of_exchange() -> Result<()> {
    every_kind_goes_through("web-go", &[])
}

#[test]
fn a_node_client_over_tls_makes_every_kind_of_exchange() -> Result<()> {
    every_kind_goes_through("web-node", &[])
}

#[test]
fn a_python_client_over_tls_makes_every_kind_of_exchange() -> Result<()> {
    every_kind_goes_through("web-python", &[])
}

#[test]
fn a_java_client_over_tls_makes_every_kind_of_exchange() -> Result<()> {
    // Over TLS there is no upgrade to h2c: versions are agreed on by ALPN.
    every_kind_goes_through("web-java", &["h2c_upgrade"])
}

/// Every session of a client over TLS is as it is direct and in cleartext.
fn sessions_are_the_same(client: &str, more: &[&str]) -> Result<()> {
    let certificate = Certificate::make()?;
    let server = WebServer::go(&["only"], &[])?;
    let direct = web::sessions(client, &server.addresses()[0], more)?;
    let (_instance, address) = start(&shows(&certificate), &server.addresses()[0], "protocol: h1")?;
    let through = web::secure_sessions(client, &address, &certificate, more)?;
    assert_eq!(through, direct, "{client}");
    Ok(())
}

#[test]
fn a_go_client_has_the_same_sessions_over_tls() -> Result<()> {
    sessions_are_the_same("web-go", &[])
}

#[test]
fn a_node_client_has_the_same_sessions_over_tls() -> Result<()> {
    sessions_are_the_same("web-node", &[])
}

#[test]
fn a_java_client_has_the_same_sessions_over_tls() -> Result<()> {
    sessions_are_the_same("web-java", &[])
}

#[test]
fn an_endpoint_that_cannot_be_believed_gets_no_request_of_a_curl_client() -> Result<()> {
    let (certificate, other) = (Certificate::make()?, Certificate::make()?);
    let server = secure_servers(&["only"], &certificate)?;
    let (ca, strange) = (path(&certificate.authority()), path(&other.authority()));
    for (service, why) in [
        (format!("tls: {{ ca: \"{strange}\" }}"), "unknown authority"),
        (format!("tls: {{ ca: \"{ca}\", server_name: other.test }}"), "for another name"),
    ] {
        let (mut instance, address) = start("protocol: http", &server.addresses()[0], &service)?;
        let status = asked(&["-o", "/dev/null", "-w", "%{http_code}"], &format!("http://{address}/"))?;
        assert!(status == "502" || status == "503", "{status}");
        let record = instance.record_of("upstream_closed", "tls_handshake_failed")?;
        says(&record.to_string(), &[why])?;
    }
    for service in [
        format!("tls: {{ ca: \"{ca}\" }}"),
        format!("tls: {{ ca: \"{ca}\", server_name: localhost }}"),
        "tls: { verify: false }".to_owned(),
    ] {
        let (_instance, address) = start("protocol: http", &server.addresses()[0], &service)?;
        assert_eq!(asked(&[], &format!("http://{address}/"))?, "only\n", "{service}");
    }
    Ok(())
}

#[test]
fn a_curl_client_without_the_certificate_that_is_asked_for_is_refused_and_one_with_it_is_told_on()
-> Result<()> {
    let (certificate, other) = (Certificate::make()?, Certificate::make()?);
    let server = WebServer::go(&["only"], &[])?;
    let tap = Tap::start(&server.addresses()[0])?;
    let ca = path(&certificate.authority());
    let own = path(&certificate.chain_and_key());
    let strange = path(&other.chain_and_key());
    for mode in ["required", "optional"] {
        let asks = format!(", client_auth: {{ ca: \"{ca}\", mode: {mode} }}");
        let listener = of_files(&certificate.chain(), &certificate.key(), &asks);
        let (mut instance, address) = start(&listener, tap.address(), "protocol: h1")?;
        let url = format!("https://{address}/{mode}");
        let nobody = curl(&["--cacert", &ca], &url)?;
        assert_eq!(nobody.status.success(), mode == "optional", "{nobody:?}");
        if mode == "required" {
            let record = instance.record_of("session_ended", "tls_handshake_failed")?;
            says(&record.to_string(), &["showed no certificate"])?;
        }
        let stranger = curl(&["--cacert", &ca, "--cert", &strange], &url)?;
        assert!(!stranger.status.success(), "{stranger:?}");
        let known = ["--cacert", &ca, "--cert", &own, "-H", "x-forwarded-client-cert: forged"];
        asked(&known, &format!("{url}/known"))?;
        let passed: Vec<u8> = tap.passed().into_iter().flat_map(|passed| passed.asked).collect();
        let requests = String::from_utf8(passed)?.to_lowercase();
        let of = |path: &str| -> Result<String> {
            let found = requests.split("\r\n\r\n").find(|request| request.contains(&format!("get {path} ")));
            found.map(str::to_owned).with_context(|| format!("no request for {path}: {requests}"))
        };
        let known = of(&format!("/{mode}/known"))?;
        ensure!(known.contains("x-forwarded-client-cert: localhost"), "{known}");
        ensure!(!requests.contains("forged"), "{requests}");
        if mode == "optional" {
            let nobody = of("/optional")?;
            ensure!(!nobody.contains("x-forwarded-client-cert"), "{nobody}");
        }
    }
    Ok(())
}

#[test]
fn a_second_evenkeel_that_asks_for_a_certificate_serves_the_first_one_by_it() -> Result<()> {
    let certificate = Certificate::make()?;
    let server = WebServer::go(&["only"], &[])?;
    let ca = path(&certificate.authority());
    let asks = format!(", client_auth: {{ ca: \"{ca}\", mode: required }}");
    let listener = of_files(&certificate.chain(), &certificate.key(), &asks);
    let (_back, at_back) = start(&listener, &server.addresses()[0], "protocol: h1")?;
    let (cert, key) = (path(&certificate.chain()), path(&certificate.key()));
    let by_it = format!("tls: {{ ca: \"{ca}\", cert: \"{cert}\", key: \"{key}\" }}");
    let (_front, address) = start("protocol: http", &at_back, &by_it)?;
    assert_eq!(asked(&[], &format!("http://{address}/"))?, "only\n");

    let (mut front, address) = start("protocol: http", &at_back, &format!("tls: {{ ca: \"{ca}\" }}"))?;
    let status = asked(&["-o", "/dev/null", "-w", "%{http_code}"], &format!("http://{address}/"))?;
    assert!(status == "502" || status == "503", "{status}");
    let record = front.record_of("upstream_closed", "tls_handshake_failed")?;
    says(&record.to_string(), &["refuses our certificate, or misses one"])
}

#[test]
fn a_session_lives_on_while_its_listeners_certificate_is_renewed_for_the_next_curl_client() -> Result<()> {
    let (first, second) = (Certificate::make()?, Certificate::make()?);
    let server = WebServer::go(&["only"], &[])?;
    let dir = TempDir::new()?;
    let (cert, key) = (dir.path().join("own.pem"), dir.path().join("own.key"));
    fs::copy(first.chain(), &cert)?;
    fs::copy(first.key(), &key)?;
    let (_instance, address) = start(&of_files(&cert, &key, ""), &server.addresses()[0], "protocol: h1")?;
    let mut old = Command::new("openssl")
        .args(["s_client", "-quiet", "-no_ign_eof", "-connect", &address, "-CAfile"])
        .arg(first.authority())
        .args(["-verify_return_error", "-alpn", "http/1.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut say = old.stdin.take().context("no input")?;
    let mut hear = BufReader::new(old.stdout.take().context("no output")?);
    let mut ask = || -> Result<()> {
        say.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")?;
        let mut line = String::new();
        while line != "only\n" {
            line.clear();
            ensure!(hear.read_line(&mut line)? > 0, "the session has ended");
        }
        Ok(())
    };
    ask()?;
    for (from, to) in [(second.chain(), &cert), (second.key(), &key)] {
        let new = to.with_extension("new");
        fs::copy(from, &new)?;
        fs::rename(new, to)?;
    }
    let ca = path(&second.authority());
    until("the second certificate is shown", DEADLINE, || {
        Ok(curl(&["--cacert", &ca], &format!("https://{address}/"))?.status.success().then_some(()))
    })?;
    ask()?;
    old.kill()?;
    old.wait()?;
    Ok(())
}

#[test]
fn the_name_that_a_curl_client_asks_for_leads_its_tls_through_unopened() -> Result<()> {
    let certificate = Certificate::make()?;
    let servers = secure_servers(&["named", "other"], &certificate)?;
    let [named, other] = servers.addresses() else { anyhow::bail!("two servers were started") };
    let text = format!(
        "admin: {{ bind: \"127.0.0.1:0\" }}\nlisteners:\n- name: peers\n  bind: \"127.0.0.1:0\"\n  protocol: tcp\n  routes:\n  \
         - {{ match: {{ sni: localhost }}, service: named }}\n  - {{ service: other }}\nservices:\n\
         - {{ name: named, endpoints: {{ static: [\"{named}\"] }} }}\n\
         - {{ name: other, endpoints: {{ static: [\"{other}\"] }} }}\n"
    );
    let mut instance = Instance::start(TempDir::new()?, &text)?;
    let address = instance.address("peers")?;
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);
    let ca = path(&certificate.authority());
    let to = format!("localhost:{port}:127.0.0.1");
    let by_name = ["--cacert", &ca, "--resolve", &to, "-w", "%{http_version}"];
    assert_eq!(asked(&by_name, &format!("https://localhost:{port}/"))?, "named\n2");
    assert_eq!(asked(&["--cacert", &ca], &format!("https://{address}/"))?, "other\n");
    Ok(())
}

#[test]
fn one_port_takes_a_curl_client_with_tls_and_one_without() -> Result<()> {
    let certificate = Certificate::make()?;
    let server = WebServer::go(&["only"], &[])?;
    let listener = format!("protocol: auto, {}", shows(&certificate));
    let (_instance, address) = start(&listener, &server.addresses()[0], "protocol: h1")?;
    let ca = path(&certificate.authority());
    for http in ["--http1.1", "--http2"] {
        assert_eq!(asked(&[http, "--cacert", &ca], &format!("https://{address}/"))?, "only\n");
    }
    for http in ["--http1.1", "--http2-prior-knowledge"] {
        assert_eq!(asked(&[http], &format!("http://{address}/"))?, "only\n");
    }
    Ok(())
}

/// A tunnel whose client ends its side first: `openssl s_client` does when its input ends, and hears the rest.
#[test]
fn a_tunnel_that_ends_tls_passes_on_the_end_of_one_side_before_the_other() -> Result<()> {
    let certificate = Certificate::make()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let endpoint = listener.local_addr()?.to_string();
    let heard = std::thread::spawn(move || -> Result<Vec<u8>> {
        let (mut stream, _) = listener.accept()?;
        let mut said = Vec::new();
        // The answer comes after the client's end alone.
        std::io::Read::read_to_end(&mut stream, &mut said)?;
        stream.write_all(&vec![b'x'; 1 << 20])?;
        Ok(said)
    });
    let (_instance, address) =
        start(&format!("protocol: tcp, {}", shows(&certificate)), &endpoint, "max_connections: 4")?;
    let mut client = evenkeel_interop::tls::Client::connect(&address, &certificate)?;
    client.say(b"a question")?;
    client.end()?;
    let answer = client.hear_to_the_end()?;
    assert_eq!(answer.len(), 1 << 20, "the answer after our own end");
    let said = heard.join().map_err(|_| anyhow::anyhow!("the endpoint failed"))??;
    assert_eq!(said, b"a question");
    Ok(())
}
