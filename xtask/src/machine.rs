//! What this machine has: the tree, the cache outside it, root, programs, packages. Suites and bench ask it.

use crate::run;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub(crate) fn tree() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A directory of the cache, made if need be: `$XDG_CACHE_HOME/evenkeel/NAME`, else below `~/.cache`.
pub(crate) fn cache(name: &str) -> Result<PathBuf> {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(&home).join(".cache"),
        _ => bail!("neither XDG_CACHE_HOME nor HOME says where a cache may be"),
    };
    let dir = base.join("evenkeel").join(name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Where cargo puts what it builds.
pub(crate) fn built(profile: &str) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree().join("target"), PathBuf::from);
    tree().join(target).join(profile)
}

/// A cargo that works on this workspace.
pub(crate) fn cargo<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(tree());
    command
}

/// Whether this is root, which may install packages and make network namespaces.
pub(crate) fn is_root() -> bool {
    run::text(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Whether a program is on the path.
pub(crate) fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Makes programs present: those that are missing are installed from these Debian packages.
///
/// # Errors
/// Names what is missing where this is not root or there is no apt.
pub(crate) fn install(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|(program, _)| !has(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    if !is_root() || !has("apt-get") {
        bail!("not installed, and only root with apt could: {}", packages.join(", "));
    }
    let quiet = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-y"]).args(words).env("DEBIAN_FRONTEND", "noninteractive");
        run::quietly(&mut command)
    };
    quiet(&["update"])?;
    quiet(&[&["install", "--no-install-recommends"], &packages[..]].concat())
}
