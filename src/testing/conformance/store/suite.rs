//! The list of cases.

/// Runs the cases of every clause against a store, each as a test of its own.
///
/// The first argument names the module of the tests. The second one makes an empty store on the
/// given `Arc<dyn Clock>`, and whatever must live as long as the store.
///
/// ```
/// use axum_durable::{store::MemoryStore, store_conformance};
///
/// store_conformance!(memory, |clock| async move { (MemoryStore::with_clock(clock), ()) });
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $new_store:expr) => {
        $crate::store_conformance! { @cases $name, $new_store;
            a_batch_stores_a_run_before_it_commits_it,
            a_refused_commit_does_not_stop_the_others,
            a_second_start_changes_nothing,
            two_starts_of_one_id_in_a_batch_make_one_run,
            a_stored_run_is_pending_under_its_owner,
            a_stale_token_cannot_commit,
            a_commit_of_an_unknown_run_is_refused,
            a_checkpoint_replaces_the_one_at_its_seq,
            a_checkpoint_comes_back_as_it_was_put,
            a_published_value_replaces_the_one_before,
            a_released_run_is_due_at_its_time,
            a_release_that_missed_a_wake_is_due_at_once,
            an_ended_or_blocked_run_is_never_due,
            a_cancelling_run_stays_so_until_it_ends,
            a_batch_sent_again_changes_nothing,
            an_item_wakes_its_run,
            an_item_that_waits_already_is_a_duplicate,
            an_item_for_an_ended_or_unknown_run_is_refused,
            a_cancel_ends_a_run_that_nobody_holds,
            a_cancel_marks_a_run_that_is_held,
            a_run_that_was_ended_from_outside_refuses_its_last_owner,
            a_requeue_tries_the_failed_step_again,
            only_an_ended_or_blocked_run_is_requeued,
            a_signal_goes_to_the_longest_waiting_waiter,
            a_signal_is_taken_once,
            a_signal_wakes_a_run_that_nobody_holds,
            a_wait_takes_the_oldest_buffered_signal,
            a_released_run_whose_wait_is_answered_is_due,
            an_untaken_signal_returns_to_its_old_place,
            an_untaken_signal_goes_on_to_the_next_waiter,
            a_taken_signal_does_not_return,
            a_closed_wait_gets_no_signal,
            an_end_empties_waiters_and_inbox,
            a_claimed_run_is_not_claimed_twice,
            a_token_grows_with_each_claim,
            the_longest_due_run_is_claimed_first,
            runs_of_other_workflows_are_left_alone,
            a_claim_returns_history_and_inbox,
            the_runs_of_an_instance_that_died_are_due_at_once,
            a_recovered_run_refuses_its_old_owner,
            an_instance_whose_lease_ran_out_is_lost,
            a_lost_instance_can_enroll_anew,
            an_instance_does_not_recover_itself,
            a_run_that_is_recovered_too_often_is_dead,
            who_resigns_gives_everything_back,
            a_woken_run_is_listed_until_its_owner_has_seen_it,
            an_unknown_run_is_none,
            a_list_goes_on_where_the_last_page_ended,
            a_list_holds_what_was_asked_for,
            a_made_up_cursor_is_refused,
            changes_are_found_by_revision,
            held_lists_what_an_instance_owns,
        }
    };
    (@cases $name:ident, $new_store:expr; $($case:ident),* $(,)?) => {
        mod $name {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                let clock = $crate::testing::ManualClock::default();
                let shared: ::std::sync::Arc<dyn $crate::time::Clock> =
                    ::std::sync::Arc::new(clock.clone());
                let (store, _guard) = ($new_store)(shared).await;
                let actor = $crate::testing::conformance::store::Actor::new(store, clock);
                $crate::testing::conformance::store::$case(actor).await;
            })*
        }
    };
}
