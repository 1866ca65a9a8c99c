//! Connections that say nothing before and after a few exchanges: what an idle one costs is read meanwhile. Called by `main`.
use super::Load;
use crate::tally::cpu_s;
use crate::{Args, mono_ns};
use std::io::{self, Read};
use std::time::Duration;

/// Opens connections and says so on stdout; then at each line on stdin does some exchanges on each and says so again;
/// holds them until stdin ends, and says how many are left.
pub fn park(args: &Args) {
    let t = mono_ns();
    let mut load = Load::open(args);
    load.settle();
    let stdin = load.callers.len();
    load.poll.add(0, stdin);
    let held = |load: &Load| load.callers.iter().filter(|c| !c.is_lost).count();
    load.tally.report((mono_ns() - t) as f64 / 1e9, held(&load), cpu_s());
    let mut word = [0; 64];
    loop {
        load.turn(None, |_, _, _| {});
        if load.ready.contains(&stdin) {
            match io::stdin().read(&mut word) {
                Ok(n) if n > 0 => exchanges(&mut load, args.num("exchanges", 20)),
                _ => return load.tally.report(1.0, held(&load), cpu_s()),
            }
            load.tally.report(1.0, held(&load), cpu_s());
        }
    }
}

/// So many exchanges on each connection, one after the other, 200 connections at once.
fn exchanges(load: &mut Load, each: u64) {
    let last = 1 + 2 * each as u32;
    for from in (0..load.callers.len()).step_by(200) {
        let group = from..load.callers.len().min(from + 200);
        for at in group.clone() {
            if load.callers[at].room(1) > 0 {
                load.callers[at].call(mono_ns(), load.body, &mut load.block);
                load.flush(at);
            }
        }
        let until = mono_ns() + 20_000_000_000;
        while group.clone().any(|at| !load.callers[at].link.streams.is_empty()) && mono_ns() < until {
            load.turn(Some(Duration::from_millis(100)), |c, block, body| {
                if c.has_begun && c.next < last && c.room(1) > 0 {
                    c.call(mono_ns(), body, block);
                }
            });
        }
    }
    let short = load.callers.iter().filter(|c| !c.is_lost && c.next != last).count();
    load.tally.error(short as u64, || "connections without all their exchanges".into());
}
