//! The operator's view: what `http` asks. It reads rows and asks the engine; it changes nothing
//! by itself.

mod drift;
mod explain;
mod gateway;
mod instances;
mod progress;
mod redact;
mod row;
mod survey;
mod under_way;
mod undo;

pub use drift::{Drift, Fit, Rehearsals, Rehearsed, VersionDrift};
pub use explain::{Explanation, Waiting};
pub use gateway::Control;
pub use progress::Progress;
pub use redact::{Exposure, ExposureKind, Redactor};
pub use row::{Display, Row, RowPage};
pub use survey::{Bucket, Facets, FailureGroup, Survey, WorkflowSurvey};
pub use under_way::UnderWay;
pub use undo::{DoneStep, UndoPlan};
