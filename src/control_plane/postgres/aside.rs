//! What planes say to each other, beside bulletins.

use serde::{Deserialize, Serialize};

/// The version of the text; older builds skip larger ones.
const VERSION: u8 = 1;

/// What planes say to each other on the same channel, such as
/// `{"v":1,"ping":"01a1f95f","hello":true}`. Other builds skip what they cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Aside {
    v: u8,
    /// The stream that wants to hear itself. To others it says that someone is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ping: Option<String>,
    /// The stream has just begun to listen and does not know who is there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) hello: bool,
    /// The sender could not send for a while.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) lost: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Aside {
    pub(super) fn ping(stream: &str, hello: bool) -> Self {
        Self {
            v: VERSION,
            ping: Some(stream.to_owned()),
            hello,
            lost: false,
        }
    }

    pub(super) const fn lost() -> Self {
        Self {
            v: VERSION,
            ping: None,
            hello: false,
            lost: true,
        }
    }

    pub(super) fn to_text(&self) -> String {
        // Text, numbers and flags can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let aside: Self = serde_json::from_str(text).ok()?;
        (aside.v <= VERSION).then_some(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_other_builds_read() {
        let cases = [
            (Aside::ping("a", false), r#"{"v":1,"ping":"a"}"#),
            (Aside::ping("a", true), r#"{"v":1,"ping":"a","hello":true}"#),
            (Aside::lost(), r#"{"v":1,"lost":true}"#),
        ];
        for (aside, text) in cases {
            assert_eq!(aside.to_text(), text);
            assert_eq!(Aside::parse(text), Some(aside));
        }
        assert_eq!(Aside::parse(r#"{"v":2,"lost":true}"#), None);
    }
}
