//! Tokens as the author wrote them.

use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};
use quote::ToTokens;

/// The longest source text kept in an outline, in characters. It labels a node of a drawing:
/// more would not be read, and less cuts ordinary conditions.
const MAX_CHARS: usize = 120;

/// The source of `tokens` on one line, with the author's blanks, cut where it becomes too long.
pub(crate) fn source(tokens: &impl ToTokens) -> String {
    let mut text = Text::default();
    text.write(tokens.to_token_stream());
    if text.written.chars().count() <= MAX_CHARS {
        return text.written;
    }
    let mut cut: String = text.written.chars().take(MAX_CHARS - 1).collect();
    cut.push('…');
    cut
}

/// Blanks stand where the positions of two tokens leave a gap: `TokenStream`'s own text puts one
/// around every token, and the compiler gives the source of single tokens only.
#[derive(Default)]
struct Text {
    written: String,
    end: Option<LineColumn>,
}

impl Text {
    fn write(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.write_group(&group),
                other => {
                    let span = other.span();
                    self.push(&other.to_string(), span.start(), span.end());
                }
            }
        }
    }

    fn write_group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => return self.write(group.stream()),
        };
        // The compiler may give the whole group's span for either delimiter. Its ends are right,
        // and a delimiter is one column wide.
        let (start, end) = (group.span_open().start(), group.span_close().end());
        let (mut after_open, mut before_close) = (start, end);
        after_open.column += 1;
        before_close.column = before_close.column.saturating_sub(1);
        self.push(open, start, after_open);
        self.write(group.stream());
        self.push(close, before_close, end);
    }

    fn push(&mut self, text: &str, start: LineColumn, end: LineColumn) {
        if self.end.is_some_and(|end| end != start) {
            self.written.push(' ');
        }
        self.written.push_str(text);
        self.end = Some(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        source(&text.parse::<TokenStream>().unwrap())
    }

    #[test]
    fn blanks_are_those_of_the_author_on_one_line() {
        for text in [
            "order.total_cents > 10_000",
            "Some(x)",
            "items[0].f::<u8>(&a, 'c')",
            "!ok",
        ] {
            assert_eq!(of(text), text);
        }
        assert_eq!(of("a\n    .b( 1,\n 2 )"), "a .b( 1, 2 )");
    }

    #[test]
    fn long_texts_are_cut() {
        let text = of(&"ab ".repeat(100));
        assert_eq!(text.chars().count(), MAX_CHARS);
        assert!(text.ends_with('…'));
    }
}
