//! The log: records as lines for people or as one JSON object a line, on standard error.
//!
//! [`Log`] is the only writer. What libraries say through `tracing` comes to it by [`LibraryLog`], so that every line
//! has the same form.

use super::record::{Record, level_code};
use evenkeel_config::model::{self, LogFormat, LogLevel};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Whether lines carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Escape sequences by level.
    On,
    /// Plain text.
    Off,
}

/// Where records go.
pub struct Log {
    format: LogFormat,
    colours: Colours,
    level: LogLevel,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Log {
    /// A log on standard error: text on a terminal and JSON else, unless the configuration says which; colours only on
    /// a terminal and without `NO_COLOR`.
    #[must_use]
    pub fn to_standard_error(settings: &model::Log) -> Self {
        let terminal = io::stderr().is_terminal();
        let format = settings.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
        let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let colours = if plain { Colours::Off } else { Colours::On };
        Self::to_writer(format, colours, settings.level, Box::new(io::stderr()))
    }

    /// A log to anything else.
    #[must_use]
    pub fn to_writer(
        format: LogFormat,
        colours: Colours,
        level: LogLevel,
        out: Box<dyn Write + Send>,
    ) -> Self {
        Self { format, colours, level, out: Mutex::new(out) }
    }

    /// A log that keeps nothing, for a server inside another program.
    #[must_use]
    pub fn silent() -> Self {
        Self::to_writer(LogFormat::Json, Colours::Off, LogLevel::Error, Box::new(io::sink()))
    }

    /// Whether records of this level are written.
    #[must_use]
    pub fn takes(&self, level: LogLevel) -> bool {
        level as u8 <= self.level as u8
    }

    /// Writes a record as one line, if its level is taken. A log that cannot be written to (a closed pipe, a full
    /// disk) never stops the process: the line is lost.
    pub fn write(&self, record: &Record) {
        if !self.takes(record.level) {
            return;
        }
        let line = match self.format {
            LogFormat::Json => json_line(record),
            LogFormat::Text => text_line(record, self.colours),
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("format", &self.format)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

fn json_line(record: &Record) -> String {
    let mut line = serde_json::to_string(record).expect("a record holds only strings and numbers");
    line.push('\n');
    line
}

fn text_line(record: &Record, colours: Colours) -> String {
    let (paint, dim, plain) = match (colours, record.level) {
        (Colours::Off, _) => ("", "", ""),
        (Colours::On, LogLevel::Error) => ("\x1b[31m", "\x1b[2m", "\x1b[0m"),
        (Colours::On, LogLevel::Warn) => ("\x1b[33m", "\x1b[2m", "\x1b[0m"),
        (Colours::On, LogLevel::Info) => ("\x1b[32m", "\x1b[2m", "\x1b[0m"),
        (Colours::On, LogLevel::Debug) => ("\x1b[34m", "\x1b[2m", "\x1b[0m"),
    };
    let mut line = String::with_capacity(160);
    let at = humantime::format_rfc3339_millis(record.at);
    let level = level_code(record.level).to_uppercase();
    let _ = write!(line, "{dim}{at}{plain} {paint}{level:<5}{plain} {}", record.event);
    for (field, value) in &record.fields {
        if let Value::Array(items) = value {
            for item in items {
                let _ = write!(line, "\n    {}", shown(item));
            }
        } else if *field == "message" {
            let _ = write!(line, ": {}", unescaped(value));
        } else {
            let _ = write!(line, " {dim}{field}={plain}{}", shown(value));
        }
    }
    line.push('\n');
    line
}

/// A value in a text line: bare where that is unambiguous, else quoted and escaped as JSON, so that nothing that comes
/// from outside can forge a line or send an escape sequence to a terminal.
fn shown(value: &Value) -> String {
    match value {
        Value::String(s)
            if !s.is_empty()
                && s.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"\"=\\".contains(c)) =>
        {
            s.clone()
        }
        other => escaped(other),
    }
}

fn unescaped(value: &Value) -> String {
    match value {
        Value::String(s) if !s.chars().any(char::is_control) => s.clone(),
        other => escaped(other),
    }
}

/// JSON with the control characters that JSON allows bare (C1) escaped as well.
fn escaped(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if c.is_control() {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// Sends what libraries say through `tracing` to a [`Log`]: warnings and errors, and everything of Evenkeel's own
/// crates that the log's level takes.
pub struct LibraryLog {
    log: Arc<Log>,
}

impl LibraryLog {
    /// Makes `log` the process's one place for `tracing`. A subscriber that the program set before stays.
    pub fn install(log: Arc<Log>) {
        // Refused only where the embedding program has a subscriber of its own, which then is the right one.
        let _ = tracing_subscriber::registry().with(Self { log }).try_init();
    }
}

impl<S: Subscriber> Layer<S> for LibraryLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        let level = level_of(*metadata.level());
        let own = metadata.target().starts_with("evenkeel");
        // hickory warns of each packet that goes astray; discovery tells the outcome of the look-up itself.
        let noisy = metadata.target().starts_with("hickory") && level != LogLevel::Error;
        self.log.takes(level) && !noisy && (own || matches!(level, LogLevel::Error | LogLevel::Warn))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = level_of(*event.metadata().level());
        let record =
            Record::new(SystemTime::now(), level, "library").with("target", event.metadata().target());
        let mut fields = Fields(record);
        event.record(&mut fields);
        self.log.write(&fields.0);
    }
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

struct Fields(Record);

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.fields.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.fields.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.fields.push((field.name(), value.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.fields.push((field.name(), format!("{value:?}").into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, colours: Colours, level: LogLevel, record: &Record) -> String {
        let captured = Captured::default();
        Log::to_writer(format, colours, level, Box::new(captured.clone())).write(record);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn record() -> Record {
        Record::new(SystemTime::UNIX_EPOCH, LogLevel::Info, "session_ended")
            .with("listener", "web")
            .with("detail", "two words")
            .with("exchanges", 3)
    }

    #[test]
    fn a_json_record_is_one_object_on_one_line() {
        assert_eq!(
            written(LogFormat::Json, Colours::Off, LogLevel::Info, &record()),
            "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"event\":\"session_ended\",\
             \"listener\":\"web\",\"detail\":\"two words\",\"exchanges\":3}\n"
        );
    }

    #[test]
    fn a_text_record_is_read_from_left_to_right() {
        assert_eq!(
            written(LogFormat::Text, Colours::Off, LogLevel::Info, &record()),
            "1970-01-01T00:00:00.000Z INFO  session_ended listener=web detail=\"two words\" exchanges=3\n"
        );
    }

    #[test]
    fn colours_are_there_only_when_asked_for() {
        assert!(written(LogFormat::Text, Colours::On, LogLevel::Info, &record()).contains("\x1b[32m"));
        assert!(!written(LogFormat::Text, Colours::Off, LogLevel::Info, &record()).contains('\x1b'));
    }

    #[test]
    fn a_value_from_outside_cannot_forge_a_line_or_an_escape_sequence() {
        let record = Record::new(SystemTime::UNIX_EPOCH, LogLevel::Info, "x")
            .with("detail", "a\n2026 ERROR forged \x1b[31m\u{9b}31m")
            .with("message", "b\x1b[0m");
        let line = written(LogFormat::Text, Colours::Off, LogLevel::Info, &record);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");
    }

    #[test]
    fn a_record_below_the_level_is_not_written() {
        assert_eq!(written(LogFormat::Text, Colours::Off, LogLevel::Warn, &record()), "");
        assert_ne!(written(LogFormat::Text, Colours::Off, LogLevel::Debug, &record()), "");
    }

    #[test]
    fn what_a_library_says_has_the_same_form() {
        let captured = Captured::default();
        let log = Log::to_writer(LogFormat::Json, Colours::Off, LogLevel::Info, Box::new(captured.clone()));
        let subscriber = tracing_subscriber::registry().with(LibraryLog { log: Arc::new(log) });
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "some_library", count = 2_u64, "trouble");
            tracing::info!(target: "some_library", "chatter");
            tracing::warn!(target: "hickory_net", "noise");
        });
        let bytes = captured.0.lock().unwrap().clone();
        let json: Value = serde_json::from_slice(&bytes).expect("exactly one line");
        assert_eq!((&json["event"], &json["level"]), (&"library".into(), &"warn".into()));
        assert_eq!((&json["message"], &json["count"]), (&"trouble".into(), &2.into()));
    }
}
