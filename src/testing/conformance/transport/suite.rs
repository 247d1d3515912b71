//! The list of cases.

/// Runs the cases of every clause against a transport, each as a test of its own.
///
/// The first argument names the module of the tests. The second one makes a transport on which
/// nothing has been sent yet, and whatever must live as long as it; or `None`, where its server is
/// not at hand and the case is to be skipped.
///
/// ```
/// use axum_durable::{transport::InProcess, transport_conformance};
///
/// transport_conformance!(in_process, || async { (InProcess::default(), ()) });
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! transport_conformance {
    ($name:ident, $new_transport:expr) => {
        $crate::transport_conformance! { @cases $name, $new_transport;
            an_envelope_reaches_one_subscriber,
            channels_do_not_mix,
            an_envelope_waits_for_a_subscriber,
            an_acknowledged_envelope_does_not_come_again,
            a_dropped_delivery_holds_up_no_other,
            a_subscriber_that_dies_takes_nothing_along,
            publishing_goes_on_when_there_is_room_again,
            an_envelope_comes_as_it_was_sent,
            a_large_envelope_comes_whole_or_is_refused,
            a_wait_that_is_dropped_loses_nothing,
            a_step_comes_back_with_its_answer,
            many_steps_come_back_to_their_runs,
            what_comes_twice_counts_once,
            a_step_whose_answer_is_lost_is_sent_again,
            a_step_whose_worker_dies_is_sent_again_under_its_key,
            a_late_answer_changes_nothing,
        }
    };
    (@cases $name:ident, $new_transport:expr; $($case:ident),* $(,)?) => {
        mod $name {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                let made: ::std::option::Option<(_, _)> = ($new_transport)().await.into();
                let Some((transport, _guard)) = made else {
                    return;
                };
                let transport: ::std::sync::Arc<dyn $crate::transport::Transport> =
                    ::std::sync::Arc::new(transport);
                $crate::testing::conformance::transport::$case(transport).await;
            })*
        }
    };
}
