//! Filters, payloads on demand, history, and what the newest runs say together.

use axum::http::StatusCode;
use axum_durable::MemoryStore;
use serde_json::{Value, json};

use super::app::{self, App, endless};

const RUNS: &str = "/durable/api/runs";

async fn ids(app: &App, query: &str) -> Vec<String> {
    let list = app.get(&format!("{RUNS}?{query}")).await;
    assert_eq!(list.status, StatusCode::OK, "{query}");
    let list = list.json();
    let runs = list["runs"].as_array().unwrap().iter();
    runs.map(|run| run["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_list_is_filtered_by_id_and_time() {
    let app = App::new().await;
    for id in ["order-1", "order-2", "other"] {
        app.greet(id).await;
    }
    assert_eq!(ids(&app, "id_prefix=order-").await, ["order-2", "order-1"]);
    assert_eq!(ids(&app, "id_prefix=%25").await, Vec::<String>::new());
    let list = app.get(RUNS).await.json();
    let at = |n: usize| list["runs"][n]["created_at"].as_i64().unwrap();
    let since = format!("since={}", at(0));
    assert!(ids(&app, &since).await.contains(&"other".to_owned()));
    assert_eq!(
        ids(&app, &format!("until={}", at(2) - 1)).await,
        Vec::<String>::new()
    );
    for query in [
        "since=yesterday",
        "until=1.5",
        &format!("id_prefix={}", "x".repeat(500)),
    ] {
        let answer = app.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        answer.problem();
    }
}

#[tokio::test]
async fn a_list_is_searched_as_people_type_it() {
    let app = App::new().await;
    for id in ["order-1", "order-2", "other"] {
        app.greet(id).await;
    }
    app.patient("order-3").await;
    let search = async |text: &str| {
        let text: String = text.split(' ').collect::<Vec<_>>().join("%20");
        ids(&app, &format!("q={text}")).await
    };
    assert_eq!(search("order- is:ended").await, ["order-2", "order-1"]);
    assert_eq!(search("is:waiting newer:1h").await, ["order-3"]);
    assert_eq!(search("workflow:greet tag:web other").await, ["other"]);
    assert_eq!(search("older:1h").await, Vec::<String>::new());
    assert_eq!(
        ids(&app, "q=order-&status=suspended").await,
        ["order-3"],
        "both count"
    );
    for query in ["q=colour:red", "q=status:x", "q=tag:a&tag=b", "q=a%20b"] {
        let answer = app.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        answer.problem();
    }
}

#[tokio::test]
async fn what_matches_is_counted_by_status_workflow_and_tag() {
    let app = App::new().await;
    for id in ["order-1", "order-2", "other"] {
        app.greet(id).await;
    }
    app.patient("order-3").await;
    let facets = app.get("/durable/api/facets?q=order-").await.json();
    assert_eq!(facets["runs"], 3);
    assert_eq!(facets["is_complete"], true);
    assert_eq!(facets["statuses"], json!({"completed": 2, "suspended": 1}));
    assert_eq!(
        facets["workflows"],
        json!([{"value": "greet", "runs": 2}, {"value": "patient", "runs": 1}])
    );
    assert_eq!(
        facets["tags"],
        json!([{"value": "polite", "runs": 2}, {"value": "web", "runs": 2}])
    );
    let narrow = app.get("/durable/api/facets?workflow=patient").await.json();
    assert_eq!(narrow["statuses"], json!({"suspended": 1}));
    let wrong = app.get("/durable/api/facets?q=status:x").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_run_whose_first_step_is_executed_is_shown_as_running() {
    let app = App::new().await;
    app.durable.start(endless, ()).id("e").await.unwrap();
    let list = app.get(RUNS).await.json();
    assert_eq!(list["runs"][0]["display"], "running");
    let run = app.get(&format!("{RUNS}/e")).await.json();
    assert_eq!(run["run"]["display"], "running");
    // Nobody executes this one.
    let idle = App::of(app::on(MemoryStore::new(), false).await);
    idle.durable.start(endless, ()).id("e").await.unwrap();
    let list = idle.get(RUNS).await.json();
    assert_eq!(list["runs"][0]["display"], "pending");
}

#[tokio::test]
async fn a_row_says_what_the_run_is_doing() {
    let app = App::new().await;
    app.greet("g").await;
    app.patient("p").await;
    app.unlucky("u").await;
    let list = app.get(RUNS).await.json();
    let row = |id: &str| -> Value {
        let runs = list["runs"].as_array().unwrap();
        runs.iter().find(|run| run["id"] == id).unwrap().clone()
    };
    assert_eq!(row("g")["display"], "completed");
    assert_eq!(row("p")["display"], "waiting_signal");
    assert_eq!(row("p")["reason"], "go:p");
    assert!(row("p")["waiting_since"].is_i64());
    assert_eq!(row("u")["display"], "failed");
    assert!(row("u")["reason"].as_str().unwrap().contains("no luck"));
    let position = list["event_id"].as_str().unwrap();
    assert!(position.contains('-'), "{position}");
}

#[tokio::test]
async fn payloads_come_on_demand() {
    let app = App::new().await;
    app.greet("g").await;
    let hidden = app.get(&format!("{RUNS}/g?payloads=false")).await.json();
    assert_eq!(hidden["run"]["input"], json!({"hidden": true, "bytes": 5}));
    assert_eq!(hidden["timeline"][0]["result"]["hidden"], true);
    assert_eq!(hidden["operations"], 2);
    let both = app.get(&format!("{RUNS}/g/payloads")).await.json();
    assert_eq!(
        (&both["input"], &both["output"]),
        (&json!("Ada"), &json!("hello, Ada"))
    );
    let step = app.get(&format!("{RUNS}/g/steps/0")).await.json();
    assert_eq!(step["result"], "hello, Ada");
    // What is too large for a timeline is shown when it is asked for alone.
    app.wordy("w", 100_000).await;
    let detail = app.get(&format!("{RUNS}/w")).await.json();
    assert_eq!(detail["timeline"][0]["result"]["truncated"], true);
    let step = app.get(&format!("{RUNS}/w/steps/0")).await.json();
    assert_eq!(step["result"].as_str().unwrap().len(), 100_000);
    app.wordy("huge", 5_000_000).await;
    let step = app.get(&format!("{RUNS}/huge/steps/0")).await.json();
    let (bytes, preview) = (&step["result"]["bytes"], &step["result"]["preview"]);
    assert_eq!(*bytes, 5_000_002);
    assert_eq!(preview.as_str().unwrap().len(), 256 * 1024);
    let detail = app.get(&format!("{RUNS}/huge")).await.json();
    let cut = json!({"truncated": true, "bytes": 5_000_002});
    assert_eq!(detail["timeline"][0]["result"], cut);
    // Whole it comes as a file.
    for path in ["steps/0/payload", "payloads/output"] {
        let file = app.get(&format!("{RUNS}/huge/{path}")).await;
        assert_eq!(file.body.len(), 5_000_002, "{path}");
        assert!(file.header("content-disposition").starts_with("attachment"));
        assert_eq!(file.header("x-content-type-options"), "nosniff");
    }
    app.patient("p").await;
    for (path, status) in [
        ("/g/steps/9", 404),
        ("/none/steps/0", 404),
        ("/none/payloads", 404),
        ("/none/payloads/input", 404),
        ("/p/payloads/output", 404),
        ("/p/payloads/both", 400),
        ("/p/steps/1/payload", 404),
        ("/none/history", 404),
        ("/g/steps/x", 400),
        ("/g?payloads=maybe", 400),
    ] {
        let answer = app.get(&format!("{RUNS}{path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        answer.problem();
    }
}

#[tokio::test]
async fn a_history_has_a_line_per_operation() {
    let app = App::new().await;
    app.greet("g").await;
    let history = app.get(&format!("{RUNS}/g/history")).await;
    assert_eq!(history.header("content-type"), "application/x-ndjson");
    let lines = std::str::from_utf8(&history.body).unwrap().lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["step", "set_event"]);
    assert_eq!(lines[0]["result"], "hello, Ada");
}

#[tokio::test]
async fn a_survey_counts_what_it_has_read() {
    let app = App::new().await;
    let empty = app.get("/durable/api/survey").await.json();
    assert_eq!(
        (&empty["runs"], &empty["is_complete"]),
        (&json!(0), &json!(true))
    );
    for id in ["g1", "g2"] {
        app.greet(id).await;
    }
    app.patient("p").await;
    app.unlucky("u1").await;
    app.unlucky("u2").await;
    let survey = app.get("/durable/api/survey").await.json();
    assert_eq!(survey["runs"], 5);
    assert_eq!(
        survey["statuses"],
        json!({"completed": 2, "failed": 2, "suspended": 1})
    );
    let ended = survey["ended"].as_array().unwrap();
    let sum = |name: &str| {
        ended
            .iter()
            .map(|it| it[name].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((sum("completed"), sum("failed")), (2, 2));
    let greet = &survey["workflows"][0];
    assert_eq!(
        (&greet["name"], &greet["version"]),
        (&json!("greet"), &json!(2))
    );
    assert!(greet["p50_ms"].is_u64() && greet["p95_ms"].as_u64() >= greet["p50_ms"].as_u64());

    let failures = app.get("/durable/api/failures").await.json();
    let groups = failures["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{failures}");
    assert_eq!(groups[0]["runs"], 2);
    assert_eq!(groups[0]["workflow"], "unlucky");
    assert_eq!(groups[0]["newest"], "u2");
    assert_eq!(groups[0]["statuses"], json!({"failed": 2}));
}

#[tokio::test]
async fn the_instance_says_what_it_is() {
    let app = App::new().await;
    let meta = app.get("/durable/api/meta").await.json();
    assert_eq!(meta["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(meta["drives"], true);
    assert_eq!(meta["store"], "memory");
    assert_eq!(
        meta["access"],
        json!({"actor": null, "payloads": true, "act": true, "administer": true})
    );
    assert!(
        meta["capabilities"]
            .as_array()
            .unwrap()
            .contains(&json!("signal"))
    );
}

#[tokio::test]
async fn an_instance_says_what_it_is_and_what_it_did() {
    let app = App::new().await;
    app.greet("done").await;
    app.unlucky("failed").await;
    app.patient("waiting").await;
    let mine = app.durable.engine().instance().to_string();
    // It says so beside everything else.
    let worker = loop {
        let list = app.get("/durable/api/workers").await.json();
        let worker = list["workers"][0].clone();
        if worker["host"].is_string() {
            break worker;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(worker["id"], mine);
    assert_eq!(
        (&worker["is_this"], &worker["is_alive"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(worker["runs"], 1);
    assert_eq!(worker["process"], std::process::id());
    assert!(worker["workflows"].as_array().unwrap().len() > 5);
    let metrics = app.get("/durable/api/metrics").await.json();
    assert_eq!(
        (&metrics["resident"], &metrics["parked"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(metrics["ended"]["completed"], 1);
    assert_eq!(metrics["ended"]["failed"], 1);
    let text = app.get("/durable/api/metrics?format=prometheus").await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4");
    let text = std::str::from_utf8(&text.body).unwrap();
    for line in [
        "# TYPE durable_runs_ended_total counter",
        "durable_runs_ended_total{status=\"completed\"} 1",
        "durable_resident_runs 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
}
