//! gRPC's status codes by the names that its specification gives them. Client and server use it.

use tonic::{Code, Status};

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a code.
pub(crate) fn name_of(code: Code) -> &'static str {
    NAMES.get(code as usize).copied().unwrap_or("UNKNOWN")
}

/// The code of a name; `INVALID_ARGUMENT` where there is none.
pub(crate) fn code_named(name: &str) -> Result<Code, Status> {
    match NAMES.iter().position(|known| *known == name) {
        Some(number) => Ok(Code::from_i32(number as i32)),
        None => Err(Status::invalid_argument(format!("no such code: {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for number in 0..17 {
            let code = Code::from_i32(number);
            assert_eq!(code_named(name_of(code)).unwrap(), code);
        }
        assert_eq!(name_of(Code::Unavailable), "UNAVAILABLE");
        assert_eq!(code_named("NO_SUCH").unwrap_err().code(), Code::InvalidArgument);
    }
}
