//! Where the configuration comes from when it is read again, and what a new one changes.
//!
//! Knows files and configurations, not what is done about them: that is the operator's.

use super::watch::WatchedFile;
use evenkeel_config::model::Config;
use evenkeel_config::{Mistake, Mistakes};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command line sets over whatever the file says, at the start and at each reload. Fails where the two do not
/// go together.
pub type Overrides = Box<dyn Fn(&mut Config) -> Result<(), Mistakes> + Send>;

/// Where the configuration comes from.
pub enum ConfigSource {
    /// It was given as a value; there is nothing to read again.
    Fixed,
    /// A file that is watched.
    File(ConfigFile),
}

/// A configuration file that is watched.
pub struct ConfigFile {
    path: PathBuf,
    content: Vec<u8>,
    overrides: Overrides,
}

impl ConfigFile {
    /// Reads a configuration, and remembers where it came from.
    ///
    /// # Errors
    /// Every mistake in it, or that it cannot be read.
    pub fn open(path: &Path, overrides: Overrides) -> Result<(Config, Self), Mistakes> {
        // Read before it is parsed: should it change in between, the watch sees the later content as new.
        let content = std::fs::read(path).unwrap_or_default();
        let file = Self { path: path.to_owned(), content, overrides };
        Ok((file.read()?, file))
    }

    /// Reads it again.
    ///
    /// # Errors
    /// Every mistake in it, or that it cannot be read.
    pub fn read(&self) -> Result<Config, Mistakes> {
        let mut config = evenkeel_config::load(&self.path)?;
        (self.overrides)(&mut config)?;
        Ok(config)
    }

    /// The file, to be looked at for changes since it was opened.
    #[must_use]
    pub fn watch(&self) -> WatchedFile {
        WatchedFile::with_known_content(&self.path, self.content.clone())
    }
}

/// Each mistake in one line, for the log.
#[must_use]
pub fn in_lines(mistakes: &Mistakes) -> Vec<String> {
    let mut lines: Vec<String> = mistakes.list.iter().map(|m| in_line(&mistakes.origin, m)).collect();
    if mistakes.unlisted > 0 {
        lines.push(format!("and {} more", mistakes.unlisted));
    }
    lines
}

fn in_line(origin: &str, mistake: &Mistake) -> String {
    let mut line = origin.to_owned();
    if let Some(place) = mistake.place {
        line += &format!(":{}:{}", place.line, place.column);
    }
    if !mistake.path.is_empty() {
        line += &format!(": {}", mistake.path);
    }
    line += &format!(": {}", mistake.what);
    if let Some(given) = &mistake.given {
        line += &format!("; given: {given}");
    }
    if let Some(allowed) = &mistake.allowed {
        line += &format!("; allowed: {allowed}");
    }
    if let Some(nearest) = &mistake.nearest {
        line += &format!("; did you mean `{nearest}`?");
    }
    line
}

/// Names that came, went and changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct NameChanges {
    added: Vec<Arc<str>>,
    removed: Vec<Arc<str>>,
    changed: Vec<Arc<str>>,
}

impl NameChanges {
    fn between<T: PartialEq>(before: &[T], after: &[T], name: fn(&T) -> &Arc<str>) -> Self {
        let find = |list: &[T], wanted: &T| list.iter().position(|item| name(item) == name(wanted));
        let mut changes = Self::default();
        for item in after {
            match find(before, item) {
                None => changes.added.push(name(item).clone()),
                Some(i) if before[i] != *item => changes.changed.push(name(item).clone()),
                Some(_) => {}
            }
        }
        changes.removed =
            before.iter().filter(|item| find(after, item).is_none()).map(|item| name(item).clone()).collect();
        changes
    }

    fn parts(&self, kind: &'static str) -> impl Iterator<Item = String> {
        [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(move |(what, names)| {
                let plural = if names.len() == 1 { "" } else { "s" };
                format!("{} {kind}{plural} {what} ({})", names.len(), names.join(", "))
            })
    }
}

/// What a new configuration changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    listeners: NameChanges,
    services: NameChanges,
    drain: bool,
    /// Whether listeners come, go or change their address.
    pub bindings: bool,
    /// Settings that changed and are applied at the next start only.
    pub restart_needed: Vec<&'static str>,
}

impl Changes {
    /// From one configuration to another.
    #[must_use]
    pub fn between(before: &Config, after: &Config) -> Self {
        let restart = [
            ("workers", before.workers != after.workers),
            ("log", before.log != after.log),
            ("admin", before.admin != after.admin),
            ("limits", before.limits != after.limits),
        ];
        Self {
            listeners: NameChanges::between(&before.listeners, &after.listeners, |l| &l.name),
            services: NameChanges::between(&before.services, &after.services, |s| &s.name),
            drain: before.drain != after.drain,
            bindings: bindings(before) != bindings(after),
            restart_needed: restart.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect(),
        }
    }

    /// Whether there is nothing to apply now.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.listeners == NameChanges::default() && self.services == NameChanges::default() && !self.drain
    }
}

fn bindings(config: &Config) -> Vec<(&str, SocketAddr)> {
    let mut bindings: Vec<_> = config.listeners.iter().map(|l| (&*l.name, l.bind)).collect();
    bindings.sort_unstable();
    bindings
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .listeners
            .parts("listener")
            .chain(self.services.parts("service"))
            .chain(self.drain.then(|| "drain changed".to_owned()))
            .collect();
        if parts.is_empty() { f.write_str("nothing") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::test_config::{config, list, listener, service};
    use evenkeel_config::Flag;

    fn before() -> Config {
        config(vec![listener("web", "a")], vec![service("a", list(&[1])), service("b", list(&[2]))])
    }

    #[test]
    fn the_same_configuration_changes_nothing_even_in_another_order() {
        let mut after = before();
        after.services.reverse();
        let changes = Changes::between(&before(), &after);
        assert!(changes.is_nothing() && !changes.bindings && changes.restart_needed.is_empty());
        assert_eq!(changes.to_string(), "nothing");
    }

    #[test]
    fn what_came_went_and_changed_is_told_by_name() {
        let mut after = before();
        after.listeners[0].bind.set_port(9);
        after.services[0] = service("a", list(&[1, 2]));
        after.services[1].name = "c".into();
        let changes = Changes::between(&before(), &after);
        assert!(changes.bindings);
        assert_eq!(
            changes.to_string(),
            "1 listener changed (web), 1 service added (c), 1 service removed (b), 1 service changed (a)"
        );
    }

    #[test]
    fn what_only_a_restart_applies_is_told() {
        let mut after = before();
        after.workers = Some(7);
        after.admin.bind = None;
        after.limits.exchanges = 7;
        let changes = Changes::between(&before(), &after);
        assert!(changes.is_nothing());
        assert_eq!(changes.restart_needed, ["workers", "admin", "limits"]);
    }

    #[test]
    fn what_the_command_line_sets_outlives_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evenkeel.yaml");
        let text = |port| {
            format!(
                "workers: 3\nlisteners: [{{ name: web, bind: \"127.0.0.1:{port}\", service: a }}]\n\
                 services: [{{ name: a, endpoints: {{ static: [\"127.0.0.1:1\"] }} }}]\n"
            )
        };
        std::fs::write(&path, text(1000)).unwrap();
        let (config, file) =
            ConfigFile::open(&path, Box::new(|c| c.set(Flag::Workers, "1", "--workers"))).unwrap();
        assert_eq!((config.workers, config.listeners[0].bind.port()), (Some(1), 1000));
        std::fs::write(&path, text(1001)).unwrap();
        let config = file.read().unwrap();
        assert_eq!((config.workers, config.listeners[0].bind.port()), (Some(1), 1001));
    }

    #[test]
    fn every_mistake_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evenkeel.yaml");
        std::fs::write(&path, "listenres: []\nworkers: many\n").unwrap();
        let mistakes = evenkeel_config::load(&path).unwrap_err();
        let lines = in_lines(&mistakes);
        assert_eq!(lines.len(), mistakes.list.len());
        assert!(
            lines.iter().any(|l| l.contains("listenres") && l.contains("did you mean `listeners`?")),
            "{lines:?}"
        );
        assert!(lines.iter().all(|l| !l.contains('\n')), "{lines:?}");
    }
}
