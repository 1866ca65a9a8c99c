//! Flags that stand for a key of the file and win over it. Called by the command line, which knows their spelling.

use crate::document::Entry;
use crate::mistake::{Mistakes, Report};
use crate::model::Config;
use crate::parse::{listener, process, service};
use crate::section::Section;
use crate::settings::listener::LISTENER;
use crate::settings::process::{ADMIN, LOG, ROOT};

/// The key that a flag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `workers`.
    Workers,
    /// `admin.bind`.
    AdminBind,
    /// `log.format`.
    LogFormat,
    /// `log.level`.
    LogLevel,
    /// `listeners[].protocol`, of a configuration that [`Config::from_target`] made.
    Protocol,
}

impl Config {
    /// Puts a flag's value in the place of what the file says; `origin` is the flag as it is written, `--admin`.
    ///
    /// # Errors
    /// What is wrong with the value, as the file's key would say it, or that the address is bound by something else. The
    /// configuration is then as it was.
    pub fn set(&mut self, flag: Flag, text: &str, origin: &str) -> Result<(), Mistakes> {
        let mut report = Report::of_flag(origin);
        let mut config = self.clone();
        match flag {
            Flag::Workers => {
                let entries = [Entry::plain("workers", text)];
                config.workers = process::workers(&Section::of_entries(&entries, &ROOT), &mut report);
            }
            Flag::AdminBind => {
                let entries = [Entry::plain("bind", text)];
                config.admin.bind = process::admin(&Section::of_entries(&entries, &ADMIN), &mut report).bind;
                process::check_admin_bind(&config, &mut report);
            }
            Flag::LogFormat => {
                let entries = [Entry::plain("format", text)];
                config.log.format = process::log(&Section::of_entries(&entries, &LOG), &mut report).format;
            }
            Flag::Protocol => {
                let entries = [Entry::plain("protocol", text)];
                let section = Section::of_entries(&entries, &LISTENER);
                let protocol = section.field("protocol").choice(&mut report, listener::protocol_of);
                for listener in &mut config.listeners {
                    listener.policy.protocol = protocol.unwrap_or_default();
                }
                for service in &mut config.services {
                    service::suit_one_balance(service, &config.listeners);
                }
            }
            Flag::LogLevel => {
                let entries = [Entry::plain("level", text)];
                config.log.level = process::log(&Section::of_entries(&entries, &LOG), &mut report).level;
            }
        }
        *self = report.finish(Some(config))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogFormat, LogLevel};

    fn config() -> Config {
        let text = "admin: { public: 127.0.0.1:9902 }\n\
                    listeners: [{ name: web, bind: 127.0.0.1:80, service: a }]\n\
                    services: [{ name: a, endpoints: { dns: \"a:80\" } }]";
        crate::parse(text, "f").unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let mut config = config();
        for (flag, text) in [
            (Flag::Workers, "3"),
            (Flag::AdminBind, "[::1]:1"),
            (Flag::LogFormat, "json"),
            (Flag::LogLevel, "debug"),
        ] {
            config.set(flag, text, "--flag").unwrap();
        }
        assert_eq!((config.workers, config.admin.bind), (Some(3), Some("[::1]:1".parse().unwrap())));
        assert_eq!((config.log.format, config.log.level), (Some(LogFormat::Json), LogLevel::Debug));
        config.set(Flag::AdminBind, "off", "--admin").unwrap();
        assert_eq!(config.admin.bind, None);
        assert_eq!(config.admin.public, Some("127.0.0.1:9902".parse().unwrap()));
    }

    #[test]
    fn a_listener_of_tunnels_has_its_service_balanced_by_connections() {
        let target = crate::Target::parse("dns://backend:22").unwrap();
        let mut config = Config::from_target("127.0.0.1:1".parse().unwrap(), target);
        config.set(Flag::Protocol, "tcp", "--protocol").unwrap();
        let written = "listeners: [{ name: main, bind: \"127.0.0.1:1\", service: main, protocol: tcp }]\n\
                       services: [{ name: main, endpoints: { dns: \"backend:22\" } }]";
        assert_eq!(config, crate::parse(written, "").unwrap());
        config.set(Flag::Protocol, "auto", "--protocol").unwrap();
        assert_eq!(config, crate::parse(&written.replace("tcp", "auto"), "").unwrap());
        let error = config.set(Flag::Protocol, "udp", "--protocol").unwrap_err();
        assert_eq!(
            (&*error.list[0].what, error.list[0].allowed.as_deref()),
            ("unknown word", Some("http, tcp, auto"))
        );
    }

    #[test]
    fn a_wrong_flag_says_why_and_changes_nothing() {
        let mut changed = config();
        let error = changed.set(Flag::LogLevel, "inof", "--log").unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 mistake in --log\n\n--log: unknown word\n    given:   inof\n    \
             allowed: error, warn, info, debug\n    did you mean `info`?"
        );
        for (flag, text) in [
            (Flag::Workers, "0"),
            (Flag::Workers, "257"),
            (Flag::AdminBind, "0.0.0.0:9901"),
            (Flag::AdminBind, "127.0.0.1:80"),
            (Flag::AdminBind, "127.0.0.1:9902"),
            (Flag::LogFormat, ""),
        ] {
            assert!(changed.set(flag, text, "--flag").is_err(), "{text}");
        }
        assert_eq!(changed, config());
    }
}
