//! What the OpenAPI document says of refusals that many operations share.
//!
//! An operation that says a status itself keeps its own words.

use utoipa::openapi::{
    ContentBuilder, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder,
    path::{Operation, ParameterIn},
};

/// Routes of runs that answer for one that does not exist: its log outlives it.
const WITHOUT_RUN: &[&str] = &["/runs/{id}/audit"];

/// The same document, with what is refused in the same way everywhere.
pub(super) fn with_refusals(mut document: Document) -> Document {
    for (route, item) in &mut document.paths.paths {
        let reads = item.get.as_mut().map(|it| (it, false));
        let changes = [&mut item.post, &mut item.put, &mut item.delete];
        let changes = changes.into_iter().flatten().map(|it| (it, true));
        for (operation, does_change) in reads.into_iter().chain(changes) {
            let mut refusals = common(route, operation);
            refusals.push(if does_change {
                (
                    403,
                    "The request comes from another site, or whoever asks may not.",
                )
            } else {
                (403, "Whoever asks may not.")
            });
            let known = &mut operation.responses.responses;
            for (status, description) in refusals {
                let refusal = || RefOr::T(problem(description));
                known.entry(status.to_string()).or_insert_with(refusal);
            }
        }
    }
    document
}

fn common(route: &str, operation: &Operation) -> Vec<(u16, &'static str)> {
    let mut refusals = vec![
        (401, "The host or the login does not know whoever asks."),
        (503, "The store does not answer, or not in time."),
    ];
    let has = |place: ParameterIn| {
        let mut all = operation.parameters.iter().flatten();
        all.any(|it| matches!(it, RefOr::T(it) if it.parameter_in == place))
    };
    let is_of_run = route.starts_with("/runs/{id}");
    let body = operation.request_body.as_ref();
    let takes_json =
        body.is_some_and(|it| matches!(it, RefOr::T(it) if it.required == Some(Required::True)));
    match (is_of_run, takes_json) {
        (true, true) => refusals.push((422, "A field is wrong, or this cannot be a run's id.")),
        (true, false) => refusals.push((422, "This cannot be a run's id.")),
        (false, true) => refusals.push((422, "A field is wrong.")),
        (false, false) => {}
    }
    if is_of_run && !WITHOUT_RUN.contains(&route) {
        refusals.push((404, "There is no such run."));
    }
    if takes_json {
        refusals.push((400, "The body is no JSON."));
        refusals.push((415, "The body is not declared as JSON."));
    } else if body.is_some() {
        refusals.push((400, "The body is neither empty nor a reason."));
    } else if has(ParameterIn::Path) || has(ParameterIn::Query) {
        refusals.push((400, "The address cannot be read."));
    }
    refusals
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description);
    response
        .content("application/problem+json", content)
        .build()
}
