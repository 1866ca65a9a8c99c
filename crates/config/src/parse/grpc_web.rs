//! `grpc_web` of a listener.

use crate::mistake::{Complaint, Report};
use crate::section::Section;
use crate::value::http;
use evenkeel_core::policy::{Cors, CorsOrigins, GrpcWeb};

pub(crate) fn read(section: &Section<'_>, report: &mut Report) -> GrpcWeb {
    let cors = section.field("cors").optional_section(report);
    GrpcWeb { cors: cors.map(|cors| read_cors(&cors, report)) }
}

fn read_cors(section: &Section<'_>, report: &mut Report) -> Cors {
    let field = section.field("origins");
    let origins = field.texts(report, http::origin).unwrap_or_default();
    let is_any = origins.iter().any(|origin| origin == "*");
    if is_any && origins.len() > 1 {
        field
            .complain(Complaint::new("`*` stands for every origin, so no other may stand beside it"), report);
    }
    let headers = section.field("headers").texts(report, http::header_name).unwrap_or_default();
    Cors {
        origins: if is_any { CorsOrigins::Any } else { CorsOrigins::Listed(sorted(origins)) },
        headers: sorted(headers),
        max_age: section.field("max_age").duration(report),
    }
}

/// So that their order in the text means nothing.
fn sorted(mut texts: Vec<String>) -> Box<[Box<str>]> {
    texts.sort();
    texts.into_iter().map(String::into_boxed_str).collect()
}
