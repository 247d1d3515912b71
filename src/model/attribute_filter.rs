//! Conditions on search attributes.

use std::{cmp::Ordering, str::FromStr, sync::Arc};

use serde_json::Value;

use super::attribute::{AttributeValue, Attributes, check_key};

/// How a search attribute is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeOp {
    /// It is the value.
    Eq,
    /// It is another value of the same kind.
    Ne,
    /// It is greater.
    Gt,
    /// It is greater or the same.
    Gte,
    /// It is less.
    Lt,
    /// It is less or the same.
    Lte,
}

impl AttributeOp {
    const ALL: [(&'static str, Self); 6] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
    ];

    /// The operator of SQL.
    #[cfg(feature = "_sql")]
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }

    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
        }
    }
}

/// A condition on a search attribute.
///
/// A run that has no such attribute, or one of another kind, does not match, whatever the
/// comparison.
///
/// # Examples
///
/// ```
/// use axum_durable::model::{AttributeFilter, AttributeOp, RunQuery};
///
/// let mut query = RunQuery::default();
/// query.attributes.push(AttributeFilter::new("total", AttributeOp::Gte, 100));
/// query.attributes.push("region:eq:eu".parse()?);
/// # Ok::<(), axum_durable::model::InvalidFilter>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeFilter {
    /// The attribute.
    pub key: Arc<str>,
    /// The comparison.
    pub op: AttributeOp,
    /// What it is compared with.
    pub value: AttributeValue,
}

impl AttributeFilter {
    /// The attribute `key` compares with `value` as `op` says.
    pub fn new(
        key: impl Into<Arc<str>>,
        op: AttributeOp,
        value: impl Into<AttributeValue>,
    ) -> Self {
        Self {
            key: key.into(),
            op,
            value: value.into(),
        }
    }

    /// Whether a run with these attributes matches.
    pub(crate) fn matches(&self, attributes: &Attributes) -> bool {
        let found = attributes.get(&self.key);
        let order = found.and_then(|found| found.compare(&self.value));
        order.is_some_and(|order| self.op.holds(order))
    }
}

/// `key:op:value`, such as `total:gte:100`. The value is a number or boolean if it looks like one
/// in JSON, and else a text, which may hold colons; a text in quotation marks is one in any case.
impl FromStr for AttributeFilter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let mut parts = text.splitn(3, ':');
        let (Some(key), Some(op), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidFilter);
        };
        check_key(key).map_err(|_| InvalidFilter)?;
        let mut ops = AttributeOp::ALL.into_iter();
        let (_, op) = ops.find(|(word, _)| *word == op).ok_or(InvalidFilter)?;
        let read = serde_json::from_str(value).ok();
        let read = read.filter(|it: &Value| it.is_number() || it.is_boolean() || it.is_string());
        let read = read.and_then(|it| AttributeValue::read(key, it).ok().flatten());
        let value = match read {
            Some(value) => value,
            None => AttributeValue::read(key, value.into())
                .ok()
                .flatten()
                .ok_or(InvalidFilter)?,
        };
        Ok(Self::new(key, op, value))
    }
}

/// A text that is no condition on a search attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a search attribute is asked for as `key:op:value`, with `eq`, `ne`, `gt`, `gte`, `lt` or `lte`"
)]
#[non_exhaustive]
pub struct InvalidFilter;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_read_from_text() {
        let read = |text: &str| text.parse::<AttributeFilter>();
        let value = |text: &str| read(text).unwrap().value;
        assert_eq!(value("total:gte:100"), 100.into());
        assert_eq!(value("vip:eq:true"), true.into());
        assert_eq!(value("at:eq:12:30:00"), "12:30:00".into());
        assert_eq!(value("zip:eq:\"01234\""), "01234".into());
        assert_eq!(value("zip:eq:01234"), "01234".into());
        assert_eq!(value("empty:ne:"), "".into());
        for text in ["total", "total:eq", "total:is:1", ":eq:1", "a b:eq:1"] {
            assert_eq!(read(text), Err(InvalidFilter), "{text}");
        }
    }

    #[test]
    fn only_values_of_a_kind_compare() {
        let run = Attributes::of(&json!({"total": 7, "region": "eu", "vip": false})).unwrap();
        let matches = |text: &str| text.parse::<AttributeFilter>().unwrap().matches(&run);
        for text in [
            "total:eq:7.0",
            "total:lt:8",
            "region:gt:de",
            "vip:lt:true",
            "region:ne:us",
        ] {
            assert!(matches(text), "{text}");
        }
        for text in [
            "total:ne:\"7\"",
            "none:ne:1",
            "vip:ne:0",
            "region:gt:5",
            "total:gt:7",
        ] {
            assert!(!matches(text), "{text}");
        }
    }
}
