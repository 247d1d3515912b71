//! A process that dies at each of its commits, one after the other.

use axum_durable::durable::DurableBuilder;

use super::{
    probes::{Death, Fuse},
    turbo::Turbo,
    world::{App, World},
};

/// Plays the same piece once for each commit that a process may die at, before it is written or
/// before the process learns that it was, and then once more in a process that lives. `play`
/// repeats what a client repeats, and checks how everything ends.
pub(crate) async fn everywhere(
    least: u64,
    setup: impl Fn(DurableBuilder) -> DurableBuilder + Clone + Send + 'static,
    play: impl AsyncFn(&App),
) {
    for (evicts, is_sqlite) in [(false, false), (true, false), (true, true)] {
        for death in [Death::Before, Death::After] {
            let mut at = 0;
            loop {
                let world = if is_sqlite {
                    World::sqlite_by(Turbo::default())
                } else {
                    World::memory_by(Turbo::default())
                };
                let world = if evicts { world.evicting() } else { world };
                let fuse = Fuse::new(at, death);
                let app = world.open_probed(fuse.clone(), setup.clone()).await;
                let died = tokio::select! {
                    () = fuse.died() => true,
                    () = play(&app) => false,
                };
                app.crash().await;
                let app = world.open(setup.clone()).await;
                play(&app).await;
                app.stop().await;
                if !died {
                    break;
                }
                at += 1;
            }
            assert!(at >= least, "only {at} commits");
        }
    }
}
