//! `/openapi.json`: what the table of routes says, in OpenAPI 3.1.

use http::Method;
use serde_json::{Map, Value, json};

use super::route::{Route, Segment};
use super::table::Table;

/// The whole description. `version` is the relay's own.
pub(crate) fn document(table: &Table, version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    schemas.insert("Problem".to_owned(), problem());
    for route in table.routes() {
        for answer in &route.answers {
            for (name, schema) in &answer.components {
                let schema = serde_json::to_value(schema).unwrap_or_default();
                schemas.entry(name.clone()).or_insert(schema);
            }
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sidestream",
            "version": version,
            "description": "Live streams, bypass channels, recordings and callbacks. Fields are \
                            only added inside /v1.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {
                "type": "http", "scheme": "bearer",
                "description": "An API key. Without configured keys, this machine needs none.",
            }},
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    for answer in &route.answers {
        let mut response = json!({"description": status_text(answer.status)});
        if let Some((media_type, schema)) = &answer.content {
            let schema = match schema {
                Some(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
                None => json!({}),
            };
            response["content"] = json!({*media_type: {"schema": schema}});
        }
        if let Some(media_type) = answer.also {
            response["content"][media_type] = json!({"schema": {}});
        }
        responses.insert(answer.status.to_string(), response);
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "An error",
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
            }},
        }),
    );
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": format!("Needs the scope `{}`.", route.scope.as_str()),
        "tags": [route.tag],
        "parameters": parameters(route),
        "responses": responses,
    });
    if let Some(body) = &route.body {
        let example: Value = serde_json::from_str(body.example).unwrap_or_default();
        operation["requestBody"] = json!({
            "required": body.is_required,
            "content": {"application/json": {"schema": body.schema, "example": example}},
        });
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|segment| {
        let Segment::Parameter(name, _) = Segment::of(segment) else {
            return None;
        };
        let special = route.parameters.iter().find(|(known, _)| *known == name);
        let schema = match special {
            Some((_, schema)) => schema.clone(),
            None => json!({"type": "string", "minLength": 1}),
        };
        Some(json!({"name": name, "in": "path", "required": true, "schema": schema}))
    });
    let in_query = route.query.iter().map(|field| {
        let mut parameter = json!({
            "name": field.name, "in": "query", "required": field.is_required,
            "schema": field.schema,
        });
        if field.schema["type"] == "array" {
            parameter["style"] = "form".into();
            parameter["explode"] = false.into();
        }
        parameter
    });
    let mut all: Vec<Value> = in_path.chain(in_query).collect();
    if matches!(route.method, Method::POST | Method::PATCH) {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Repeating a request with the same key gives its first answer again.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        }));
    }
    all
}

/// `POST /v1/channels/{id}:stop` as `post_channels_id_stop`.
pub(super) fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_lowercase();
    let path = route.path.strip_prefix("/v1").unwrap_or(route.path);
    for part in path.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        if !part.is_empty() {
            id.push('_');
            id.push_str(&part.replace('-', "_"));
        }
    }
    id
}

fn status_text(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Done")
}

/// RFC 9457, with members of our own.
fn problem() -> Value {
    json!({
        "type": "object",
        "required": [
            "type", "status", "code", "reason", "module", "title", "detail", "retryable",
            "request_id",
        ],
        "properties": {
            "type": {"type": "string", "description": "A page that explains the reason."},
            "status": {"type": "integer"},
            "code": {"type": "integer", "description": "The number of the reason."},
            "compat_code": {"type": "integer", "description": "Its number on compatible faces."},
            "reason": {"type": "string", "pattern": "^[A-Z_]+$"},
            "module": {"type": "string"},
            "title": {"type": "string"},
            "detail": {"type": "string", "description": "What is wrong and what to do."},
            "retryable": {"type": "boolean"},
            "request_id": {"type": "string"},
            "errors": {"type": "array", "items": {
                "type": "object", "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901, into the body."},
                    "parameter": {"type": "string"},
                    "place": {"type": "string", "description": "FILE:LINE:COLUMN of a configuration."},
                    "detail": {"type": "string"},
                },
            }},
            "existing": {"type": "object", "description": "What is there already."},
        },
    })
}
