//! Why discovery has no new answer, as a closed enum with stable codes.

/// Why discovery has no new answer; the last good one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// NXDOMAIN.
    NameNotFound,
    /// The name exists and has no record of the kind.
    NoRecords,
    /// No name server answered in time.
    Timeout,
    /// The name server answered with an error.
    ServerFailed,
    /// No name server could be spoken to.
    Unreachable,
    /// The machine's resolver configuration cannot be read.
    NoResolver,
    /// The answer names more endpoints than allowed.
    TooManyEndpoints,
    /// The file cannot be read.
    FileUnreadable,
    /// What is in the file is not a list of endpoints.
    FileMistakes,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::NameNotFound,
        Self::NoRecords,
        Self::Timeout,
        Self::ServerFailed,
        Self::Unreachable,
        Self::NoResolver,
        Self::TooManyEndpoints,
        Self::FileUnreadable,
        Self::FileMistakes,
    ];

    /// The stable code: log field and column.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NameNotFound => "dns_name_not_found",
            Self::NoRecords => "dns_no_records",
            Self::Timeout => "dns_timeout",
            Self::ServerFailed => "dns_server_failed",
            Self::Unreachable => "dns_unreachable",
            Self::NoResolver => "dns_no_resolver",
            Self::TooManyEndpoints => "too_many_endpoints",
            Self::FileUnreadable => "file_unreadable",
            Self::FileMistakes => "file_mistakes",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::NameNotFound => "the name does not exist (NXDOMAIN)",
            Self::NoRecords => "the name exists and has no record of the kind that was asked for",
            Self::Timeout => "no name server answered in time",
            Self::ServerFailed => "the name server answered with an error (SERVFAIL, REFUSED, ...)",
            Self::Unreachable => "no name server could be spoken to",
            Self::NoResolver => "the machine's resolver configuration (/etc/resolv.conf) cannot be read",
            Self::TooManyEndpoints => "the answer names more endpoints than a service may have",
            Self::FileUnreadable => "the endpoints file cannot be read",
            Self::FileMistakes => "what stands in the endpoints file is not a list of endpoints",
        }
    }
}

/// A failed attempt of discovery. It is always tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct DiscoveryFailure {
    /// Why.
    pub reason: FailureReason,
    /// What exactly.
    pub detail: String,
}

impl DiscoveryFailure {
    /// A failure with its detail.
    #[must_use]
    pub fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
