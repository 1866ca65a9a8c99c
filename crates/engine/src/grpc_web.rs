//! A call of gRPC-Web as a value: its header lists made into those of gRPC and back, and what browsers of other origins are
//! told (Fetch standard, "CORS protocol").
//!
//! Knows no connection; `relay::grpc_web` carries bodies through it.

use evenkeel_core::policy::{Cors, CorsOrigins, GrpcWeb};
use evenkeel_wire::grpc_web::{AnswerWriter, Mode, TextDecoder, mode_of, put_grpc_type, put_web_type};
use evenkeel_wire::hpack::{HeaderList, HeaderStore, Name};
use std::sync::Arc;

/// Request headers of gRPC-Web itself.
const OWN_HEADERS: [&str; 4] = ["content-type", "grpc-timeout", "x-grpc-web", "x-user-agent"];

/// Headers of an answer without a body that a page may read.
const EXPOSED: &[u8] = b"grpc-status, grpc-message, grpc-status-details-bin";

/// A call that is translated.
#[derive(Debug)]
pub(crate) struct WebCall {
    mode: Mode,
    pub(crate) decoder: TextDecoder,
    pub(crate) writer: AnswerWriter,
    /// The origin that called, if it may read the answer.
    origin: Option<AllowedOrigin>,
    /// What the endpoint answered is no gRPC, and passes as it is.
    pub(crate) passes_answer: bool,
}

/// An origin that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AllowedOrigin {
    Any,
    This(Box<[u8]>),
}

/// The value of a header whose name has no place among the known ones.
fn find<'a>(list: &'a HeaderList, store: &'a HeaderStore, name: &[u8]) -> Option<&'a [u8]> {
    let field = list.fields().iter().find(|f| list.name_bytes(f, store) == name)?;
    Some(list.value(field, store))
}

/// Who called, if that is allowed.
fn origin_of(list: &HeaderList, store: &HeaderStore, cors: Option<&Cors>) -> Option<AllowedOrigin> {
    let origin = find(list, store, b"origin")?;
    match &cors?.origins {
        CorsOrigins::Any => Some(AllowedOrigin::Any),
        origins => origins.allows(origin).then(|| AllowedOrigin::This(origin.into())),
    }
}

fn put_origin(list: &mut HeaderList, origin: &AllowedOrigin) {
    match origin {
        AllowedOrigin::Any => list.push("access-control-allow-origin", b"*"),
        AllowedOrigin::This(origin) => {
            list.push("access-control-allow-origin", origin);
            list.push("access-control-allow-credentials", b"true");
            list.push("vary", b"origin");
        }
    }
}

impl WebCall {
    /// Makes a request of gRPC-Web one of gRPC; `None`, and nothing is changed, if it is none.
    pub(crate) fn begin(list: &mut HeaderList, store: &mut HeaderStore, web: &GrpcWeb) -> Option<Self> {
        let (mode, behind) = mode_of(list.find(Name::ContentType, store)?)?;
        let mut content_type = Vec::new();
        put_grpc_type(&mut content_type, behind);
        let origin = origin_of(list, store, web.cors.as_ref());
        // The body has another length, and `te` says what every caller of gRPC has to.
        list.retain_fields(store, |field| {
            !matches!(field.name, Name::ContentType | Name::ContentLength | Name::Te)
        });
        list.push("content-type", &content_type);
        list.push("te", b"trailers");
        Some(Self {
            mode,
            decoder: TextDecoder::default(),
            writer: AnswerWriter::new(mode),
            origin,
            passes_answer: false,
        })
    }

    /// Whether what the client sends is in base64.
    pub(crate) fn is_text(&self) -> bool {
        self.mode == Mode::Text
    }

    /// Makes an endpoint's headers those of an answer to the client.
    pub(crate) fn translate_answer(&mut self, list: &mut HeaderList, store: &mut HeaderStore) {
        let mut content_type = Vec::new();
        let of_endpoint = list.find(Name::ContentType, store).unwrap_or_default();
        self.passes_answer = !put_web_type(&mut content_type, self.mode, of_endpoint);
        if !self.passes_answer {
            list.retain_fields(store, |f| !matches!(f.name, Name::ContentType | Name::ContentLength));
            list.push("content-type", &content_type);
        }
        self.put_cors(list, store);
    }

    /// The content type of an answer of our own.
    pub(crate) fn content_type(&self) -> &'static [u8] {
        match self.mode {
            Mode::Binary => b"application/grpc-web",
            Mode::Text => b"application/grpc-web-text",
        }
    }

    /// Says that the page which called may read the answer; what the endpoint says of that does not count.
    pub(crate) fn put_cors(&self, list: &mut HeaderList, store: &mut HeaderStore) {
        let Some(origin) = &self.origin else { return };
        list.drop_named(b"access-control-allow-origin", store);
        list.drop_named(b"access-control-allow-credentials", store);
        put_origin(list, origin);
        list.push("access-control-expose-headers", EXPOSED);
    }
}

/// A question of a browser before a call of gRPC-Web.
#[derive(Debug)]
pub(crate) struct Preflight {
    cors: Arc<GrpcWeb>,
    origin: Option<AllowedOrigin>,
}

impl Preflight {
    /// What a request asks, if it is one: about a POST with the header that every caller of gRPC-Web sends.
    pub(crate) fn of(list: &HeaderList, store: &HeaderStore, web: &Arc<GrpcWeb>) -> Option<Self> {
        let cors = web.cors.as_ref()?;
        let asked = |name: &[u8]| find(list, store, name).unwrap_or_default();
        let has_mark = || {
            let names = asked(b"access-control-request-headers").split(|&b| b == b',');
            names.into_iter().any(|name| name.trim_ascii().eq_ignore_ascii_case(b"x-grpc-web"))
        };
        let is_one = list.find(Name::Method, store) == Some(b"OPTIONS")
            && find(list, store, b"origin").is_some()
            && asked(b"access-control-request-method") == b"POST"
            && has_mark();
        is_one.then(|| Self { cors: Arc::clone(web), origin: origin_of(list, store, Some(cors)) })
    }

    /// Puts the answer; its status.
    pub(crate) fn put(&self, list: &mut HeaderList) -> u16 {
        let (Some(origin), Some(cors)) = (&self.origin, &self.cors.cors) else {
            list.push(":status", b"403");
            return 403;
        };
        list.push(":status", b"204");
        put_origin(list, origin);
        list.push("access-control-allow-methods", b"POST");
        let mut headers = OWN_HEADERS.join(", ");
        for header in &cors.headers {
            headers.push_str(", ");
            headers.push_str(header);
        }
        list.push("access-control-allow-headers", headers.as_bytes());
        list.push("access-control-max-age", cors.max_age.as_secs().to_string().as_bytes());
        204
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn list(fields: &[(&str, &str)]) -> HeaderList {
        let mut list = HeaderList::default();
        for (name, value) in fields {
            list.push(name, value.as_bytes());
        }
        list
    }

    fn text(list: &HeaderList, store: &HeaderStore) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        list.fields().iter().map(|f| (text(list.name_bytes(f, store)), text(list.value(f, store)))).collect()
    }

    fn web(origins: CorsOrigins) -> Arc<GrpcWeb> {
        let cors = Cors { origins, headers: ["x-tenant".into()].into(), max_age: Duration::from_secs(600) };
        Arc::new(GrpcWeb { cors: Some(cors) })
    }

    fn has(fields: &[(String, String)], name: &str, value: &str) -> bool {
        fields.iter().any(|(n, v)| (n.as_str(), v.as_str()) == (name, value))
    }

    #[test]
    fn a_call_becomes_one_of_grpc_and_its_answer_one_of_grpc_web() {
        let mut store = HeaderStore::new((1, 2), 1 << 20);
        let mut call = list(&[
            (":method", "POST"),
            ("content-type", "application/grpc-web-text+proto"),
            ("content-length", "12"),
            ("origin", "https://a.example"),
        ]);
        let web = web(CorsOrigins::Listed(["https://a.example".into()].into()));
        let mut translated = WebCall::begin(&mut call, &mut store, &web).unwrap();
        let fields = text(&call, &store);
        assert!(translated.is_text());
        assert!(has(&fields, "content-type", "application/grpc+proto") && has(&fields, "te", "trailers"));
        assert!(!fields.iter().any(|(name, _)| name == "content-length"));
        let mut answer = list(&[(":status", "200"), ("content-type", "application/grpc+proto")]);
        translated.translate_answer(&mut answer, &mut store);
        let fields = text(&answer, &store);
        assert!(has(&fields, "content-type", "application/grpc-web-text+proto"));
        assert!(has(&fields, "access-control-allow-origin", "https://a.example"));
        assert!(has(&fields, "vary", "origin") && !translated.passes_answer);
    }

    #[test]
    fn an_answer_that_is_no_grpc_passes_as_it_is() {
        let mut store = HeaderStore::new((1, 2), 1 << 20);
        let mut call = list(&[("content-type", "application/grpc-web")]);
        let mut call = WebCall::begin(&mut call, &mut store, &GrpcWeb::default()).unwrap();
        let mut answer = list(&[(":status", "502"), ("content-type", "text/html"), ("content-length", "3")]);
        call.translate_answer(&mut answer, &mut store);
        assert!(call.passes_answer);
        assert_eq!(answer.fields().len(), 3);
    }

    #[test]
    fn a_preflight_of_grpc_web_is_answered_as_configured_and_others_are_not() {
        let store = HeaderStore::new((1, 2), 1 << 20);
        let asked = |method: &str, origin: &str, headers: &str| {
            list(&[
                (":method", method),
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", headers),
            ])
        };
        let any = web(CorsOrigins::Any);
        let question = asked("OPTIONS", "https://b.example", "content-type, X-Grpc-Web,x-tenant");
        let mut answer = HeaderList::default();
        assert_eq!(Preflight::of(&question, &store, &any).unwrap().put(&mut answer), 204);
        let fields = text(&answer, &store);
        assert!(
            has(&fields, "access-control-allow-origin", "*") && has(&fields, "access-control-max-age", "600")
        );
        let headers = "content-type, grpc-timeout, x-grpc-web, x-user-agent, x-tenant";
        assert!(has(&fields, "access-control-allow-headers", headers));
        let listed = web(CorsOrigins::Listed(["https://a.example".into()].into()));
        let mut refused = HeaderList::default();
        assert_eq!(Preflight::of(&question, &store, &listed).unwrap().put(&mut refused), 403);
        for other in
            [asked("GET", "https://b.example", "x-grpc-web"), asked("OPTIONS", "https://b.example", "x-y")]
        {
            assert!(Preflight::of(&other, &store, &any).is_none());
        }
        assert!(Preflight::of(&question, &store, &Arc::new(GrpcWeb::default())).is_none());
    }
}
