//! Installs the gRPC programs of `tests/clients` into the cache: one function a language, each gives the command that runs
//! it. Knows what each toolchain needs; the interop suite runs what comes out.

use crate::machine::{built, cache, cargo, has, install, is_root, tree};
use crate::run;
use anyhow::{Context, Result, bail};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and the words before its own.
pub(super) type Words = Vec<String>;

/// A language and how its program is installed.
type Language = (&'static str, fn() -> Result<Words>);

const LANGUAGES: &[Language] =
    &[("python", python), ("node", node), ("go", go), ("java", java), ("rust", rust)];

/// Installs every language's program, and says for each its command or why there is none.
pub(super) fn install_all() -> Vec<(&'static str, Result<Words>)> {
    let note = |(name, install): &Language| {
        println!("installing the {name} client");
        (*name, install())
    };
    LANGUAGES.iter().map(note).collect()
}

pub(super) fn source(language: &str) -> PathBuf {
    tree().join("tests/clients").join(language)
}

pub(super) fn needs(programs: &[&str]) -> Result<()> {
    match programs.iter().find(|program| !has(program)) {
        Some(missing) => bail!("{missing} is not installed"),
        None => Ok(()),
    }
}

pub(super) fn words<const N: usize>(words: [&Path; N]) -> Words {
    words.map(|word| word.display().to_string()).into()
}

/// A directory of the cache that is made once for this content; `make` fills it.
pub(super) fn once(
    language: &str,
    files: &[PathBuf],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut content = DefaultHasher::new();
    for file in files {
        fs::read(file).with_context(|| file.display().to_string())?.hash(&mut content);
    }
    let dir = cache("clients")?.join(format!("{language}-{:016x}", content.finish()));
    let done = dir.join("installed");
    if !done.is_file() {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        make(&dir)?;
        fs::write(done, "")?;
    }
    Ok(dir)
}

fn python() -> Result<Words> {
    let venv = venv("python", &source("python").join("requirements.txt"))?;
    Ok(words([&venv.join("bin/python"), &source("python").join("echo.py")]))
}

/// A virtual environment that holds what is required, and nothing else.
pub(super) fn venv(name: &str, requirements: &Path) -> Result<PathBuf> {
    needs(&["python3"])?;
    let dir = once(name, &[requirements.to_path_buf()], |dir| {
        let venv = dir.join("venv");
        let make = || run::quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        if make().is_err() {
            // Debian keeps what `venv` needs in a package of its own.
            if !is_root() {
                bail!("python3 has no venv");
            }
            install(&[("ensurepip of python3", "python3-venv")])?;
            make()?;
        }
        let mut pip = Command::new(venv.join("bin/pip"));
        run::quietly(pip.args(["install", "--quiet", "--no-deps", "-r"]).arg(requirements))
    })?;
    Ok(dir.join("venv"))
}

fn node() -> Result<Words> {
    needs(&["node", "npm"])?;
    let names = ["package.json", "package-lock.json", ".npmrc", "echo.js", "client.js", "server.js"];
    let files = names.map(|name| source("node").join(name));
    let dir = once("node", &files, |dir| {
        for (name, file) in names.iter().zip(&files) {
            fs::copy(file, dir.join(name))?;
        }
        run::quietly(Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(dir))
    })?;
    Ok(words([Path::new("node"), &dir.join("echo.js")]))
}

fn go() -> Result<Words> {
    needs(&["go"])?;
    let program = cache("clients")?.join("go-echo");
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(source("go"));
    run::quietly(&mut build)?;
    Ok(words([&program]))
}

fn java() -> Result<Words> {
    needs(&["java", "mvn"])?;
    let place = source("java");
    let mut files = vec![place.join("pom.xml")];
    let mut sources: Vec<_> = fs::read_dir(place.join("src/main/java/evenkeel"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    sources.sort();
    files.extend(sources);
    let dir = once("java", &files, |dir| {
        let output = format!("-Decho.output={}", dir.display());
        run::quietly(Command::new("mvn").args(["-q", "-B", "package"]).arg(output).current_dir(&place))
    })?;
    let path = format!("{}:{}/*", dir.join("echo.jar").display(), dir.join("lib").display());
    Ok(["java", "-cp", &path, "evenkeel.Main"].map(str::to_owned).into())
}

/// The server and the client of grpc-go's own interop suite, built from a lock file.
pub(super) fn grpc_go() -> Result<[Words; 2]> {
    println!("installing grpc-go's interop suite");
    needs(&["go"])?;
    let dir = cache("clients")?.join("grpc-go-interop");
    fs::create_dir_all(&dir)?;
    let programs = ["server", "client"];
    for name in programs {
        let mut build = Command::new("go");
        build.args(["build", "-mod=readonly", "-o"]).arg(dir.join(name));
        build.arg(format!("google.golang.org/grpc/interop/{name}"));
        run::quietly(build.current_dir(source("go-interop")))?;
    }
    Ok(programs.map(|name| words([&dir.join(name)])))
}

/// The program on tonic, built.
pub(super) fn rust() -> Result<Words> {
    run::quietly(&mut cargo(["build", "--quiet", "--locked", "-p", "evenkeel-echo"]))?;
    Ok(words([&built("debug").join("evenkeel-echo")]))
}
