//! Pages for browsers: `/watch/{app}/{stream}`, `/console`, their files, and a signpost at `/`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use media::StreamName;

use crate::api;
use crate::content::{self, Content, Gzip};
use crate::error::{Problem, Reason, to_json};
use crate::state::Shared;

/// The page that plays a stream. It is the same for every name; the page reads its own address.
pub(crate) async fn watch(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = uri.path().strip_prefix("/watch/").unwrap_or_default();
    if let Err(error) = StreamName::from_path(name.trim_end_matches('/')) {
        let detail = format!("not a stream's name: {error}");
        return Err(Problem::new(Reason::REQUEST_UNPARSABLE, detail));
    }
    asset(&shared, "watch.html", &method, &headers)
}

/// The operators' page. It asks `/v1` for all that it shows; who may see that is decided there.
pub(crate) async fn console(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    asset(&shared, "console.html", &method, &headers)
}

/// A file of the pages.
pub(crate) async fn assets(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = uri.path().strip_prefix("/assets/").unwrap_or_default();
    asset(&shared, path, &method, &headers)
}

fn asset(
    shared: &Shared,
    path: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let Some(content) = shared.assets.get(path) else {
        return Err(Problem::new(Reason::RouteNotFound, "no such file"));
    };
    content::send(&content, method, headers)
}

/// A signpost: what this server is and where to look. Names no stream.
pub(crate) async fn index(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let version = shared.config.version;
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>sidestream</title>\n\
         <h1>sidestream {version}</h1>\n\
         <p>A live media relay. Streams are not listed here; who knows a name can open</p>\n\
         <ul>\n\
         <li><code>/watch/APP/STREAM</code>: a page that plays it</li>\n\
         <li><code>/APP/STREAM.m3u8</code>: HLS</li>\n\
         <li><code>/APP/STREAM.flv</code>: HTTP-FLV and WebSocket-FLV</li>\n\
         </ul>\n\
         <p>For operators: <a href=\"/console\">/console</a>, <a href=\"/v1/streams\">/v1/streams</a>, \
         <a href=\"/docs\">/docs</a>, <a href=\"/metrics\">/metrics</a>, <a href=\"/readyz\">/readyz</a>.</p>\n</html>\n"
    );
    self::page(
        &shared,
        ("index", "text/html; charset=utf-8", page),
        &method,
        &headers,
    )
}

/// The API's description for programs.
pub(crate) async fn openapi(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = api::document(&shared.table, shared.config.version);
    let body = to_json(&document, true);
    page(
        &shared,
        ("openapi", "application/json", body),
        &method,
        &headers,
    )
}

/// The API's description for people.
pub(crate) async fn docs(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let body = api::docs(&shared.table, shared.config.version);
    page(
        &shared,
        ("docs", "text/html; charset=utf-8", body),
        &method,
        &headers,
    )
}

/// The looks of that page.
pub(crate) async fn docs_style(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let body = api::docs_style().to_owned();
    page(
        &shared,
        ("docs-css", "text/css; charset=utf-8", body),
        &method,
        &headers,
    )
}

/// A page that is the same as long as the process is.
fn page(
    shared: &Shared,
    (name, content_type, body): (&str, &'static str, String),
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let content = Content {
        gzip: Gzip::Never,
        etag: format!("\"{name}-{}\"", shared.config.version),
        body: Bytes::from(body).into(),
        content_type,
        cache_control: content::NO_CACHE.into(),
    };
    content::send(&content, method, headers)
}

/// What a problem's `type` points to.
pub(crate) async fn reason(uri: Uri) -> Result<String, Problem> {
    let name = uri.path().strip_prefix("/errors/").unwrap_or_default();
    Reason::describe(name)
        .ok_or_else(|| Problem::new(Reason::RouteNotFound, "no such reason of an error"))
}

/// The policy of every page: nothing from elsewhere, nothing inline.
pub(crate) fn content_security_policy(frame_ancestors: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors {frame_ancestors}"
    )
}

/// `frame-ancestors` for `/watch`, from `http.embed_from`; what would end the directive is left
/// out.
pub(crate) fn frame_ancestors(embed_from: &[String]) -> String {
    let is_source = |origin: &&str| {
        !origin.is_empty()
            && origin
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b','))
    };
    let sources: Vec<&str> = embed_from
        .iter()
        .map(|origin| origin.trim())
        .filter(is_source)
        .collect();
    if sources.is_empty() {
        "'none'".to_owned()
    } else {
        sources.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedding_origins_cannot_add_directives() {
        let origins = |list: &[&str]| {
            frame_ancestors(&list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(origins(&[]), "'none'");
        assert_eq!(origins(&["https://a.example", "*"]), "https://a.example *");
        assert_eq!(origins(&["x; script-src *", ""]), "'none'");
    }
}
