//! A certificate for 127.0.0.1 by an authority of its own, made by `openssl`. Knows nothing of who shows it.

use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A certificate and its key in files, gone when dropped.
#[derive(Debug)]
pub struct Certificate {
    dir: TempDir,
}

impl Certificate {
    /// Makes one that is valid for a day.
    ///
    /// # Errors
    /// If `openssl` cannot.
    pub fn make() -> Result<Self> {
        let dir = TempDir::new()?;
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        // No other authority has its name, as no other has its directory.
        let name = dir.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let subject = format!("/CN=evenkeel tests {name}");
        let authority = ["-x509", "-days", "1", "-subj", &subject, "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(&dir, &[&["req"][..], &curve, &authority].concat())?;
        let own = ["-subj", "/CN=127.0.0.1", "-addext", names, "-keyout", "own.key", "-out", "own.csr"];
        openssl(&dir, &[&["req"][..], &curve, &own].concat())?;
        let sign = ["x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(&dir, &[&sign[..], &["-days", "1", "-copy_extensions", "copy", "-out", "own.pem"]].concat())?;
        let made = Self { dir };
        let both = [fs::read(made.chain())?, fs::read(made.key())?].concat();
        fs::write(made.chain_and_key(), both)?;
        Ok(made)
    }

    /// The certificate.
    #[must_use]
    pub fn chain(&self) -> PathBuf {
        self.file("own.pem")
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.file("own.key")
    }

    /// Both in one file.
    #[must_use]
    pub fn chain_and_key(&self) -> PathBuf {
        self.file("both.pem")
    }

    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// The authority's certificate in a store of Java's, whose password is `evenkeel`.
    ///
    /// # Errors
    /// If `keytool` cannot make it.
    pub fn java_store(&self) -> Result<PathBuf> {
        let store = self.file("store.p12");
        if !store.exists() {
            let mut make = Command::new("keytool");
            make.args(["-importcert", "-noprompt", "-alias", "ca", "-storetype", "PKCS12"]);
            make.args(["-storepass", "evenkeel", "-keystore"]).arg(&store).arg("-file").arg(self.authority());
            let output = make.output()?;
            ensure!(output.status.success(), "keytool: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(store)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn openssl(dir: &TempDir, words: &[&str]) -> Result<()> {
    let place: &Path = dir.path();
    let output = Command::new("openssl").args(words).current_dir(place).output()?;
    ensure!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
