//! What is sent at once, and its form as text.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::hint::Hint;
use crate::id::InstanceId;

/// The version of the text. A larger one is for changes that older builds must not misread; they
/// skip the whole bulletin then.
const VERSION: u8 = 1;

/// Several hints of one instance.
///
/// Planes that send text use [`to_texts`](Self::to_texts) and [`parse`](Self::parse).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bulletin {
    /// Who sends it.
    pub from: InstanceId,
    /// What it says.
    pub hints: Vec<Hint>,
}

/// The text, with hints that this build may not know.
#[derive(Deserialize)]
struct Text<'a> {
    v: u8,
    from: InstanceId,
    #[serde(borrow)]
    hints: Vec<&'a RawValue>,
}

/// The text without its hints.
#[derive(Serialize)]
struct Head<'a> {
    v: u8,
    from: &'a InstanceId,
    hints: [Hint; 0],
}

impl Bulletin {
    /// Hints of `from`.
    #[must_use]
    pub const fn new(from: InstanceId, hints: Vec<Hint>) -> Self {
        Self { from, hints }
    }

    /// The bulletin as texts of at most `max_bytes` bytes, as few as possible.
    ///
    /// ```json
    /// {"v":1,"from":"01a1f95f","hints":["due",{"settled":{"run":"order-7","status":"completed"}}]}
    /// ```
    ///
    /// A hint that does not fit into a text of its own is left out.
    #[must_use]
    pub fn to_texts(&self, max_bytes: usize) -> Vec<String> {
        const TAIL: &str = "]}";
        let head = Head {
            v: VERSION,
            from: &self.from,
            hints: [],
        };
        // Neither a name nor a number can fail to be written.
        let head = serde_json::to_string(&head).unwrap_or_default();
        let head = head.strip_suffix(TAIL).unwrap_or_default();
        let mut texts = Vec::new();
        let mut text = head.to_owned();
        for hint in &self.hints {
            let hint = serde_json::to_string(hint).unwrap_or_default();
            let comma = usize::from(text.len() > head.len());
            if text.len() + comma + hint.len() + TAIL.len() > max_bytes {
                if head.len() + hint.len() + TAIL.len() > max_bytes {
                    continue;
                }
                let full = std::mem::replace(&mut text, head.to_owned());
                texts.push(full + TAIL);
            }
            if text.len() > head.len() {
                text.push(',');
            }
            text.push_str(&hint);
        }
        if text.len() > head.len() {
            texts.push(text + TAIL);
        }
        texts
    }

    /// Reads a text. Hints that this build does not know are left out; `None` if it is no bulletin
    /// that this build can read.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Text { v, from, hints } = serde_json::from_str(text).ok()?;
        if v > VERSION {
            return None;
        }
        let known = hints
            .into_iter()
            .filter_map(|hint| serde_json::from_str(hint.get()).ok());
        Some(Self::new(from, known.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;
    use crate::model::RunStatus;

    fn every_hint() -> Vec<Hint> {
        let run = || RunId::parse("order-7").unwrap();
        vec![
            Hint::Due,
            Hint::Woken {
                run: run(),
                owner: InstanceId::parse("b").unwrap(),
            },
            Hint::Advanced {
                run: run(),
                rev: 12,
                status: RunStatus::Suspended,
            },
            Hint::Settled {
                run: run(),
                status: RunStatus::Completed,
            },
            Hint::Watch {
                run: run(),
                secs: 30,
            },
        ]
    }

    /// What instances of other builds send and read.
    const TEXT: &str = concat!(
        r#"{"v":1,"from":"a","hints":["due","#,
        r#"{"woken":{"run":"order-7","owner":"b"}},"#,
        r#"{"advanced":{"run":"order-7","rev":12,"status":"suspended"}},"#,
        r#"{"settled":{"run":"order-7","status":"completed"}},"#,
        r#"{"watch":{"run":"order-7","secs":30}}]}"#,
    );

    #[test]
    fn the_text_is_what_other_builds_read() {
        let bulletin = Bulletin::new(InstanceId::parse("a").unwrap(), every_hint());
        assert_eq!(bulletin.to_texts(8_000), [TEXT]);
        assert_eq!(Bulletin::parse(TEXT), Some(bulletin));
    }

    #[test]
    fn hints_of_newer_builds_are_skipped() {
        let newer = r#"{"v":1,"from":"a","more":1,"hints":["rest",{"paused":{"run":"r"}},"due",
            {"advanced":{"run":"r","rev":1,"status":"dreaming"}},
            {"watch":{"run":"r","secs":9,"until":"settled"}}]}"#;
        let read = Bulletin::parse(newer).unwrap();
        let run = RunId::parse("r").unwrap();
        assert_eq!(read.hints, [Hint::Due, Hint::Watch { run, secs: 9 }]);
        assert_eq!(
            Bulletin::parse(r#"{"v":2,"from":"a","hints":["due"]}"#),
            None
        );
        assert_eq!(Bulletin::parse("nonsense"), None);
    }

    #[test]
    fn many_hints_are_split_and_none_is_lost() {
        let runs = (0..500).map(|n| RunId::parse(format!("é\"\\-{n}")).unwrap());
        let hints: Vec<Hint> = runs.map(|run| Hint::Watch { run, secs: 30 }).collect();
        let bulletin = Bulletin::new(InstanceId::generate(), hints.clone());
        let texts = bulletin.to_texts(1_000);
        assert!(texts.len() > 1);
        assert!(texts.iter().all(|text| text.len() <= 1_000));
        let read = texts
            .iter()
            .flat_map(|text| Bulletin::parse(text).unwrap().hints);
        assert_eq!(read.collect::<Vec<_>>(), hints);
    }

    #[test]
    fn a_hint_that_fits_nowhere_is_left_out() {
        let run = RunId::from_trusted("x".repeat(200));
        let long = Hint::Watch { run, secs: 30 };
        let from = InstanceId::parse("a").unwrap();
        let bulletin = Bulletin::new(from.clone(), vec![Hint::Due, long, Hint::Due]);
        let texts = bulletin.to_texts(100);
        assert_eq!(texts, [r#"{"v":1,"from":"a","hints":["due","due"]}"#]);
        assert!(Bulletin::new(from, Vec::new()).to_texts(100).is_empty());
    }
}
