//! The two ways that a call takes to an endpoint, which the demo puts side by side.

use http::HeaderMap;

/// How calls come to endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The endpoint is chosen once, when a connection opens, by chance: all its calls go there.
    Pinned,
    /// Evenkeel picks an endpoint: for each call, or the one with the fewest sessions where a connection is one session.
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

    /// What each message of a TCP connection holds: the way's name, filled up.
    pub(super) fn message(self) -> [u8; MESSAGE_BYTES] {
        let mut message = [b' '; MESSAGE_BYTES];
        message[..self.name().len()].copy_from_slice(self.name().as_bytes());
        message
    }

    /// The way whose name begins so.
    pub(super) fn of_initial(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name().as_bytes()[0] == byte)
    }
}

/// Says which way a call takes; Evenkeel passes it on as it does any header.
pub(super) const HEADER: &str = "demo-way";

/// Length of a message.
pub(super) const MESSAGE_BYTES: usize = 16;

/// The way that a request came.
pub(super) fn of_headers(headers: &HeaderMap) -> Option<Way> {
    let name = headers.get(HEADER)?.as_bytes();
    Way::ALL.into_iter().find(|way| way.name().as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_knows_the_way_by_a_header_and_by_a_message() {
        for way in Way::ALL {
            let header = (HEADER.parse().unwrap(), way.name().parse().unwrap());
            assert_eq!(of_headers(&HeaderMap::from_iter([header])), Some(way));
            assert_eq!(Way::of_initial(way.message()[0]), Some(way));
        }
        assert_eq!((of_headers(&HeaderMap::new()), Way::of_initial(b'x')), (None, None));
    }
}
