//! Which crate may depend on which, and which foreign crates may not be reached from the pure ones, read from
//! `cargo metadata`. The table is the picture in the design: nothing imports upwards.

use super::Finding;
use crate::machine::cargo;
use crate::run;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A crate of ours and those of ours that it may build on.
const MAY: &[(&str, &[&str])] = &[
    ("evenkeel-core", &[]),
    ("evenkeel-wire", &[]),
    ("evenkeel-engine", &["evenkeel-core", "evenkeel-wire"]),
    ("evenkeel-config", &["evenkeel-core"]),
    ("evenkeel-server", &["evenkeel-engine", "evenkeel-config", "evenkeel-core"]),
    ("evenkeel-kubernetes", &["evenkeel-config", "evenkeel-core"]),
    ("evenkeel-doctor", &["evenkeel-core"]),
    (
        "evenkeel",
        &["evenkeel-server", "evenkeel-config", "evenkeel-core", "evenkeel-doctor", "evenkeel-kubernetes"],
    ),
    (
        "evenkeel-testkit",
        &["evenkeel-core", "evenkeel-wire", "evenkeel-engine", "evenkeel-config", "evenkeel-server"],
    ),
    ("fuzz", &["evenkeel-core", "evenkeel-wire", "evenkeel-engine", "evenkeel-config", "evenkeel-testkit"]),
    ("evenkeel-echo", &[]),
    ("evenkeel-interop", &[]),
    ("evenkeel-attacks", &["evenkeel-interop"]),
    ("xtask", &[]),
];

/// Only tests may build on it.
const FOR_TESTS: &str = "evenkeel-testkit";

/// The crates that do no I/O, read no clock, draw no entropy and log nothing.
const PURE: &[&str] = &["evenkeel-core", "evenkeel-wire", "evenkeel-engine"];

/// What they may not reach, however far away.
const IMPURE: &[&str] =
    &["tokio", "mio", "socket2", "libc", "rustix", "tracing", "log", "rand", "getrandom", "kube", "h2"];

pub(super) fn check() -> Result<Finding> {
    let text = run::text(&mut cargo(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata = serde_json::from_str(&text).context("cargo metadata")?;
    let packages = packages(&metadata);
    let mut faults = upwards(&packages);
    faults.extend(impure(&packages));
    Ok(Finding::from_faults(faults))
}

/// A package of the build.
#[derive(Debug, Default)]
struct Package {
    name: String,
    ours: bool,
    /// Ids of what it builds on, for itself.
    normal: Vec<String>,
    /// Ids of what its tests build on.
    dev: Vec<String>,
}

fn packages(metadata: &Value) -> BTreeMap<String, Package> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let members: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(word).collect();
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let id = word(&package["id"]);
        let ours = members.contains(&id);
        packages.insert(id, Package { name: word(&package["name"]), ours, ..Package::default() });
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let Some(package) = packages.get_mut(&word(&node["id"])) else { continue };
        for dependency in list(&node["deps"]) {
            for kind in list(&dependency["dep_kinds"]) {
                match kind["kind"].as_str() {
                    None => package.normal.push(word(&dependency["pkg"])),
                    Some("dev") => package.dev.push(word(&dependency["pkg"])),
                    Some(_) => {}
                }
            }
        }
    }
    packages
}

fn upwards(packages: &BTreeMap<String, Package>) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages.values().filter(|package| package.ours) {
        let Some((_, may)) = MAY.iter().find(|(name, _)| *name == package.name) else {
            faults.push(format!("{} has no place in the table of crates", package.name));
            continue;
        };
        let ours = |ids: &[String]| -> Vec<String> {
            ids.iter().filter_map(|id| packages.get(id)).filter(|p| p.ours).map(|p| p.name.clone()).collect()
        };
        for on in ours(&package.normal).iter().filter(|on| !may.contains(&on.as_str())) {
            faults.push(format!("{} may not build on {on}", package.name));
        }
        for on in ours(&package.dev) {
            if on != FOR_TESTS && on != package.name && !may.contains(&on.as_str()) {
                faults.push(format!("the tests of {} may not build on {on}", package.name));
            }
        }
    }
    faults
}

fn impure(packages: &BTreeMap<String, Package>) -> Vec<String> {
    let mut faults = Vec::new();
    for (id, package) in packages.iter().filter(|(_, package)| PURE.contains(&package.name.as_str())) {
        let mut seen = BTreeSet::from([id.as_str()]);
        let mut trails = vec![(id.as_str(), package.name.clone())];
        while let Some((id, trail)) = trails.pop() {
            let Some(package) = packages.get(id) else { continue };
            if IMPURE.contains(&package.name.as_str()) {
                faults.push(format!("a pure crate reaches {}: {trail}", package.name));
            }
            for next in &package.normal {
                if seen.insert(next.as_str()) {
                    let name = packages.get(next).map_or("", |package| package.name.as_str());
                    trails.push((next.as_str(), format!("{trail} → {name}")));
                }
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(edges: &[(&str, &[&str], &[&str])]) -> BTreeMap<String, Package> {
        let ids = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let package = |(name, normal, dev): &(&str, &[&str], &[&str])| Package {
            name: (*name).to_owned(),
            ours: MAY.iter().any(|(known, _)| known == name) || name.starts_with("evenkeel"),
            normal: ids(normal),
            dev: ids(dev),
        };
        edges.iter().map(|edge| (edge.0.to_owned(), package(edge))).collect()
    }

    #[test]
    fn a_crate_may_build_on_those_below_it_only() {
        let well = build(&[
            ("evenkeel-core", &[], &["evenkeel-testkit"]),
            ("evenkeel-wire", &[], &[]),
            ("evenkeel-engine", &["evenkeel-core", "evenkeel-wire"], &[]),
            ("evenkeel-testkit", &["evenkeel-engine"], &[]),
        ]);
        assert_eq!(upwards(&well), [""; 0]);
        let upward = build(&[("evenkeel-core", &["evenkeel-wire"], &[]), ("evenkeel-wire", &[], &[])]);
        assert_eq!(upwards(&upward), ["evenkeel-core may not build on evenkeel-wire"]);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        let build = build(&[("evenkeel-config", &["evenkeel-testkit"], &[]), ("evenkeel-testkit", &[], &[])]);
        assert_eq!(upwards(&build), ["evenkeel-config may not build on evenkeel-testkit"]);
    }

    #[test]
    fn a_new_crate_must_be_placed_in_the_table() {
        let build = build(&[("evenkeel-extra", &[], &[])]);
        assert_eq!(upwards(&build), ["evenkeel-extra has no place in the table of crates"]);
    }

    #[test]
    fn a_pure_crate_may_not_reach_a_clock_even_through_another() {
        let build = build(&[
            ("evenkeel-wire", &["odd"], &["h2"]),
            ("odd", &["tokio"], &[]),
            ("tokio", &[], &[]),
            ("h2", &[], &[]),
        ]);
        assert_eq!(impure(&build), ["a pure crate reaches tokio: evenkeel-wire → odd → tokio"]);
    }
}
