//! The API's document: what clients are generated from.

use std::{env, fs, path::Path};

use super::app::App;

/// Set to write the document anew after the API has changed.
const BLESS: &str = "BLESS";

#[tokio::test]
async fn the_document_is_the_one_that_clients_are_made_from() {
    let app = App::new().await;
    let mut document = app.get("/durable/api/openapi.json").await.json();
    // Where the routes are is the host's affair.
    document.as_object_mut().unwrap().remove("servers");
    let now = serde_json::to_string_pretty(&document).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/typescript/openapi.json");
    if env::var_os(BLESS).is_some() {
        fs::write(&path, &now).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == now,
        "the API has changed: run this test with {BLESS}=1, then `npm run types` in dashboard-ui"
    );
}
