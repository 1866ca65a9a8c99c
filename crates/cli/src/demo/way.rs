//! The two ways that a call takes to an endpoint, which the demo puts side by side.

/// How calls come to endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The endpoint is chosen once, when a connection opens: all its calls go there.
    Pinned,
    /// Evenkeel picks an endpoint for each call.
    Evenkeel,
}

impl Way {
    /// Both, the one before Evenkeel first.
    pub(super) const ALL: [Self; 2] = [Self::Pinned, Self::Evenkeel];

    /// The value of the header [`HEADER`] by which a backend knows which way a call came.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Evenkeel => "evenkeel",
        }
    }

    /// The way of this name.
    pub(super) fn of_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name().as_bytes() == name)
    }
}

/// Says which way a call takes; Evenkeel passes it on as it does any header.
pub(super) const HEADER: &str = "demo-way";
