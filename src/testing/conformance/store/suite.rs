//! The list of cases.

/// Runs the cases of every clause against a store, each as a test of its own.
///
/// The first argument names the module of the tests. The second one makes an empty store on the
/// given `Arc<dyn Clock>`, and whatever must live as long as the store; or `None`, where its
/// database is not at hand and the case is to be skipped.
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
            a_run_that_is_to_compensate_is_left_to_an_owner,
            a_run_that_was_ended_from_outside_refuses_its_last_owner,
            a_requeue_tries_the_failed_step_again,
            only_an_ended_or_blocked_run_is_requeued,
            a_signal_goes_to_the_longest_waiting_waiter,
            waits_of_one_batch_wait_in_its_order,
            a_wait_that_replaces_another_hides_no_signal_that_is_ready,
            a_signal_is_taken_once,
            a_signal_wakes_a_run_that_nobody_holds,
            a_wait_takes_the_oldest_buffered_signal,
            signals_are_in_the_order_of_their_delivery,
            a_released_run_whose_wait_is_answered_is_due,
            an_untaken_signal_returns_to_its_old_place,
            an_untaken_signal_goes_on_to_the_next_waiter,
            a_taken_signal_does_not_return,
            a_closed_wait_gets_no_signal,
            an_end_empties_waiters_and_inbox,
            a_run_starts_another_with_its_commit,
            a_refused_commit_starts_nothing,
            a_run_that_exists_keeps_its_parent,
            an_end_is_told_to_those_who_wait_for_it,
            an_end_wakes_a_run_that_nobody_holds,
            the_end_of_a_child_from_outside_is_told_too,
            a_child_that_is_given_up_is_told_of,
            an_ended_waiter_is_told_nothing,
            an_end_that_has_come_is_told_at_once,
            a_released_run_whose_wait_has_ended_is_due,
            a_wait_for_an_end_is_opened_once,
            a_cancelled_run_takes_its_children_along,
            a_run_that_ends_otherwise_leaves_its_children,
            who_waits_for_a_run_waits_for_its_successor,
            a_commit_sends_to_other_runs,
            a_cancel_goes_on_to_the_next_run,
            a_run_that_is_given_up_leaves_one_letter,
            a_cancelled_run_asks_some_children_to_compensate,
            a_run_that_compensates_asks_its_children_to,
            commits_of_one_batch_find_each_others_runs,
            a_requeued_run_waits_for_ends_anew,
            an_event_goes_to_every_run_that_it_matches,
            a_run_hears_an_event_once,
            an_event_is_published_once,
            a_wait_takes_the_oldest_event_that_is_kept,
            a_released_run_that_hears_at_once_is_due,
            a_wait_for_an_event_is_opened_once,
            an_event_of_a_closed_wait_may_be_taken_again,
            an_end_closes_waits_for_events,
            a_commit_publishes_events,
            an_event_and_a_wait_of_one_batch_meet,
            a_paused_run_takes_events,
            a_skipped_wait_hears_no_event,
            many_runs_hear_many_events,
            a_claimed_run_is_not_claimed_twice,
            an_instance_is_listed_with_what_it_said,
            a_token_grows_with_each_claim,
            the_longest_due_run_is_claimed_first,
            runs_of_other_workflows_are_left_alone,
            runs_of_other_namespaces_are_left_alone,
            the_most_urgent_run_is_claimed_first,
            all_priorities_are_claimed_at_once,
            a_run_that_is_left_alone_is_in_nobodys_way,
            a_run_with_a_priority_is_not_claimed_twice,
            the_next_due_run_may_have_any_priority,
            a_run_keeps_its_priority,
            a_started_run_has_its_priority_wherever_it_comes_from,
            a_claim_returns_history_and_inbox,
            the_runs_of_an_instance_that_died_are_due_at_once,
            a_recovered_run_refuses_its_old_owner,
            what_is_written_after_the_take_over_is_taken_over_too,
            an_instance_whose_lease_ran_out_is_lost,
            a_lost_instance_can_enroll_anew,
            an_instance_does_not_recover_itself,
            a_run_that_is_recovered_too_often_is_dead,
            who_resigns_gives_everything_back,
            a_woken_run_is_listed_until_its_owner_has_seen_it,
            an_unknown_run_is_none,
            a_list_goes_on_where_the_last_page_ended,
            a_list_holds_what_was_asked_for,
            a_list_leaves_out_what_was_not_asked_for,
            a_list_is_narrowed_by_id_and_start,
            what_several_runs_wait_for_is_read_at_once,
            a_made_up_cursor_is_refused,
            changes_are_found_by_revision,
            held_lists_what_an_instance_owns,
            a_run_keeps_the_flow_that_it_was_begun_under,
            live_runs_are_counted_by_their_flow,
            an_amendment_takes_a_run_from_its_owner,
            an_amendment_of_a_run_that_has_moved_on_changes_nothing,
            an_amendment_restarts_a_run_with_another_input,
            a_restart_hands_on_what_was_not_taken,
            a_wait_that_was_skipped_gets_no_signal,
            an_amended_end_empties_waiters_and_inbox,
            an_audited_delivery_leaves_a_line_if_it_is_taken,
            a_fork_begins_with_its_history,
            a_removed_run_leaves_only_its_log,
            only_an_ended_run_is_removed,
            a_log_is_listed_newest_first,
            attributes_are_merged_key_by_key,
            a_refused_commit_changes_no_attributes,
            a_started_run_has_its_attributes_wherever_it_comes_from,
            a_list_is_narrowed_by_attributes,
            a_list_is_narrowed_by_namespace,
            a_paused_run_is_left_alone,
            a_request_to_pause_waits_in_the_inbox,
            an_old_run_goes_with_everything,
            a_rule_about_runs_that_have_not_ended_removes_nothing,
            a_child_goes_after_its_parent,
            a_run_whose_child_lives_stays,
            the_middle_of_a_chain_goes,
            a_run_that_is_no_link_stays_while_its_successor_does,
            old_runs_go_part_by_part,
            the_newest_ends_are_counted,
            the_id_of_a_taken_signal_is_forgotten,
            ids_are_forgotten_part_by_part,
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
                let made: ::std::option::Option<(_, _)> = ($new_store)(shared).await.into();
                let Some((store, _guard)) = made else {
                    return;
                };
                let actor = $crate::testing::conformance::store::Actor::new(store, clock);
                $crate::testing::conformance::store::$case(actor).await;
            })*
        }
    };
}
