//! The statement that lists runs: what was asked for as conditions, and by which way they are
//! found.
//!
//! PostgreSQL and SQLite find a way by themselves: they have partial indexes, and know how many
//! rows an index leads to; only tags that few runs have PostgreSQL must be told of. MySQL and
//! MariaDB have neither here, and go through all runs where few match. So there the way is chosen:
//! through whatever few entries of an index lead to all that match, and else through the list in
//! its order, where a page is soon full. How many entries there are is counted up to [`FEW`], in a
//! look that reads the index alone.

use super::attributes;
use super::statements::mysql;
use super::store::SqlStore;
use crate::driver::sql::{Arg, Args, Dialect};
use crate::model::{DEFAULT_NAMESPACE, RunQuery, RunStatus};
use crate::store::cursor::Cursor;
use crate::store::error::StoreError;

/// Entries of an index that are read and sorted for one page: some ten milliseconds. A list of a
/// million runs of which more than so many match has a page full after 2,500.
const FEW: u32 = 2_000;

/// Statuses that few runs have, and those only once. On MySQL and MariaDB an index leads to them.
const SET_ASIDE: [RunStatus; 7] = [
    RunStatus::Blocked,
    RunStatus::Paused,
    RunStatus::Cancelling,
    RunStatus::Failed,
    RunStatus::Cancelled,
    RunStatus::Dead,
    RunStatus::CompensationFailed,
];

/// How the runs of a page are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the database sees fit.
    Planned,
    /// By their tag, which few have, on PostgreSQL: it takes a tag that it has never seen for a
    /// common one, and goes through all runs.
    FewOfTag,
    /// In the order of the list.
    Newest,
    /// In the order of the list of one workflow.
    OfWorkflow,
    /// By their tag.
    Tagged,
    /// Those that have not ended.
    Live,
    /// Those that something is the matter with.
    SetAside,
}

impl Way {
    /// What is read, for MySQL and MariaDB; `tag` is the placeholder of the tag, if one is asked for.
    fn source(self, tag: &str) -> String {
        let newest = "durable_runs r FORCE INDEX FOR ORDER BY (durable_runs_newest)";
        match self {
            Self::Planned | Self::FewOfTag => String::new(),
            Self::Newest if tag.is_empty() => newest.to_owned(),
            Self::Newest => format!(
                "durable_runs r FORCE INDEX (durable_runs_newest) STRAIGHT_JOIN durable_tags t \
                 FORCE INDEX (PRIMARY) ON t.tag = {tag} AND t.run_no = r.no"
            ),
            Self::OfWorkflow => {
                "durable_runs r FORCE INDEX FOR ORDER BY (durable_runs_of)".to_owned()
            }
            Self::Tagged => format!(
                "durable_tags t FORCE INDEX (PRIMARY) STRAIGHT_JOIN durable_runs r \
                 FORCE INDEX (PRIMARY) ON t.tag = {tag} AND r.no = t.run_no"
            ),
            Self::Live => "durable_runs r FORCE INDEX (durable_runs_ended)".to_owned(),
            Self::SetAside => "durable_runs r FORCE INDEX (durable_runs_aside)".to_owned(),
        }
    }
}

/// A statement as it grows.
struct Listing {
    conditions: String,
    args: Args<'static>,
}

impl Listing {
    /// The next placeholder, and its value.
    fn bind(&mut self, value: impl Into<Arg<'static>>) -> String {
        self.args = std::mem::take(&mut self.args).with(value);
        format!("${}", self.args.len())
    }

    fn and(&mut self, condition: &str) {
        self.conditions += " AND ";
        self.conditions += condition;
    }
}

impl SqlStore {
    /// The statement for a page of runs.
    pub(super) async fn listing(
        &self,
        query: &RunQuery,
    ) -> Result<(String, Args<'static>), StoreError> {
        let way = match self.dialect() {
            Dialect::Postgres if self.is_rare(query.tag.as_deref()).await? => Way::FewOfTag,
            Dialect::Postgres | Dialect::Sqlite => Way::Planned,
            Dialect::MySql => self.way(query).await?,
        };
        text(self.texts().read.list, way, query)
    }

    /// By which way MySQL or MariaDB finds what is asked for.
    async fn way(&self, query: &RunQuery) -> Result<Way, StoreError> {
        let statuses = &query.statuses;
        let are_all = |kind: &[RunStatus]| {
            !statuses.is_empty() && statuses.iter().all(|status| kind.contains(status))
        };
        // However many they are: the index gives those of each status in order.
        if are_all(&SET_ASIDE) {
            return Ok(Way::SetAside);
        }
        if self.is_rare(query.tag.as_deref()).await? {
            return Ok(Way::Tagged);
        }
        if query.workflow.is_some() {
            return Ok(Way::OfWorkflow);
        }
        let is_live = |status: &RunStatus| !status.is_terminal();
        if !statuses.is_empty() && statuses.iter().all(is_live) {
            // Of those that only pass through these two, the list in its order may hold none.
            let pass = [RunStatus::Pending, RunStatus::Running];
            let entries = "durable_runs FORCE INDEX (durable_runs_ended) WHERE finished_at IS NULL";
            if are_all(&pass) || self.are_few(entries, &Args::new()).await? {
                return Ok(Way::Live);
            }
        }
        Ok(Way::Newest)
    }

    /// Whether there is a tag, and few runs have it.
    async fn is_rare(&self, tag: Option<&str>) -> Result<bool, StoreError> {
        let Some(tag) = tag else {
            return Ok(false);
        };
        let tag = Args::new().with(tag.to_owned());
        self.are_few("durable_tags WHERE tag = $1", &tag).await
    }

    /// Whether these entries of an index are no more than [`FEW`].
    async fn are_few(&self, entries: &str, args: &Args<'_>) -> Result<bool, StoreError> {
        let most = FEW + 1;
        let text = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {entries} LIMIT {most}) few");
        let sets = self.query("count what leads to runs", text, args).await?;
        let count = sets.first(0).map(|row| super::record::get::<i64>(row, 0));
        Ok(count.transpose()?.unwrap_or_default() <= i64::from(FEW))
    }
}

fn words(statuses: &[RunStatus]) -> String {
    let words = statuses.iter().map(|status| format!("'{status}'"));
    words.collect::<Vec<_>>().join(", ")
}

/// The statement and its values. `list` is what it begins with where the database finds its way.
fn text(list: &str, way: Way, query: &RunQuery) -> Result<(String, Args<'static>), StoreError> {
    let mut listing = Listing {
        conditions: String::new(),
        args: Args::new(),
    };
    let mut tag = String::new();
    if let Some(label) = &query.tag {
        tag = listing.bind(label.to_string());
        match way {
            // These begin with the tags, or look there.
            Way::Tagged | Way::Newest => {}
            Way::FewOfTag => listing.and(&format!(
                "r.no = ANY (ARRAY(SELECT t.run_no FROM durable_tags t WHERE t.tag = {tag}))"
            )),
            Way::Planned | Way::OfWorkflow | Way::Live | Way::SetAside => listing.and(&format!(
                "EXISTS (SELECT 1 FROM durable_tags t WHERE t.tag = {tag} AND t.run_no = r.no)"
            )),
        }
    }
    add_statuses(&mut listing, way, query);
    add_labels(&mut listing, query);
    add_relatives(&mut listing, query);
    add_place(&mut listing, query)?;
    let Listing { conditions, args } = listing;
    // One more than a page tells whether there is a next one.
    let most = query.page_size() + 1;
    let order = "ORDER BY created_at DESC, id DESC";
    let text = match way {
        Way::Planned | Way::FewOfTag => {
            format!("{list}{conditions} {order} LIMIT {most}")
        }
        // In order already, so rows are read as they are found.
        Way::Newest | Way::OfWorkflow => {
            let source = way.source(&tag);
            let list = mysql::list(&source);
            format!("{list}{conditions} {order} LIMIT {most}")
        }
        // What is sorted is small: the rows of the page alone are read whole.
        Way::Tagged | Way::Live => {
            let source = way.source(&tag);
            of_page(&format!(
                "SELECT r.no FROM {source} WHERE true{conditions} \
                 ORDER BY r.created_at DESC, r.id DESC LIMIT {most}"
            ))
        }
        Way::SetAside => {
            let source = way.source(&tag);
            let of_each = query.statuses.iter().map(|status| {
                format!(
                    "(SELECT r.no, r.created_at, r.id FROM {source} \
                     WHERE r.aside = '{status}'{conditions} \
                     ORDER BY r.created_at DESC, r.id DESC LIMIT {most})"
                )
            });
            let of_all = of_each.collect::<Vec<_>>().join(" UNION ALL ");
            of_page(&format!(
                "SELECT found.no FROM ({of_all}) found \
                 ORDER BY found.created_at DESC, found.id DESC LIMIT {most}"
            ))
        }
    };
    Ok((text, args))
}

/// The rows of the runs whose numbers `page` finds, in the order of the list.
fn of_page(page: &str) -> String {
    let list = mysql::list(&format!(
        "({page}) page STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = page.no"
    ));
    format!("{list} ORDER BY r.created_at DESC, r.id DESC")
}

fn add_statuses(listing: &mut Listing, way: Way, query: &RunQuery) {
    if query.statuses.is_empty() {
        return;
    }
    let words = words(&query.statuses);
    match way {
        // Each is looked for by itself.
        Way::SetAside => {}
        Way::Live => listing.and(&format!("r.finished_at IS NULL AND r.status IN ({words})")),
        Way::Planned | Way::FewOfTag | Way::Newest | Way::OfWorkflow | Way::Tagged => {
            listing.and(&format!("status IN ({words})"));
        }
    }
    if way == Way::Planned && !query.statuses.contains(&RunStatus::Completed) {
        // It follows from the statuses, and leads to the index of what has not completed.
        listing.and("output IS NULL");
    }
}

/// What runs are found by: workflow, search attributes, namespace, and what is left out.
fn add_labels(listing: &mut Listing, query: &RunQuery) {
    if let Some(workflow) = &query.workflow {
        let name = listing.bind(workflow.to_string());
        listing.and(&format!("workflow = {name}"));
    }
    for filter in &query.attributes {
        let condition = attributes::condition(filter, |value| listing.bind(value));
        listing.conditions += &condition;
    }
    if let Some(namespace) = &query.namespace {
        let name = listing.bind(namespace.to_string());
        listing.and(&format!("namespace = {name}"));
        if &**namespace != DEFAULT_NAMESPACE {
            // It follows, and leads to the index of the others.
            listing.and("namespace <> 'default'");
        }
    }
    for workflow in &query.except.workflows {
        let name = listing.bind(workflow.to_string());
        listing.and(&format!("workflow <> {name}"));
    }
    for namespace in &query.except.namespaces {
        let name = listing.bind(namespace.to_string());
        listing.and(&format!("namespace <> {name}"));
    }
    for tag in &query.except.tags {
        let tag = listing.bind(tag.to_string());
        listing.and(&format!(
            "NOT EXISTS (SELECT 1 FROM durable_tags n WHERE n.tag = {tag} AND n.run_no = r.no)"
        ));
    }
}

fn add_relatives(listing: &mut Listing, query: &RunQuery) {
    if let Some(parent) = &query.parent {
        let parent = listing.bind(parent.to_string());
        listing.and(&format!("parent = {parent}"));
    }
    if let Some(has) = query.has_parent {
        listing.and(if has {
            "parent IS NOT NULL"
        } else {
            "parent IS NULL"
        });
    }
    if let Some(has) = query.has_children {
        let not = if has { "" } else { "NOT " };
        listing.and(&format!(
            "{not}EXISTS (SELECT 1 FROM durable_runs child WHERE child.parent = r.id)"
        ));
    }
}

/// Where in the list the page lies.
fn add_place(listing: &mut Listing, query: &RunQuery) -> Result<(), StoreError> {
    if let Some(prefix) = &query.id_prefix {
        // A range, which the index of the ids serves; no id holds the last character.
        let first = listing.bind(prefix.to_string());
        let last = listing.bind(format!("{prefix}{}", char::MAX));
        listing.and(&format!("id >= {first} AND id < {last}"));
    }
    if let Some(since) = query.since {
        let since = listing.bind(since.as_millis());
        listing.and(&format!("created_at >= {since}"));
    }
    if let Some(until) = query.until {
        let until = listing.bind(until.as_millis());
        listing.and(&format!("created_at <= {until}"));
    }
    if let Some(after) = query.after.as_deref().map(Cursor::parse).transpose()? {
        let time = listing.bind(after.created_at.as_millis());
        let id = listing.bind(after.id.to_string());
        // The first condition is part of the second one. MySQL needs it to begin in the middle
        // of the index.
        listing.and(&format!(
            "created_at <= {time} AND (created_at, id) < ({time}, {id})"
        ));
    }
    Ok(())
}

/// The texts of each way for MySQL and MariaDB, for a look at their plans.
#[cfg(test)]
pub(super) fn ways() -> Vec<(&'static str, String)> {
    let by = |statuses: &[RunStatus], tag: bool| RunQuery {
        statuses: statuses.to_vec(),
        tag: tag.then(|| "tag-5".into()),
        ..RunQuery::default()
    };
    let waiting = [RunStatus::Suspended];
    let broken = [RunStatus::Dead, RunStatus::Failed];
    [
        ("tagged", Way::Tagged, by(&[], true)),
        ("newest of a tag", Way::Newest, by(&[], true)),
        ("live", Way::Live, by(&waiting, false)),
        ("set aside", Way::SetAside, by(&broken, false)),
    ]
    .into_iter()
    .filter_map(|(name, way, query)| Some((name, text("", way, &query).ok()?.0)))
    .collect()
}
