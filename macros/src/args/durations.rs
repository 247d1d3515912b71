//! The texts of durations and backoffs.

/// The grammar of `Backoff::from_str`, which cannot be called from here: the library depends on
/// this crate.
pub(super) fn check_backoff(text: &str) -> Result<(), String> {
    let shape = || format!("`{text}` is no backoff; write `fixed 2s` or `exp 200ms..10s`");
    let (word, rest) = text.split_once(' ').ok_or_else(shape)?;
    match word {
        "fixed" => millis(rest).map(drop),
        "exp" => {
            let (first, cap) = rest.split_once("..").ok_or_else(shape)?;
            let (first, cap) = (millis(first)?, millis(cap)?);
            let falls = "has a cap below its first wait; write the shorter one first";
            if cap < first {
                Err(format!("`{text}` {falls}"))
            } else {
                Ok(())
            }
        }
        _ => Err(shape()),
    }
}

/// The grammar of `parse_duration`.
pub(super) fn millis(text: &str) -> Result<u64, String> {
    let invalid = || {
        let expected = "write a whole number with ms, s, m, h, d or w, such as `30s`";
        format!("`{text}` is no duration; {expected}")
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(invalid()),
    };
    let number: u64 = number.parse().map_err(|_| invalid())?;
    number.checked_mul(unit).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_durations_of_the_library_are_accepted_and_no_others() {
        for text in ["500ms", "30s", "15m", "2h", "7d", "1w", "0s"] {
            assert!(millis(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "1y",
            " 1s",
            "1s 2ms",
            "99999999999999999999s",
        ] {
            assert!(millis(text).is_err(), "{text}");
        }
        assert!(millis(&format!("{}w", u64::MAX)).is_err());
    }

    #[test]
    fn the_backoffs_of_the_library_are_accepted_and_no_others() {
        for text in ["fixed 2s", "exp 200ms..10s", "exp 1s..1s"] {
            assert!(check_backoff(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "exp",
            "exp 5s",
            "exp 5s..1s",
            "linear 1s",
            "fixed",
            "fixed 1y",
        ] {
            assert!(check_backoff(text).is_err(), "{text}");
        }
    }
}
