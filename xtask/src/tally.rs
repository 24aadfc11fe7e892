//! Counting tests from what the runners print.

use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Tally {
    pub const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    pub const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// From `cargo test` (`test result: ok. 3 passed; 0 failed; 1 ignored; …`) or `cargo nextest`
    /// (`Summary [ 1.2s] 4 tests run: 3 passed, 1 failed, 1 skipped`).
    pub fn of_cargo(text: &str) -> Self {
        let mut sum = Self::default();
        // What nextest shows of single tests has a result line of its own in it.
        let nextest = text.lines().any(|line| line.trim().starts_with("Summary ["));
        for line in text.lines() {
            let line = line.trim();
            let counts = if let Some(rest) = line.strip_prefix("test result:") {
                if nextest {
                    continue;
                }
                rest
            } else if line.starts_with("Summary [") {
                line.split_once(" run: ").map_or("", |(_, rest)| rest)
            } else {
                continue;
            };
            sum += Self::of_words(counts);
        }
        sum
    }

    /// From vitest (`Tests  1 failed | 11 passed | 2 skipped (14)`).
    pub fn of_vitest(text: &str) -> Self {
        let line = text.lines().rev().find_map(|line| line.trim().strip_prefix("Tests  "));
        line.map(Self::of_words).unwrap_or_default()
    }

    /// Reads every "number word" pair.
    fn of_words(line: &str) -> Self {
        let mut tally = Self::default();
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u32>() else { continue };
            match pair[1].trim_matches(|c: char| !c.is_alphabetic()) {
                "passed" => tally.passed += number,
                // nextest counts these apart from "failed".
                "failed" | "timed" => tally.failed += number,
                "ignored" | "skipped" | "todo" => tally.skipped += number,
                _ => {}
            }
        }
        tally
    }

    /// What a runner counted; where it counted nothing (it did not compile, say) the step itself
    /// counts as one.
    pub fn or_step(mut self, ok: bool) -> Self {
        match (ok, self.passed + self.failed) {
            (true, 0) => self += Self::PASSED,
            (false, _) if self.failed == 0 => self += Self::FAILED,
            _ => {}
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_binary_of_cargo_test() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; \
                    finished in 0.00s\n\
                    test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::of_cargo(text), Tally { passed: 5, failed: 1, skipped: 1 });
    }

    #[test]
    fn counts_nextest() {
        let text = "     Summary [   1.015s] 14 tests run: 12 passed (1 slow), 1 failed, 1 timed \
                    out, 2 skipped\n";
        assert_eq!(Tally::of_cargo(text), Tally { passed: 12, failed: 2, skipped: 2 });
    }

    #[test]
    fn what_nextest_shows_of_single_tests_is_not_counted_twice() {
        let text = "    test result: FAILED. 0 passed; 1 failed; 0 ignored\n     Summary [   1.0s] 2 \
                    tests run: 1 passed, 1 failed, 0 skipped\n";
        assert_eq!(Tally::of_cargo(text), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn counts_vitest() {
        let text =
            " Test Files  3 passed (3)\n      Tests  1 failed | 11 passed | 2 skipped (14)\n";
        assert_eq!(Tally::of_vitest(text), Tally { passed: 11, failed: 1, skipped: 2 });
    }

    #[test]
    fn a_step_that_counted_nothing_counts_as_one() {
        assert_eq!(Tally::default().or_step(false), Tally::FAILED);
        assert_eq!(Tally::default().or_step(true), Tally::PASSED);
        let all_passed_and_then_it_broke = Tally { passed: 4, ..Tally::default() };
        assert_eq!(all_passed_and_then_it_broke.or_step(false).failed, 1);
    }
}
