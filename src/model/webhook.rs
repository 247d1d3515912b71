//! What a run says of a webhook, for whoever takes what is posted to it.

use serde::{Deserialize, Serialize};

use crate::id::Seq;
use crate::time::Timestamp;

/// What a run publishes of a webhook. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebhookRecord {
    /// Where posts are sent to as signals: a hash of the token.
    pub(crate) address: String,
    /// Who checks posts, besides the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verified_by: Option<String>,
    /// Whether only the first post counts.
    #[serde(default)]
    pub(crate) one_shot: bool,
    /// When it closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
}

impl WebhookRecord {
    /// Under which key the webhook that was made at `seq` is published.
    pub(crate) fn key(seq: Seq) -> String {
        format!("@webhook:{seq}")
    }
}
