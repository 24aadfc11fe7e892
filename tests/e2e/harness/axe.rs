//! Accessibility of what is on the page, judged by axe-core.

use std::sync::OnceLock;

use serde_json::json;

use super::page::{Page, package};

/// One rule that the page breaks.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule's id in axe-core, such as `color-contrast`.
    pub rule: String,
    /// minor, moderate, serious or critical.
    pub impact: String,
    /// What the rule asks for.
    pub help: String,
    /// Where: a CSS path and what is wrong there.
    pub places: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.rule, self.impact, self.help)?;
        self.places.iter().try_for_each(|place| write!(f, "\n    {place}"))
    }
}

impl Page {
    /// Every rule of WCAG 2.2 A and AA, and of axe's best practices, that the page breaks.
    pub async fn axe(&self) -> Vec<Violation> {
        static SCRIPT: OnceLock<String> = OnceLock::new();
        let library = SCRIPT.get_or_init(|| package("axe-core/axe.min.js"));
        if self.evaluate("return typeof window.axe").await == "undefined" {
            self.session.script(library, json!([])).await.expect("axe-core loads");
        }
        let answer = self
            .evaluate(
                // What is fading in has half its contrast; let it arrive first.
                "const passing = (one) => Number.isFinite(one.effect.getComputedTiming().endTime);\n\
                 const moving = document.getAnimations().filter(passing);\n\
                 await Promise.allSettled(moving.map((one) => one.finished));\n\
                 const found = await axe.run(document, { resultTypes: ['violations'] });\n\
                 return found.violations.map((rule) => ({ id: rule.id, impact: rule.impact, help: rule.help,\n\
                   places: rule.nodes.slice(0, 8).map((node) =>\n\
                     `${node.target.join(' ')}: ${node.failureSummary.replace(/\\s+/g, ' ')}`) }));",
            )
            .await;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let rules = answer.as_array().into_iter().flatten();
        rules
            .map(|rule| Violation {
                rule: text(&rule["id"]),
                impact: text(&rule["impact"]),
                help: text(&rule["help"]),
                places: rule["places"].as_array().into_iter().flatten().map(text).collect(),
            })
            .collect()
    }

    /// Fails the test when the page breaks a rule; `screen` names it in the message.
    pub async fn assert_accessible(&self, screen: &str) {
        let broken = self.axe().await;
        if !broken.is_empty() {
            let list: Vec<String> =
                broken.iter().map(|violation| format!("- {violation}")).collect();
            self.fail(&format!("{screen} is not accessible to everyone:\n{}", list.join("\n")))
                .await;
        }
    }
}
