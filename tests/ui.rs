//! What `#[workflow]` and `#[step]` accept, and what authors read when they refuse.
//!
//! Each file under `tests/ui` is a program. Those in `fail` have their messages beside them;
//! after a deliberate change, `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn authors_read_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
