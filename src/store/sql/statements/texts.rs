//! Which statements there are, whatever the database.

/// Statements that are carried out one after the other with the same values.
pub(crate) type Texts = &'static [&'static str];

/// Every statement of one dialect. What its placeholders mean stands here; how it finds its rows
/// stands beside the text.
///
/// "Answers with rows" means that the statement says so itself; where a database cannot return
/// what it changes, a SELECT stands before or after it, and the reader takes the sets with rows.
pub(crate) struct Statements {
    /// None where the batch is one statement, put together from what it holds.
    pub(crate) commit: Option<CommitTexts>,
    /// Which of the runs in list `$1` exist: place, status.
    pub(crate) find_starts: &'static str,
    /// Which commits of the list `$1` are refused: place, and the token in the store.
    pub(crate) refused: &'static str,
    pub(crate) deliver: DeliverTexts,
    pub(crate) lease: LeaseTexts,
    pub(crate) read: ReadTexts,
}

/// The journal's batch. On SQLite and MySQL its values are those of
/// [`Plan`](super::super::plan::Plan).
pub(crate) struct CommitTexts {
    pub(crate) insert_runs: &'static str,
    pub(crate) insert_inputs: &'static str,
    pub(crate) tag_starts: &'static str,
    pub(crate) keep_runs: &'static str,
    pub(crate) release_runs: &'static str,
    pub(crate) put_checkpoints: &'static str,
    pub(crate) take_items: &'static str,
    pub(crate) publish: &'static str,
    pub(crate) close_waits: &'static str,
    /// Closes the waits for events of runs that have ended.
    pub(crate) close_listens: &'static str,
    /// 1 if something was delivered to the closed waits and not taken, or if a run that ended has
    /// others who wait for its end or children that are cancelled with it.
    pub(crate) untaken: &'static str,
    pub(crate) open_waits: &'static str,
    /// How many of these waits are open now, where the changes do not tell: a wait that takes the
    /// place of another one counts twice there.
    pub(crate) count_open: Option<&'static str>,
}

/// What arrives from outside, one by one.
pub(crate) struct DeliverTexts {
    /// Run `$1`: no, status, owner, tags. Locked until the transaction ends.
    pub(crate) find_run: &'static str,
    /// Takes signal `$1` with token `$2`, payload `$3`, sent at `$4`, as buffered, unless it was
    /// taken before: no change then.
    pub(crate) insert_signal: &'static str,
    /// The longest-waiting waiter of token `$2`: run number, seq, no.
    pub(crate) find_waiter: &'static str,
    /// The longest-waiting waiter of the token of signal `$1`: run number, seq, no.
    pub(crate) find_next_waiter: &'static str,
    /// Removes waiter `$1` and clears the buffer of signal `$2`.
    pub(crate) take_waiter: Texts,
    /// The place of signal `$1` in the order of delivery.
    pub(crate) place_of: &'static str,
    /// Puts signal `$1` with payload `$2` back into the buffer.
    pub(crate) buffer_again: &'static str,
    /// Puts an item into the inbox of run number `$1` and wakes the run at `$2`: kind `$3`, seq
    /// `$4`, attempt `$5`, signal `$6`, failure `$7`, payload `$8`. Answers with rows: the item's
    /// id; the run's id, wakes and owner.
    pub(crate) put_item: Texts,
    /// Whether an item like this is there: run number `$1`, kind `$2`, seq `$3`, attempt `$4`.
    pub(crate) find_item: &'static str,
    /// What waits for the wait of run number `$1` at `$2` for token `$3`: a signal in the inbox,
    /// the wait itself, a buffered signal.
    pub(crate) look_at_wait: Texts,
    /// Opens the wait of run number `$1` at `$2` for token `$3`.
    pub(crate) open_wait: &'static str,
    /// Hands buffered signal `$3` with payload `$4` to the wait of run number `$1` at `$2`, at
    /// `$5`. The owner learns of it from the answer, so it does not count as a wake. Answers with
    /// rows: the item's id.
    pub(crate) take_buffered: Texts,
    /// Closes the wait of run number `$1` at `$2` and takes what was delivered to it: the second
    /// set, signal id and payload.
    pub(crate) close_wait: Texts,
    /// Closes all waits of the run numbers in `$1`, empties their inboxes and takes the signals in
    /// them: the second set.
    pub(crate) close_all: Texts,
    /// Ends run number `$1` as `$2` at `$3`; `$4` is now and `$5` why. The new token refuses
    /// whoever held it.
    pub(crate) end_run: &'static str,
    /// Requeues run number `$1` at `$2`. The new token refuses whoever held it.
    pub(crate) requeue: Texts,
    /// Gives run number `$1` the tags `$2`.
    pub(crate) write_tags: &'static str,
    /// Makes run number `$1` findable by tag `$2`.
    pub(crate) add_tag: &'static str,
}

/// Instances, claims and take-over.
pub(crate) struct LeaseTexts {
    /// Takes liveness lock `$1` on this connection, if nobody holds it: 1 if that worked.
    pub(crate) take_lock: &'static str,
    /// Gives it back.
    pub(crate) free_lock: &'static str,
    /// Makes instance `$1` known until `$2`, with lock `$3`. A new number tells it from an earlier
    /// enrollment.
    pub(crate) enroll: Texts,
    /// Renews instance `$1` until `$2`, with lock `$3`: the changes of the first statement. Answers
    /// with a row where the store goes by the server's clock: [`ReadTexts::now`].
    pub(crate) heartbeat: Texts,
    /// Renews instance `$1`, which has no place here, until `$2`.
    pub(crate) renew: &'static str,
    /// Keeps report `$2` of instance `$1`, made at `$3`.
    pub(crate) report: &'static str,
    /// Other instances than `$1`: no, id, lease, whether their lock is free. The owners of runs
    /// that are not among the instances come without a number.
    pub(crate) others: &'static str,
    /// Forgets enrollment `$1`, if its lock was free (`$2` is 1) or its lease is over at `$3`. A
    /// twin that recovers the same instance finds no row any more and leaves its runs alone.
    pub(crate) forget: &'static str,
    pub(crate) forget_by_id: &'static str,
    /// The runs of instance `$1` that would be recovered more than `$2` times.
    pub(crate) exceeding: &'static str,
    /// Counts the recovery that ends run number `$1`.
    pub(crate) count_recovery: &'static str,
    /// Gives back the runs of instance `$1` at `$2`; `$3` is 1 if that counts as a recovery of
    /// those that ran. The new token refuses the old owner.
    pub(crate) give_back: &'static str,
    /// Claims, and looks ahead.
    pub(crate) due: DueTexts,
    /// Where a claim cannot return rows, [`DueTexts::claim`] only finds and locks run numbers. These
    /// claim the numbers in `$1` for instance `$2` at `$3` and answer with the runs.
    pub(crate) claim_found: Texts,
    /// Inputs, histories and inboxes of the run numbers in `$1`.
    pub(crate) histories: Texts,
}

/// What is due.
pub(crate) struct DueTexts {
    /// Claims at most `$4` runs of the workflows in `$1` that are due at `$3` for instance `$2`,
    /// of namespace `$5` unless that is NULL: the highest priority first, and of one the longest
    /// due. A status that this build does not know is left to those who know it. Answers with the
    /// columns of [`ReadTexts::run`] but the input, or, with [`LeaseTexts::claim_found`], with
    /// numbers.
    pub(crate) claim: &'static str,
    /// What there is to do for the workflows in `$1`, instance `$2` and namespace `$3`, or all of
    /// them if that is NULL: the ids of runs with news, and when the next run of each priority falls
    /// due; one of the two in each row, or none of them if another instance is known.
    pub(crate) look: &'static str,
    /// Where one statement cannot go from one priority to the next.
    pub(crate) ranked: Option<RankedTexts>,
}

/// What goes from one priority to the next, the highest first. There [`DueTexts::claim`] finds
/// nothing if any run has a priority, and [`DueTexts::look`] says so: in the third column of a row
/// of its own stands the highest, or 0.
pub(crate) struct RankedTexts {
    /// The highest priority below `$1`, but for the usual one.
    pub(crate) next: &'static str,
    /// Finds and locks what [`DueTexts::claim`] claims, of priority `$6`; NULL is the usual one.
    pub(crate) claim: &'static str,
    /// When the next run of priority `$4` falls due, as in [`DueTexts::look`].
    pub(crate) look: &'static str,
}

/// Reading.
pub(crate) struct ReadTexts {
    /// Run `$1` with its input.
    pub(crate) run: &'static str,
    /// Run `$1` with its history and inbox, of one moment: the sets with number 1, 2 and 3.
    pub(crate) load: Texts,
    /// The checkpoints of run `$1` that changed after revision `$2`.
    pub(crate) changed_since: &'static str,
    /// What runs wait for, and the run's id behind it. A condition on the runs follows.
    pub(crate) open_operations: &'static str,
    /// What run `$1` has published under `$2`.
    pub(crate) published: &'static str,
    /// The runs of instance `$1`.
    pub(crate) held: &'static str,
    /// The instances: id, lease, time of the report, report, how many runs they own.
    pub(crate) instances: &'static str,
    /// The columns of a listed run: no payloads. The conditions follow.
    pub(crate) list: &'static str,
    /// Now, in milliseconds since 1970, by the database's clock.
    pub(crate) now: &'static str,
}
