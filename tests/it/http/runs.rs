//! Listing, showing and changing runs.

use axum::http::StatusCode;
use axum_durable::{
    RunStatus,
    id::RunId,
    model::{Fingerprint, NewRun, WorkflowKey},
    payload::Payload,
    store::Batch,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::app::{App, until};

fn ids(list: &Value) -> Vec<&str> {
    let runs = list["runs"].as_array().unwrap();
    runs.iter().map(|run| run["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_filtered_and_paged() {
    let app = App::new().await;
    for id in ["g1", "g2", "g3"] {
        app.greet(id).await;
    }
    app.unlucky("u1").await;
    app.patient("p1").await;
    for (query, mut expected) in [
        ("", vec!["p1", "u1", "g3", "g2", "g1"]),
        ("?status=failed", vec!["u1"]),
        ("?status=failed,suspended", vec!["p1", "u1"]),
        ("?status=dead", vec![]),
        ("?workflow=greet", vec!["g3", "g2", "g1"]),
        ("?tag=web", vec!["g3", "g2", "g1"]),
        (
            "?tag=polite&status=completed&workflow=greet",
            vec!["g3", "g2", "g1"],
        ),
        ("?workflow=greet&status=failed", vec![]),
        ("?workflow=&tag=", vec!["p1", "u1", "g3", "g2", "g1"]),
    ] {
        let answer = app.get(&format!("/durable/api/runs{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        let list = answer.json();
        // Runs of the same millisecond are ordered by id.
        let mut found = ids(&list);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
        assert_eq!(list["next"], Value::Null);
    }
    let all = app.get("/durable/api/runs").await.json();
    let mut paged = Vec::new();
    let mut path = "/durable/api/runs?limit=2".to_owned();
    loop {
        let page = app.get(&path).await.json();
        assert!(ids(&page).len() <= 2);
        paged.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/durable/api/runs?limit=2&after={next}");
    }
    assert_eq!(paged, ids(&all));
}

#[tokio::test]
async fn a_run_is_shown_with_its_timeline() {
    let app = App::new().await;
    app.greet("g").await;
    let detail = app.get("/durable/api/runs/g").await.json();
    let run = &detail["run"];
    assert_eq!(run["status"], "completed");
    assert_eq!(
        (&run["workflow"], &run["version"]),
        (&json!("greet"), &json!(2))
    );
    assert_eq!(run["tags"], json!(["polite", "web"]));
    assert_eq!(run["input"], "Ada");
    assert_eq!(run["output"], "hello, Ada");
    let step = &detail["timeline"][0];
    assert_eq!(
        (&step["kind"], &step["name"]),
        (&json!("step"), &json!("greet"))
    );
    assert_eq!(step["result"], "hello, Ada");
    assert_eq!(step["events"][0]["message"], "greeting");
    assert_eq!(step["events"][0]["type"], "log");
    assert_eq!(detail["waiting_for"], json!([]));
    let rest = app.get("/durable/api/runs/g?from_seq=1").await.json();
    assert_eq!(rest["timeline"][0]["kind"], "set_event");
    let published = app.get("/durable/api/runs/g/events/greeting").await.json();
    assert_eq!(published["value"], "hello, Ada");
}

#[tokio::test]
async fn large_payloads_are_named_and_not_shown() {
    let app = App::new().await;
    app.wordy("fits", 64 * 1024 - 2).await;
    app.wordy("large", 64 * 1024 - 1).await;
    let fits = app.get("/durable/api/runs/fits").await.json();
    assert!(fits["run"]["output"].is_string());
    let large = app.get("/durable/api/runs/large").await.json();
    let cut = json!({"truncated": true, "bytes": 64 * 1024 + 1});
    assert_eq!(large["run"]["output"], cut);
    assert_eq!(large["timeline"][0]["result"], cut);
}

#[tokio::test]
async fn a_waiting_run_says_what_for() {
    let app = App::new().await;
    app.patient("p").await;
    let explanation = app.get("/durable/api/runs/p/explain").await.json();
    assert_eq!(explanation["status"], "suspended");
    let reason = explanation["reason"].as_str().unwrap();
    assert!(reason.contains("signal `go:p`"), "{reason}");
    let detail = app.get("/durable/api/runs/p").await.json();
    assert_eq!(detail["waiting_for"], explanation["waiting_for"]);
    assert_eq!(detail["waiting_for"][0]["name"], "go:p");
}

#[tokio::test]
async fn a_failed_run_can_be_retried() {
    let app = App::new().await;
    app.unlucky("u").await;
    let before = app.get("/durable/api/runs/u").await.json();
    assert_eq!(before["run"]["error"]["code"], "unlucky");
    assert_eq!(before["run"]["error"]["details"], json!([7]));
    let rev = before["run"]["rev"].as_u64().unwrap();
    let answer = app.post("/durable/api/runs/u/retry").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json(), json!({"run_id": "u", "outcome": "requeued"}));
    until(&app.durable, "u", |run| {
        run.status == RunStatus::Failed && run.rev > rev
    })
    .await;
}

#[tokio::test]
async fn a_waiting_run_can_be_cancelled() {
    let app = App::new().await;
    app.patient("p").await;
    let answer = app.post("/durable/api/runs/p/cancel").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let run = app.durable.wait_for_run("p").unwrap().await.unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    let again = app.post("/durable/api/runs/p/cancel").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_workflows_are_listed_with_shape_and_schemas() {
    let app = App::new().await;
    let list = app.get("/durable/api/workflows").await.json();
    let workflows = list["workflows"].as_array().unwrap();
    let names: Vec<_> = workflows
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    let expected = [
        "busy",
        "endless",
        "greet",
        "guarded",
        "halver",
        "outsourced",
        "patient",
        "stubborn",
        "trip",
        "unlucky",
        "wordy",
    ];
    assert_eq!(names, expected);
    let greet = &workflows[2]["versions"][0];
    assert_eq!(greet["version"], 2);
    assert_eq!(greet["tags"], json!(["polite"]));
    assert_eq!(greet["on_events"], json!([]));
    let wordy = &workflows.last().unwrap()["versions"][0];
    assert_eq!(wordy["on_events"], json!(["text.wanted"]));
    assert_eq!(greet["input_schema"]["type"], "string");
    assert_eq!(greet["outline"]["nodes"][0]["kind"], "step");
}

#[tokio::test]
async fn a_workflow_says_what_its_runs_take_and_give() {
    let app = App::new().await;
    let shown = async |name: &str| {
        let path = format!("/durable/api/workflows/{name}");
        let workflow = app.get(&path).await.json();
        assert_eq!(workflow["name"], name);
        workflow["versions"][0].clone()
    };
    let halver = shown("halver").await;
    let update = &halver["updates"][0];
    assert_eq!(update["name"], "halve");
    assert_eq!(update["args_schema"]["format"], "uint32");
    assert_eq!(update["reply_schema"]["format"], "uint32");
    let node = &halver["outline"]["nodes"][0]["body"][0];
    assert_eq!(node["payload_schema"], update["args_schema"]);
    assert_eq!(node["reply_schema"], update["reply_schema"]);

    let patient = shown("patient").await;
    let name = r#"format!("go:{}", ctx.run_id())"#;
    assert_eq!(patient["signals"][0]["name"], name);
    assert_eq!(patient["signals"][0]["schema"]["format"], "uint32");
    // It is the last expression, so its type is not written there.
    let trip = shown("trip").await;
    assert_eq!(trip["signals"], json!([{"name": name, "schema": null}]));
    // A value that is set is of a type that the compiler alone knows.
    let greet = shown("greet").await;
    assert_eq!(
        greet["published"],
        json!([{"name": "greeting", "schema": null}])
    );
    assert_eq!(greet["signals"], json!([]));
    let nobody = app.get("/durable/api/workflows/nobody").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_workflows_say_which_runs_were_begun_under_another_flow() {
    let app = App::new().await;
    app.patient("p").await;
    app.greet("g").await;
    // As a build with another flow would have stored it.
    let mut other = NewRun::new(
        RunId::parse("old").unwrap(),
        WorkflowKey::new("patient", 1),
        Payload::null(),
        Timestamp::MAX,
    );
    other.fingerprint = Some(Fingerprint::new(7));
    let batch = Batch {
        starts: vec![other],
        ..Batch::default()
    };
    app.durable.engine().store().commit(&batch).await.unwrap();
    let list = app.get("/durable/api/workflows").await.json();
    assert_eq!(list["is_complete"], true);
    let workflows = list["workflows"].as_array().unwrap();
    let version = |name: &str| {
        let found = workflows.iter().find(|it| it["name"] == name);
        &found.unwrap()["versions"][0]
    };
    let patient = version("patient");
    assert_eq!(patient["fingerprint"].as_str().unwrap().len(), 16);
    assert_eq!(
        patient["runs"],
        json!({"live": 2, "other_flow": 1, "unknown_flow": 0, "examples": ["old"]})
    );
    assert_eq!(version("greet")["runs"]["live"], 0);

    let path = "/durable/api/workflows/patient/rehearsal";
    let rehearsal = app.get(path).await.json();
    let runs = rehearsal["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["run_id"], "old");
    assert_eq!(runs[0]["begun_under"], "0000000000000007");
    assert_eq!(runs[0]["is_same_flow"], false);
    // It has not begun, so it fits whatever code there is.
    assert_eq!(runs[0]["outcome"], "fits");
    assert_eq!(runs[1]["waits_for"], json!(["1 signal `go:p`"]));
    let nobody = app.get("/durable/api/workflows/nobody/rehearsal").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}
