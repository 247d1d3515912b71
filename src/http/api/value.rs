//! Payloads in answers: raw JSON up to a limit.

use serde::{Serialize, Serializer};
use serde_json::{json, value::RawValue};
use utoipa::{PartialSchema, ToSchema, openapi};

use crate::http::access::Access;
use crate::payload::Payload;

/// The largest payload that is shown. A screen shows less, and a page of history stays an answer
/// that a browser can hold.
const MAX_BYTES: usize = 64 * 1024;

/// The most bytes of payloads in one answer, for the same reason.
const MAX_BYTES_IN_ALL: usize = 4 * 1024 * 1024;

/// How much of a payload is shown that is larger than an answer about it may be: what a person may
/// read to see what it is. The rest can be downloaded.
const MAX_PREVIEW: usize = 256 * 1024;

/// How many bytes of payloads an answer may still show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: usize,
    each: usize,
    /// Of one that is too large.
    preview: usize,
    is_hidden: bool,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            left: MAX_BYTES_IN_ALL,
            each: MAX_BYTES,
            preview: 0,
            is_hidden: false,
        }
    }
}

impl Allowance {
    /// What `access` may see in an answer.
    pub(super) fn of(access: &Access) -> Self {
        Self {
            is_hidden: !access.may_see_payloads(),
            ..Self::default()
        }
    }

    /// No payload at all.
    pub(super) fn none() -> Self {
        Self {
            is_hidden: true,
            ..Self::default()
        }
    }

    /// The same for an answer that is about one payload: it may be as large as the answer, and a
    /// larger one is shown in part.
    pub(super) const fn for_one(mut self) -> Self {
        self.each = MAX_BYTES_IN_ALL;
        self.preview = MAX_PREVIEW;
        self
    }

    /// The payload as it is shown.
    pub(super) fn show(&mut self, payload: &Payload) -> JsonValue {
        let bytes = payload.as_bytes().len();
        if self.is_hidden {
            return JsonValue::Hidden { bytes };
        }
        if bytes > self.each.min(self.left) {
            let preview = (self.preview > 0).then(|| payload.as_text()).flatten();
            let preview =
                preview.map(|text| text[..text.floor_char_boundary(self.preview)].to_owned());
            return JsonValue::Truncated { bytes, preview };
        }
        let text = payload.as_text().map(str::to_owned);
        let raw = text.and_then(|text| RawValue::from_string(text).ok());
        self.left -= bytes;
        raw.map_or(JsonValue::Opaque { bytes }, JsonValue::Raw)
    }

    /// A value as it is shown.
    pub(super) fn show_value(&mut self, value: &serde_json::Value) -> JsonValue {
        let payload = Payload::encode(value).unwrap_or_default();
        self.show(&payload)
    }
}

/// Any JSON value, or what stands for one that is not shown.
#[derive(Debug, Clone)]
pub(super) enum JsonValue {
    /// The value as it was stored.
    Raw(Box<RawValue>),
    /// It is too large: `{"truncated": true, "bytes": 70000}`.
    Truncated {
        /// Its size.
        bytes: usize,
        /// How it begins, in an answer about it alone.
        preview: Option<String>,
    },
    /// Whoever asks may not see it, or did not want to: `{"hidden": true, "bytes": 120}`.
    Hidden {
        /// Its size.
        bytes: usize,
    },
    /// It is no JSON, because a codec that is not configured here has written it:
    /// `{"opaque": true, "bytes": 120}`.
    Opaque {
        /// Its size.
        bytes: usize,
    },
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Truncated {
                bytes,
                preview: None,
            } => json!({"truncated": true, "bytes": bytes}).serialize(serializer),
            Self::Truncated { bytes, preview } => {
                json!({"truncated": true, "bytes": bytes, "preview": preview}).serialize(serializer)
            }
            Self::Hidden { bytes } => json!({"hidden": true, "bytes": bytes}).serialize(serializer),
            Self::Opaque { bytes } => json!({"opaque": true, "bytes": bytes}).serialize(serializer),
        }
    }
}

impl PartialSchema for JsonValue {
    fn schema() -> openapi::RefOr<openapi::Schema> {
        let any = openapi::schema::Object::builder()
            .schema_type(openapi::schema::SchemaType::AnyValue)
            .description(Some(
                "Any JSON value; `{\"truncated\": true, \"bytes\": n}` stands for one of more than \
                 64 KiB, with how it begins as `preview` in an answer about it alone; \
                 `{\"hidden\": true, \"bytes\": n}` for one that is not shown to whoever \
                 asks, `{\"opaque\": true, \"bytes\": n}` for one that is no JSON.",
            ));
        openapi::RefOr::T(any.into())
    }
}

impl ToSchema for JsonValue {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &Payload) -> String {
        serde_json::to_string(&Allowance::default().show(payload)).unwrap()
    }

    #[test]
    fn payloads_are_shown_as_they_are_up_to_the_limit() {
        assert_eq!(
            shown(&Payload::from_bytes("{\"a\":  1.0}")),
            "{\"a\":  1.0}"
        );
        let large = Payload::encode(&"x".repeat(MAX_BYTES)).unwrap();
        assert_eq!(shown(&large), "{\"bytes\":65538,\"truncated\":true}");
        let sealed = Payload::from_bytes(vec![0xff, 0x00]);
        assert_eq!(shown(&sealed), "{\"bytes\":2,\"opaque\":true}");
    }

    #[test]
    fn a_payload_that_is_asked_for_alone_is_shown_in_part() {
        let large = Payload::encode(&"ü".repeat(MAX_BYTES_IN_ALL)).unwrap();
        let shown = Allowance::default().for_one().show(&large);
        let shown = serde_json::to_value(&shown).unwrap();
        assert_eq!(shown["bytes"], 2 * MAX_BYTES_IN_ALL + 2);
        let preview = shown["preview"].as_str().unwrap();
        // One byte less than the most: a letter is not cut in two.
        assert_eq!(preview.len(), MAX_PREVIEW - 1);
        assert!(preview.starts_with("\"üü"));
        let hidden = Allowance::none().for_one().show(&large);
        assert!(matches!(hidden, JsonValue::Hidden { .. }));
    }

    #[test]
    fn an_answer_shows_so_much_and_no_more() {
        let mut allowance = Allowance::default();
        let payload = Payload::encode(&"x".repeat(MAX_BYTES - 2)).unwrap();
        let shown = (0..100).map(|_| allowance.show(&payload));
        let shown = shown.filter(|value| matches!(value, JsonValue::Raw(_)));
        assert_eq!(shown.count(), MAX_BYTES_IN_ALL / MAX_BYTES);
    }
}
