//! `/docs`: the routes as a page, made here from the same table. No script, nothing from
//! elsewhere.

use std::fmt::Write as _;

use super::openapi::operation_id;
use super::route::Route;
use super::table::Table;

/// The page.
pub(crate) fn docs(table: &Table, version: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>sidestream API</title>\n\
         <link rel=\"stylesheet\" href=\"/docs.css\">\n\
         <main>\n<h1>sidestream {version}: the API</h1>\n\
         <p>Send <code>Authorization: Bearer KEY</code>; without configured keys, requests from \
         this machine need none. Errors are <code>application/problem+json</code>; the page behind \
         their <code>type</code> explains them. For programs: \
         <a href=\"/openapi.json\">/openapi.json</a>.</p>\n"
    );
    let mut tag = "";
    for route in table.routes() {
        if route.tag != tag {
            tag = route.tag;
            let _ = writeln!(page, "<h2>{}</h2>", escaped(tag));
        }
        section(&mut page, route);
    }
    page.push_str("</main>\n</html>\n");
    page
}

fn section(page: &mut String, route: &Route) {
    let (id, method) = (operation_id(route), &route.method);
    let (path, summary) = (escaped(route.path), escaped(route.summary));
    let _ = writeln!(
        page,
        "<details id=\"{id}\"><summary><b>{method}</b> <code>{path}</code> {summary}</summary>\n\
         <p>Needs the scope <code>{}</code>.</p>",
        route.scope.as_str()
    );
    for field in &route.query {
        let about = field.schema["description"].as_str().unwrap_or_default();
        let _ = writeln!(
            page,
            "<p><code>?{}=</code> {}</p>",
            field.name,
            escaped(about)
        );
    }
    if let Some(body) = &route.body {
        if let Some(properties) = body.schema["properties"].as_object() {
            page.push_str("<dl>\n");
            for (name, schema) in properties {
                let about = schema["description"].as_str().unwrap_or_default();
                let _ = writeln!(
                    page,
                    "<dt><code>{name}</code></dt><dd>{}</dd>",
                    escaped(about)
                );
            }
            page.push_str("</dl>\n");
        }
        let _ = writeln!(
            page,
            "<pre>curl -X {method} -d '{}' http://localhost:8080{path}</pre>",
            escaped(body.example)
        );
    }
    for answer in &route.answers {
        let media_type = answer.content.as_ref().map_or("no body", |(kind, _)| kind);
        let _ = writeln!(page, "<p>Answers {}, {media_type}.</p>", answer.status);
    }
    page.push_str("</details>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The page's looks.
pub(crate) fn docs_style() -> &'static str {
    "body{font:16px/1.5 system-ui,sans-serif;margin:0}\n\
     main{max-width:56rem;margin:0 auto;padding:1rem}\n\
     details{border-bottom:1px solid #8886;padding:.5rem 0}\n\
     summary{cursor:pointer}\n\
     details>:not(summary){margin-left:1.25rem}\n\
     pre{overflow-x:auto;padding:.5rem;background:#8882}\n\
     dt{float:left;clear:left;margin-right:.75rem}\n"
}
