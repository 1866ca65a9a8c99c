//! Why a head is refused, and with which status.
//!
//! Knows neither bytes nor limits. The engine answers a client with the status; what an endpoint sent wrong is a 502 to
//! the client, whatever the status here.

macro_rules! head_errors {
    ($($variant:ident = $status:literal, $why:literal;)*) => {
        /// What is wrong with a head. The connection ends with it: where the next message begins is not known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HeadError {
            $(#[doc = $why] $variant,)*
        }

        impl HeadError {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The reason, for logs and for the answer's text.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self {
                    $(Self::$variant => $why,)*
                }
            }

            /// The status that a client is answered with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }
        }
    };
}

head_errors! {
    LineTooLong = 414, "the first line is longer than the limit";
    TooManyBytes = 431, "the head has more bytes than the limit";
    TooManyFields = 431, "the head has more fields than the limit";
    TooManyOptions = 431, "Connection has more options than the limit";
    BareLineFeed = 400, "a line feed without a carriage return before it";
    BareCarriageReturn = 400, "a carriage return without a line feed behind it";
    NullByte = 400, "a null byte";
    ControlByte = 400, "a control byte";
    EmptyLine = 400, "an empty line where the first line should be";
    RequestLine = 400, "a request line that is not method, target and version with one space between";
    Method = 400, "a method that is no token";
    Target = 400, "a request target of no known form";
    TargetBytes = 400, "a request target with a byte that may not be there";
    Version = 400, "a version that is no HTTP version";
    UnsupportedVersion = 505, "a version other than HTTP/1.0 and HTTP/1.1";
    StatusLine = 400, "a status line that is not version, status and reason";
    FoldedLine = 400, "a line that begins with white space";
    SpaceBeforeColon = 400, "white space between a field's name and the colon";
    FieldName = 400, "a field name that is no token";
    MissingHost = 400, "no Host in an HTTP/1.1 request";
    SecondHost = 400, "more than one Host";
    Host = 400, "a Host or authority that is no host with an optional port";
    DifferentHost = 400, "a Host that is not the target's";
    ContentLength = 400, "a Content-Length that is no number";
    DifferentLengths = 400, "two Content-Lengths that differ";
    LengthAndCoding = 400, "both Content-Length and Transfer-Encoding";
    TransferEncoding = 400, "a Transfer-Encoding that does not end in one chunked";
    UnknownCoding = 501, "a transfer coding other than chunked";
    CodingInHttp10 = 400, "Transfer-Encoding in an HTTP/1.0 message";
    ConnectionOption = 400, "a Connection option that is no token or names a field of the message";
    Expectation = 417, "an expectation other than 100-continue";
    BodyNotAllowed = 400, "a body in a message that may not have one";
    UnaskedUpgrade = 400, "an upgrade that was not asked for";
    TrailerField = 400, "a trailer field that would change the framing";
}

impl std::fmt::Display for HeadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.why())
    }
}

impl std::error::Error for HeadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_words_and_a_status_of_the_clients_fault_or_ours_to_lack() {
        for (i, error) in HeadError::ALL.iter().enumerate() {
            assert!(matches!(error.status(), 400 | 414 | 417 | 431 | 501 | 505), "{error:?}");
            assert!(HeadError::ALL[..i].iter().all(|other| other.why() != error.why()), "{error:?}");
        }
    }
}
