//! Random search attributes, and random lists that are narrowed by them and by other things.

#![expect(clippy::unwrap_used, reason = "what is drawn is valid")]

use serde_json::{Value, json};

use super::actor::run;
use super::random::Dice;
use crate::model::{AttributeFilter, AttributePatch, RunQuery, RunStatus};

impl Dice {
    /// Changes of a few attributes.
    pub(super) fn patch(&mut self) -> AttributePatch {
        let mut patch = AttributePatch::default();
        for key in ["k0", "k1", "k2"] {
            if self.happens(2) {
                let value = match self.below(7) {
                    0 => Value::Null,
                    1 => json!(self.happens(2)),
                    2 | 3 => json!(self.below(4)),
                    4 => json!(f64::from(self.below(9)) / 7.0 - 0.5),
                    5 => json!(self.one_of("eu", &["EU", "eu ", "ü"])),
                    _ => json!(self.key()),
                };
                patch.set(key, &value).unwrap();
            }
        }
        patch
    }

    /// Whose runs are claimed.
    pub(super) fn claimed_namespace(&mut self) -> Option<&'static str> {
        let namespace = self.one_of(None, &[None, None, Some("shop"), Some("default")]);
        if namespace.is_some() {
            self.tally.count("claim in a namespace");
        }
        namespace
    }

    /// A condition on one of them, or on one that no run has.
    pub(super) fn filter(&mut self) -> AttributeFilter {
        let key = self.one_of("k0", &["k1", "k2", "k3"]);
        let op = self.one_of("eq", &["ne", "gt", "gte", "lt", "lte"]);
        let value = self.one_of(
            "2",
            &["true", "eu", "1", "-0.5", "key 1", "0.07142857142857142"],
        );
        format!("{key}:{op}:{value}").parse().unwrap()
    }

    /// A list of runs in pages, of some or all.
    pub(super) fn query(&mut self) -> RunQuery {
        let mut query = RunQuery {
            limit: 1 + self.below(4),
            ..RunQuery::default()
        };
        let kind = match self.below(11) {
            9 => {
                self.leave_out(&mut query);
                "list without"
            }
            10 => {
                query.has_children = Some(self.happens(2));
                query.has_parent = self.happens(2).then(|| self.happens(2));
                "list by relatives"
            }
            7 | 8 => {
                let filter = self.filter();
                query.attributes.push(filter);
                if self.happens(2) {
                    let filter = self.filter();
                    query.attributes.push(filter);
                }
                "list by attributes"
            }
            6 => {
                query.namespace = Some(self.one_of("default", &["shop"]).into());
                "list by namespace"
            }
            5 => {
                query.parent = Some(run(&self.run_id()));
                "list by parent"
            }
            0 => {
                query.statuses = vec![RunStatus::Running, RunStatus::Suspended];
                "list by status"
            }
            1 => {
                query.statuses = vec![RunStatus::Blocked, RunStatus::Dead, RunStatus::Failed];
                let most = usize::try_from(1 + self.below(3)).unwrap();
                query.statuses.truncate(most);
                if self.happens(4) {
                    query.tag = Some("tag 1".into());
                }
                "list what went wrong"
            }
            2 => {
                query.workflow = Some("refund".into());
                "list by workflow"
            }
            3 => {
                query.tag = Some(format!("tag {}", self.below(3)).into());
                if self.happens(3) {
                    query.statuses = vec![RunStatus::Suspended, RunStatus::Completed];
                }
                "list by tag"
            }
            _ => "list all",
        };
        self.tally.count(kind);
        query
    }

    fn leave_out(&mut self, query: &mut RunQuery) {
        query.except.workflows.push("refund".into());
        let tag = format!("tag {}", self.below(3));
        query.except.tags.push(tag.into());
        if self.happens(2) {
            query.except.namespaces.push("shop".into());
        }
    }
}
