//! `workers`, `log`, `admin`, `drain`, `limits`, and what holds across the whole file.

use crate::mistake::{Complaint, Place, Report};
use crate::model::{Admin, Config, Log, LogFormat, LogLevel};
use crate::parse::limits;
use crate::section::{Section, mistake};
use crate::value::{address, duration};
use evenkeel_core::policy::Drain;
use std::net::SocketAddr;

/// All of the process's settings; listeners and services are left empty.
pub(crate) fn read(root: &Section<'_>, report: &mut Report) -> Config {
    Config {
        workers: workers(root, report),
        log: log(&root.field("log").section(report), report),
        admin: admin(&root.field("admin").section(report), report),
        drain: drain(&root.field("drain").section(report), report),
        limits: limits::read(&root.field("limits").section(report), report),
        listeners: Vec::new(),
        services: Vec::new(),
    }
}

pub(crate) fn workers(root: &Section<'_>, report: &mut Report) -> Option<u16> {
    root.field("workers").optional_count(report).and_then(|count| u16::try_from(count).ok())
}

pub(crate) fn log(section: &Section<'_>, report: &mut Report) -> Log {
    let format = section.field("format").choice(report, |word| match word {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => unreachable!("{other} is no word of `format`"),
    });
    let level = section.field("level").choice(report, |word| match word {
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        other => unreachable!("{other} is no word of `level`"),
    });
    Log { format, level: level.unwrap_or_default(), interval: section.field("interval").duration(report) }
}

pub(crate) fn admin(section: &Section<'_>, report: &mut Report) -> Admin {
    let bind = section.field("bind").text(report, |text| match text {
        "off" => Ok(None),
        text => address::loopback(text).map(Some),
    });
    let public_field = section.field("public");
    let admin = Admin { bind: bind.flatten(), public: public_field.text(report, address::bind) };
    if admin.bind.is_some_and(|address| address.port() != 0) && admin.bind == admin.public {
        public_field.complain(Complaint::new("this address is bound twice, first by `admin.bind`"), report);
    }
    admin
}

fn drain(section: &Section<'_>, report: &mut Report) -> Drain {
    let (deadline_field, delay_field) = (section.field("deadline"), section.field("propagation_delay"));
    let deadline = deadline_field.duration(report);
    let propagation_delay = delay_field.duration(report);
    if propagation_delay > deadline {
        let what = format!(
            "`propagation_delay` ({}) is longer than `deadline` ({}), which includes it",
            duration::show(propagation_delay),
            duration::show(deadline)
        );
        let wrong = if delay_field.node.is_some() { &delay_field } else { &deadline_field };
        wrong.complain(Complaint::new(what), report);
    }
    Drain { deadline, propagation_delay }
}

/// No listener binds an address that is bound before; port 0 is a new one each time.
pub(crate) fn check_addresses(config: &Config, places: &[(usize, Option<Place>)], report: &mut Report) {
    let own = [("admin.bind", config.admin.bind), ("admin.public", config.admin.public)];
    let mut bound: Vec<(String, SocketAddr)> =
        own.into_iter().filter_map(|(path, address)| Some((path.to_owned(), address?))).collect();
    for (listener, (index, place)) in config.listeners.iter().zip(places) {
        let path = format!("listeners[{index}].bind");
        let earlier = bound.iter().find(|(_, address)| *address == listener.bind && address.port() != 0);
        if let Some((owner, _)) = earlier {
            let what = format!("this address is bound twice, first by `{owner}`");
            report.add(mistake(*place, &path, what, Some(listener.bind.to_string()), None));
        }
        bound.push((path, listener.bind));
    }
}

/// For an `admin.bind` that came after the file was read.
pub(crate) fn check_admin_bind(config: &Config, report: &mut Report) {
    let Some(bind) = config.admin.bind.filter(|bind| bind.port() != 0) else { return };
    let listener = config.listeners.iter().find(|listener| listener.bind == bind);
    let owner = match listener {
        Some(listener) => format!("listener {}", listener.name),
        None if config.admin.public == Some(bind) => "`admin.public`".to_owned(),
        None => return,
    };
    let what = format!("this address is bound twice, also by {owner}");
    report.add(mistake(None, "", what, Some(bind.to_string()), None));
}
