//! Values on their way to a database, whichever it is.

use std::borrow::Cow;

/// One value for a placeholder.
#[derive(Debug, Clone)]
pub(crate) enum Arg<'a> {
    Int(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<Cow<'a, [u8]>>),
    /// Columns of a list of rows, for databases that take arrays.
    Ints(Vec<Option<i64>>),
    /// Numbers of which none is missing.
    Numbers(Vec<i64>),
    Texts(Vec<Option<Cow<'a, str>>>),
    Blobs(Vec<Option<&'a [u8]>>),
}

/// Values for the placeholders `$1`, `$2`, … of a script; each statement may name any of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Args<'a>(Vec<Arg<'a>>);

impl<'a> Args<'a> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds the next value.
    pub(crate) fn with(mut self, value: impl Into<Arg<'a>>) -> Self {
        self.0.push(value.into());
        self
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// About how many bytes the texts and blobs among them have.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |arg: &Arg<'_>| match arg {
            Arg::Text(Some(text)) => text.len(),
            Arg::Bytes(Some(bytes)) => bytes.len(),
            _ => 0,
        };
        self.0.iter().map(bytes).sum()
    }

    /// The value of placeholder `number`, counted from 1.
    pub(crate) fn get(&self, number: usize) -> Option<&Arg<'a>> {
        self.0.get(number.checked_sub(1)?)
    }
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<String> for Arg<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Option<String>> for Arg<'_> {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Cow::Owned))
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value.into()))
    }
}

impl From<Vec<u8>> for Arg<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value.into()))
    }
}

impl From<Option<Vec<u8>>> for Arg<'_> {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value.map(Cow::Owned))
    }
}

impl From<Vec<Option<i64>>> for Arg<'_> {
    fn from(values: Vec<Option<i64>>) -> Self {
        Self::Ints(values)
    }
}

impl From<Vec<i64>> for Arg<'_> {
    fn from(values: Vec<i64>) -> Self {
        Self::Numbers(values)
    }
}

impl<'a> From<Vec<Option<Cow<'a, str>>>> for Arg<'a> {
    fn from(values: Vec<Option<Cow<'a, str>>>) -> Self {
        Self::Texts(values)
    }
}

impl<'a> From<Vec<Option<&'a [u8]>>> for Arg<'a> {
    fn from(values: Vec<Option<&'a [u8]>>) -> Self {
        Self::Blobs(values)
    }
}
