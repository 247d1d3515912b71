//! Search attributes: a run's typed values that people look for it by.

use std::{cell::RefCell, cmp::Ordering, collections::BTreeMap, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _, value::MapDeserializer},
};
use serde_json::{Map, Number, Value};

/// The largest whole number to which all smaller ones are exact as an `f64`.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The value of a search attribute.
///
/// Values compare only with values of their kind. All numbers are one kind, so `1` equals `1.0`;
/// a [`Timestamp`](crate::time::Timestamp) is one too, in milliseconds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A text, compared by its bytes.
    Text(Arc<str>),
    /// A number.
    Number(f64),
    /// Yes or no; no is less.
    Bool(bool),
}

impl AttributeValue {
    /// Its order among values of its kind, where that is a number: what stores keep and compare.
    ///
    /// The bits of a float order like integers once those below zero are turned around. An integer
    /// travels through JSON and SQL without being rounded, so every store compares alike.
    pub(crate) const fn rank(&self) -> Option<i64> {
        match self {
            Self::Text(_) => None,
            Self::Number(number) => {
                // There is one zero.
                let bits = if *number == 0.0 { 0.0 } else { *number }.to_bits();
                let bits = bits.cast_signed();
                Some(bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed())
            }
            Self::Bool(is) => Some(*is as i64),
        }
    }

    /// The number with this rank.
    #[cfg(feature = "_sql")]
    pub(crate) const fn of_rank(rank: i64) -> Self {
        let bits = rank ^ ((rank >> 63).cast_unsigned() >> 1).cast_signed();
        Self::Number(f64::from_bits(bits.cast_unsigned()))
    }

    /// The stored word for its kind.
    #[cfg(feature = "_sql")]
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Bool(_) => "bool",
        }
    }

    /// How it compares with a value of its kind.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Number(_), Self::Number(_)) | (Self::Bool(_), Self::Bool(_)) => {
                Some(self.rank().cmp(&other.rank()))
            }
            (Self::Text(_) | Self::Number(_) | Self::Bool(_), _) => None,
        }
    }

    /// `None` stands for a null.
    pub(super) fn read(key: &str, value: Value) -> Result<Option<Self>, InvalidAttributes> {
        let refused = |problem| Err(InvalidAttributes::refused(key, problem));
        Ok(Some(match value {
            Value::Null => return Ok(None),
            Value::Bool(is) => Self::Bool(is),
            Value::String(text) if text.len() > Attributes::MAX_TEXT_BYTES => {
                return refused("a text has 255 bytes at the most");
            }
            Value::String(text) if text.contains('\0') => {
                return refused("a text holds no NUL, which databases do not keep");
            }
            Value::String(text) => Self::Text(text.into()),
            Value::Number(number) => match Self::number(&number) {
                Some(number) => number,
                None => return refused("a whole number beyond 2^53 would be rounded; use a text"),
            },
            Value::Array(_) | Value::Object(_) => {
                return refused("a value is a text, a number or a boolean");
            }
        }))
    }

    fn number(number: &Number) -> Option<Self> {
        let value = number.as_f64()?;
        (number.is_f64() || value.abs() <= MAX_WHOLE).then_some(Self::Number(value))
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

impl PartialEq for AttributeValue {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }
}

/// Numbers compare by their rank, which is an order of all of them.
impl Eq for AttributeValue {}

impl From<bool> for AttributeValue {
    fn from(is: bool) -> Self {
        Self::Bool(is)
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for AttributeValue {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl Serialize for AttributeValue {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and small enough to be exact"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) if number.fract() == 0.0 && number.abs() <= MAX_WHOLE => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Bool(is) => serializer.serialize_bool(*is),
        }
    }
}

/// What search attributes a run has: values by their keys.
///
/// They are for searching and not for data: few, short, and stored in the clear even behind a
/// codec, because the database compares them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<Arc<str>, AttributeValue>);

impl Attributes {
    /// The most attributes of a run: each is a row in two indexes, and all of them lie in the row
    /// of the run, which each of its commits rewrites.
    pub const MAX_COUNT: usize = 32;
    /// The longest key, in bytes: enough for a name, and short in each index entry.
    pub const MAX_KEY_BYTES: usize = 64;
    /// The longest text, in bytes: with the key it stays within what every database indexes whole.
    pub const MAX_TEXT_BYTES: usize = 255;

    /// Those that a value has: a struct or map of texts, numbers and booleans. What is null is
    /// left out.
    ///
    /// # Errors
    ///
    /// [`InvalidAttributes`] if it is no object, or larger than the bounds here.
    pub fn of(value: &impl Serialize) -> Result<Self, InvalidAttributes> {
        Self::default().with(&AttributePatch::of(value)?)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.0.get(key)
    }

    /// Keys and values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &AttributeValue)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads them as a type. Leaves out nothing: a type that has a key more or less may refuse
    /// them, and then the answer is `None`.
    #[must_use]
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.to_json()).ok()
    }

    /// These, changed by a patch.
    pub(crate) fn with(&self, patch: &AttributePatch) -> Result<Self, InvalidAttributes> {
        let mut changed = self.clone();
        changed.apply(patch);
        match changed.0.len() {
            count if count > Self::MAX_COUNT => Err(InvalidAttributes::TooMany { count }),
            _ => Ok(changed),
        }
    }

    /// Changes them by a patch.
    pub(crate) fn apply(&mut self, patch: &AttributePatch) {
        for (key, value) in &patch.0 {
            match value {
                Some(value) => drop(self.0.insert(Arc::clone(key), value.clone())),
                None => drop(self.0.remove(key)),
            }
        }
    }

    /// Whether they are a `T`.
    pub(crate) fn check<T: DeserializeOwned>(&self) -> Result<(), InvalidAttributes> {
        let Err(error) = T::deserialize(self.to_json()) else {
            return Ok(());
        };
        Err(InvalidAttributes::DoesNotFit {
            key: self.culprit::<T>(),
            reason: error.to_string(),
        })
    }

    /// The key at which reading a `T` stops; none if it stops behind all of them.
    fn culprit<T: DeserializeOwned>(&self) -> Option<Arc<str>> {
        let at: RefCell<Option<Arc<str>>> = RefCell::new(None);
        let mut all = self.0.iter();
        let told = std::iter::from_fn(|| {
            let next = all.next();
            *at.borrow_mut() = next.map(|(key, _)| Arc::clone(key));
            next.map(|(key, value)| (&**key, value.to_json()))
        });
        let read = T::deserialize(MapDeserializer::<_, serde_json::Error>::new(told));
        let at = at.into_inner();
        at.filter(|_| read.is_err())
    }

    fn to_json(&self) -> Value {
        let pairs = self.0.iter();
        let object: Map<_, _> = pairs
            .map(|(key, value)| (key.to_string(), value.to_json()))
            .collect();
        Value::Object(object)
    }

    /// Those of rows of a store, which were checked when they were written.
    #[cfg(feature = "_sql")]
    pub(crate) fn from_rows(rows: impl IntoIterator<Item = (Arc<str>, AttributeValue)>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// What `show` makes of each value, for whoever may not see all.
    pub(crate) fn shown(&self, mut show: impl FnMut(&str, Value) -> Option<Value>) -> Self {
        let pairs = self.0.iter().filter_map(|(key, value)| {
            let shown = match show(key, value.to_json())? {
                Value::Bool(is) => AttributeValue::Bool(is),
                Value::String(text) => AttributeValue::Text(text.into()),
                other => match other.as_f64() {
                    Some(number) => AttributeValue::Number(number),
                    None => AttributeValue::Text(other.to_string().into()),
                },
            };
            Some((Arc::clone(key), shown))
        });
        Self(pairs.collect())
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(&value).map_err(D::Error::custom)
    }
}

/// Changes of search attributes: a value, or nothing where the key goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributePatch(BTreeMap<Arc<str>, Option<AttributeValue>>);

impl AttributePatch {
    /// The changes that a value stands for: a struct or map of texts, numbers and booleans. What
    /// is null is removed.
    ///
    /// # Errors
    ///
    /// [`InvalidAttributes`] if it is no object, or a key or value is refused.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, InvalidAttributes> {
        let Ok(Value::Object(object)) = serde_json::to_value(value) else {
            return Err(InvalidAttributes::NotAnObject);
        };
        let mut patch = Self::default();
        for (key, value) in object {
            patch.put(&key, value)?;
        }
        Ok(patch)
    }

    /// Adds a change; the last one of a key counts.
    pub(crate) fn set(
        &mut self,
        key: &str,
        value: &impl Serialize,
    ) -> Result<(), InvalidAttributes> {
        let value = serde_json::to_value(value);
        let value =
            value.map_err(|_| InvalidAttributes::refused(key, "the value has no JSON form"));
        self.put(key, value?)
    }

    fn put(&mut self, key: &str, value: Value) -> Result<(), InvalidAttributes> {
        check_key(key)?;
        let value = AttributeValue::read(key, value)?;
        self.0.insert(key.into(), value);
        Ok(())
    }

    /// Adds the changes of another patch, which count where both have a key.
    pub(crate) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Keys, and what they become.
    #[cfg(feature = "_sql")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Option<&AttributeValue>)> {
        self.0.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&Attributes> for AttributePatch {
    fn from(all: &Attributes) -> Self {
        let all = all.0.iter();
        Self(
            all.map(|(key, value)| (Arc::clone(key), Some(value.clone())))
                .collect(),
        )
    }
}

impl Serialize for AttributePatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

pub(super) fn check_key(key: &str) -> Result<(), InvalidAttributes> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    if key.is_empty() || key.len() > Attributes::MAX_KEY_BYTES || !key.bytes().all(is_plain) {
        let problem = "a key is 1 to 64 letters, digits, `_`, `-` and `.`";
        return Err(InvalidAttributes::refused(key, problem));
    }
    Ok(())
}

/// Why search attributes are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAttributes {
    /// They are no struct or map.
    #[error("search attributes are an object of texts, numbers and booleans")]
    NotAnObject,
    /// One of them is no attribute.
    #[error("`{key}`: {problem}")]
    Refused {
        /// Its key.
        key: Arc<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There would be more than [`Attributes::MAX_COUNT`].
    #[error("a run has 32 search attributes at the most, not {count}")]
    TooMany {
        /// How many there would be.
        count: usize,
    },
    /// All of them together are not what the workflow has declared.
    #[error("{}{reason}", of_key(.key.as_deref()))]
    DoesNotFit {
        /// The key at which that shows, if it shows at one.
        key: Option<Arc<str>>,
        /// What the type says.
        reason: String,
    },
}

impl InvalidAttributes {
    fn refused(key: &str, problem: &'static str) -> Self {
        Self::Refused {
            key: key.into(),
            problem,
        }
    }
}

fn of_key(key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!("`{key}`: "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ranks_order_like_numbers_and_read_back() {
        let numbers = [
            f64::MIN,
            -1e300,
            -2.5,
            -1.0,
            -f64::MIN_POSITIVE,
            0.0,
            5e-324,
            0.1,
            1.0,
            1e16,
            f64::MAX,
        ];
        let ranks = numbers.map(|it| AttributeValue::Number(it).rank().unwrap());
        assert!(ranks.is_sorted_by(|one, other| one < other));
        for (number, rank) in numbers.into_iter().zip(ranks) {
            assert_eq!(
                AttributeValue::of_rank(rank),
                AttributeValue::Number(number)
            );
        }
        assert_eq!(AttributeValue::Number(-0.0).rank(), Some(0));
    }

    #[test]
    fn a_patch_merges_and_removes() {
        let first = Attributes::of(&json!({"a": 1, "b": "x", "c": null})).unwrap();
        assert_eq!(
            serde_json::to_value(&first).unwrap(),
            json!({"a": 1, "b": "x"})
        );
        let patch = AttributePatch::of(&json!({"a": null, "b": 1.5, "d": true})).unwrap();
        let second = first.with(&patch).unwrap();
        assert_eq!(
            serde_json::to_value(&second).unwrap(),
            json!({"b": 1.5, "d": true})
        );
    }

    #[test]
    fn what_is_too_large_or_nested_is_refused_by_its_key() {
        for (value, key) in [
            (json!({"list": []}), "list"),
            (json!({"a b": 1}), "a b"),
            (json!({"text": "x".repeat(256)}), "text"),
            (json!({"nul": "a\u{0}b"}), "nul"),
            (json!({"id": u64::MAX}), "id"),
        ] {
            let error = Attributes::of(&value).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("`{key}`: ")),
                "{error}"
            );
        }
        let many: BTreeMap<String, i32> = (0..33).map(|n| (format!("k{n}"), n)).collect();
        let error = Attributes::of(&many).unwrap_err();
        assert_eq!(error, InvalidAttributes::TooMany { count: 33 });
        assert_eq!(Attributes::of(&7), Err(InvalidAttributes::NotAnObject));
    }

    #[test]
    fn a_type_says_which_key_does_not_fit() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            #[expect(dead_code, reason = "read by serde")]
            total: u32,
        }
        let check = |value: Value| Attributes::of(&value).unwrap().check::<Order>();
        assert_eq!(check(json!({"total": 5})), Ok(()));
        for (value, begins) in [
            (json!({"total": "x"}), "`total`: invalid type"),
            (json!({"total": 5, "vip": true}), "`vip`: unknown field"),
            (json!({}), "missing field `total`"),
        ] {
            let error = check(value).unwrap_err();
            assert!(error.to_string().starts_with(begins), "{error}");
        }
    }
}
