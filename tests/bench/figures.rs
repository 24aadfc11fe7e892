//! Samples, what is made of them, and the table that is printed.

use std::fmt::Write;

/// Times of one kind, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

impl Samples {
    /// One more.
    pub fn push(&mut self, time: f64) {
        self.0.push(time);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The one that 95 of 100 do not exceed.
    pub fn p95(&self) -> f64 {
        self.at(0.95)
    }

    /// The longest.
    pub fn worst(&self) -> f64 {
        self.at(1.0)
    }

    /// Nearest rank: always one of the samples, never something between two.
    fn at(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// Smallest to largest, in words.
    pub fn span(&self) -> String {
        format!("{} runs, {:.1} to {:.1} ms", self.len(), self.at(0.0), self.worst())
    }
}

/// One line of the table.
pub struct Figure {
    what: String,
    measured: String,
    against: String,
    judged: Option<Judged>,
}

struct Judged {
    value: f64,
    target: f64,
    unit: &'static str,
}

impl Figure {
    /// A time as a multiple of another one from the same run.
    pub fn ratio(what: &str, time: f64, against: &str, other: f64, target: f64) -> Self {
        Self {
            what: what.to_owned(),
            measured: format!("{time:.1} ms"),
            against: format!("{against} {other:.1} ms"),
            judged: Some(Judged { value: time / other, target, unit: "×" }),
        }
    }

    /// A time with a bound of its own: a frame is as long on every machine.
    pub fn bound(what: &str, time: f64, against: String, target: f64) -> Self {
        Self {
            what: what.to_owned(),
            measured: format!("{time:.1} ms"),
            against,
            judged: Some(Judged { value: time, target, unit: " ms" }),
        }
    }

    /// Anything else that has a bound: counts, memory, multiples of them.
    pub fn of(
        what: &str,
        measured: String,
        against: String,
        value: f64,
        target: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            what: what.to_owned(),
            measured,
            against,
            judged: Some(Judged { value, target, unit }),
        }
    }

    /// Good to know; nothing is asked of it.
    pub fn note(what: &str, measured: String, against: String) -> Self {
        Self { what: what.to_owned(), measured, against, judged: None }
    }
}

/// Prints the table, with the load of the machine before and after: other work makes it worthless.
pub fn print(figures: &[Figure], before: f64, after: f64) {
    let mut text = String::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let _ = writeln!(text, "\n{cores} cores, load {before:.1} before and {after:.1} after\n");
    let _ = writeln!(
        text,
        "{:<52} {:>10}  {:>9}  {:>9}        compared with",
        "", "measured", "result", "target"
    );
    for Figure { what, measured, against, judged } in figures {
        let (result, target, word) = match judged {
            Some(Judged { value, target, unit }) => (
                format!("{value:.2}{unit}"),
                format!("≤ {target}{unit}"),
                if value <= target { "pass" } else { "MISS" },
            ),
            None => Default::default(),
        };
        let line =
            format!("{what:<52} {measured:>10}  {result:>9}  {target:>9}  {word:<4}  {against}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    print!("{text}");
}

/// Programs that wanted a core in the last minute, on average.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}
