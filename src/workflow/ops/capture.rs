//! Values captured at the call: `ctx.now`, `ctx.uuid`, `ctx.random`, `ctx.side_effect`.
//!
//! They are written with the next commit of the run. A crash before it leaves no trace of them, nor
//! of anything that followed from them: no effect begins before what led to it is durable.

use std::{panic::Location, sync::Arc};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::id::Seq;
use crate::model::{CheckpointKind, Failure};
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Call, Host},
};

/// A generator whose numbers depend on `seed` only, in every release of this crate.
pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Types that [`WorkflowCtx::random`](crate::WorkflowCtx::random) can draw.
///
/// How a value is made from the generator is fixed here and not taken from a library, because a
/// recorded program must get the same values from a newer build.
pub trait Draw: Serialize + DeserializeOwned + Default {
    /// Takes a value from the generator.
    fn from_draw(rng: &mut dyn Rng) -> Self;
}

macro_rules! draw_integer {
    ($($type:ty),*) => {$(
        impl Draw for $type {
            fn from_draw(rng: &mut dyn Rng) -> Self {
                let mut bytes = [0; size_of::<$type>()];
                rng.fill_bytes(&mut bytes);
                Self::from_le_bytes(bytes)
            }
        }
    )*};
}

draw_integer!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Draw for bool {
    fn from_draw(rng: &mut dyn Rng) -> Self {
        rng.next_u32() & 1 == 1
    }
}

impl Draw for f64 {
    /// Uniform in `[0, 1)`: 53 random bits, the precision of the type.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    fn from_draw(rng: &mut dyn Rng) -> Self {
        (rng.next_u64() >> 11) as Self / (1_u64 << 53) as Self
    }
}

impl Draw for Uuid {
    fn from_draw(rng: &mut dyn Rng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The recorded value of a capture, or a new one from `make`.
#[track_caller]
pub(crate) fn capture<T: Serialize + DeserializeOwned + Default>(
    host: &dyn Host,
    kind: CheckpointKind,
    name: &str,
    make: impl Fn(Seq) -> T,
) -> T {
    let call = Call {
        kind,
        name: name.into(),
        site: Location::caller(),
    };
    let payload = host.capture(call, &mut |seq| {
        Ok(Payload::encode(&make(seq)).unwrap_or_else(|_| Payload::null()))
    });
    // A number, bool, time or UUID always has a JSON form that reads back. What does not is a
    // record of another kind, and then the run is being set aside as diverged: the value does
    // not matter any more.
    let value = payload.ok().and_then(|payload| payload.decode().ok());
    value.unwrap_or_default()
}

/// The recorded value of `read`, or what it gives now.
#[track_caller]
pub(crate) fn side_effect<T: Serialize + DeserializeOwned>(
    host: &dyn Host,
    name: Arc<str>,
    read: impl FnOnce() -> T,
) -> Result<T> {
    let call = Call {
        kind: CheckpointKind::SideEffect,
        name,
        site: Location::caller(),
    };
    let mut read = Some(read);
    let captured = host.capture(call, &mut |_| {
        let Some(read) = read.take() else {
            return Ok(Payload::null());
        };
        let value = Payload::encode(&read()).map_err(|error| Failure::of_payload(&error))?;
        host.check(&value)?;
        Ok(value)
    });
    let value = captured.map_err(WorkflowError::Failed)?;
    value.decode().map_err(WorkflowError::Payload)
}
