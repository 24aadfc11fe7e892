//! A window's page, looked at and worked by role and accessible name.

use std::{fs, path::PathBuf, sync::OnceLock, time::Instant};

use serde_json::{Value, json};

use super::{
    GLANCE, PATIENCE,
    driver::{ELEMENT, Refusal, Session},
    keys, root, target, test_name,
};

/// The page of the window that is worked at present.
#[derive(Clone, Debug)]
pub struct Page {
    pub(super) session: Session,
}

/// What an element must be called.
#[derive(Clone, Debug)]
pub enum Name {
    /// Exactly so, white space aside.
    Exactly(String),
    /// With this in it.
    Containing(String),
    /// Anything.
    Any,
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::Exactly(text.to_owned())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::Exactly(text)
    }
}

/// Whatever it is called.
pub fn any() -> Name {
    Name::Any
}

/// Called something with this in it.
pub fn containing(text: &str) -> Name {
    Name::Containing(text.to_owned())
}

impl Name {
    fn json(&self) -> Value {
        match self {
            Self::Exactly(text) => json!({ "text": text, "exact": true }),
            Self::Containing(text) => json!({ "text": text, "exact": false }),
            Self::Any => Value::Null,
        }
    }
}

/// A way to elements, walked anew at each use: it never goes stale.
#[derive(Clone, Debug)]
pub struct Locator {
    page: Page,
    steps: Vec<Value>,
    words: String,
}

/// What an element is at the moment.
#[derive(Clone, Debug)]
struct State(Value);

impl Page {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Elements by ARIA role and accessible name; hidden ones are not found.
    pub fn role(&self, role: &str, name: impl Into<Name>) -> Locator {
        self.nowhere().role(role, name)
    }

    /// Form fields by their label, for those without a role (password, date, time, file).
    pub fn field(&self, label: impl Into<Name>) -> Locator {
        self.nowhere().field(label)
    }

    /// Password fields by their label: a radio button beside them may have the same one.
    pub fn password(&self, label: impl Into<Name>) -> Locator {
        self.nowhere().password(label)
    }

    /// The innermost elements with this text.
    pub fn words(&self, text: impl Into<Name>) -> Locator {
        self.nowhere().words(text)
    }

    fn nowhere(&self) -> Locator {
        Locator { page: self.clone(), steps: Vec::new(), words: String::new() }
    }

    /// Presses keys where the focus is: `"Control+K"`, `"Shift+Tab"`, `"Enter"`, `"a"`.
    pub async fn press(&self, keys: &str) {
        let (held, last) = keys::chord(keys);
        let down = |key: &char| json!({ "type": "keyDown", "value": key.to_string() });
        let up = |key: &char| json!({ "type": "keyUp", "value": key.to_string() });
        let mut actions: Vec<Value> = held.iter().map(down).collect();
        actions.extend([down(&last), up(&last)]);
        actions.extend(held.iter().rev().map(up));
        self.act(json!({ "type": "key", "id": "keyboard", "actions": actions })).await;
    }

    /// Types where the focus is, one key after the other.
    pub async fn type_text(&self, text: &str) {
        let actions: Vec<Value> = text
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        self.act(json!({ "type": "key", "id": "keyboard", "actions": actions })).await;
    }

    /// Moves the mouse there.
    pub async fn point_at(&self, x: u32, y: u32) {
        let actions = json!([{ "type": "pointerMove", "origin": "viewport", "x": x, "y": y }]);
        self.act(json!({ "type": "pointer", "id": "mouse",
            "parameters": { "pointerType": "mouse" }, "actions": actions }))
            .await;
    }

    /// Clicks at a place of the window, whatever is there.
    pub async fn click_at(&self, x: u32, y: u32) {
        let actions = json!([
            { "type": "pointerMove", "origin": "viewport", "x": x, "y": y },
            { "type": "pointerDown", "button": 0 }, { "type": "pointerUp", "button": 0 },
        ]);
        self.act(json!({ "type": "pointer", "id": "mouse",
            "parameters": { "pointerType": "mouse" }, "actions": actions }))
            .await;
    }

    async fn act(&self, source: Value) {
        let result = self.session.post("/actions", json!({ "actions": [source] })).await;
        self.must("an action", result).await;
    }

    /// Loads the page anew, as a person's F5 in a browser would.
    pub async fn reload(&self) {
        let result = self.session.post("/refresh", json!({})).await;
        self.must("the reload", result).await;
    }

    /// Goes to an address (only for pages that are not the app's).
    pub async fn go(&self, address: &str) {
        let result = self.session.post("/url", json!({ "url": address })).await;
        self.must("going there", result).await;
    }

    /// Handles of the program's windows.
    pub async fn windows(&self) -> Vec<String> {
        let result = self.session.get("/window/handles").await;
        let handles = self.must("the list of windows", result).await;
        let handles = handles.as_array().into_iter().flatten();
        handles.filter_map(|handle| handle.as_str().map(str::to_owned)).collect()
    }

    /// The handle of the window that is worked.
    pub async fn window(&self) -> String {
        let result = self.session.get("/window").await;
        self.must("this window", result).await.as_str().unwrap_or_default().to_owned()
    }

    /// Works another window from now on; `false` when it is not there (any more).
    pub async fn switch_to(&self, handle: &str) -> bool {
        self.session.post("/window", json!({ "handle": handle })).await.is_ok()
    }

    /// Waits for a window beside `known`, and works that one.
    pub async fn switch_to_new(&self, known: &[String]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new = self.windows().await.into_iter().find(|handle| !known.contains(handle));
            match new {
                Some(handle) if self.switch_to(&handle).await => return handle,
                _ if Instant::now() > deadline => self.fail("no new window opened").await,
                _ => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    /// Closes the worked window, as its close button does.
    pub async fn close_window(&self) {
        let result = self.session.delete("/window").await;
        self.must("closing the window", result).await;
    }

    /// Gives the window this size, frame included.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height });
        let result = self.session.post("/window/rect", size).await;
        self.must("the new size", result).await;
    }

    /// Makes everything twice as large, with the keys a person uses for it.
    pub async fn zoom_to_double(&self) {
        let width = async || self.evaluate("return innerWidth").await.as_f64().unwrap_or_default();
        let before = width().await;
        for _ in 0..5 {
            self.press("Control+=").await;
        }
        super::eventually("everything is twice as large", async || {
            ((width().await * 2.0 - before).abs() < 4.0).then_some(())
        })
        .await;
    }

    /// Title of the document.
    pub async fn title(&self) -> String {
        self.evaluate("return document.title").await.as_str().unwrap_or_default().to_owned()
    }

    /// Whether the page is drawn for a dark desktop.
    pub async fn prefers_dark(&self) -> bool {
        let script = "return matchMedia('(prefers-color-scheme: dark)').matches";
        self.evaluate(script).await == Value::Bool(true)
    }

    /// Runs a script in the page and gives what it returns. For what a person cannot see (timings,
    /// storage, attacks); never to find a control.
    pub async fn evaluate(&self, script: &str) -> Value {
        self.evaluate_with(script, json!([])).await
    }

    /// Like [`Page::evaluate`], with values that the script finds in `arguments`.
    pub async fn evaluate_with(&self, script: &str, arguments: Value) -> Value {
        let result = self.run(script, arguments).await;
        self.must("a script", result).await
    }

    /// A photograph of the page: `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        // Type drawn with a fall-back font would be a picture of another product.
        self.evaluate("return document.fonts.ready.then(() => true)").await;
        self.drawn().await;
        let picture = self.session.picture().await;
        let picture = match picture {
            Ok(picture) => picture,
            Err(refusal) => panic!("no screenshot of {name}: {refusal}"),
        };
        write(&target().join("screenshots"), &format!("{name}.png"), &picture)
    }

    /// Waits until what the page is now is on the screen as well.
    async fn drawn(&self) {
        let script = "const passing = (one) => Number.isFinite(one.effect.getComputedTiming().endTime);\n\
            const moving = document.getAnimations().filter(passing);\n\
            await Promise.allSettled(moving.map((one) => one.finished));\n\
            const frame = () => new Promise((done) => requestAnimationFrame(done));\n\
            await frame(); await frame(); await new Promise((done) => setTimeout(done, 100));";
        self.evaluate(script).await;
    }

    /// Fails the test with a picture of the page and what is on it.
    pub async fn fail(&self, what: &str) -> ! {
        let folder = target().join("e2e-failures");
        let name = test_name();
        let picture = match self.session.picture().await {
            Ok(picture) => write(&folder, &format!("{name}.png"), &picture).display().to_string(),
            Err(refusal) => format!("none ({refusal})"),
        };
        let tree = self.run("return window.__stage.tree()", json!([])).await;
        let tree = match &tree {
            Ok(tree) => tree.as_str().unwrap_or_default().to_owned(),
            Err(refusal) => refusal.to_string(),
        };
        panic!("{what}\npicture: {picture}\non the page:\n{tree}");
    }

    async fn must(&self, what: &str, result: Result<Value, Refusal>) -> Value {
        match result {
            Ok(value) => value,
            Err(refusal) => panic!("{what} failed: {refusal}"),
        }
    }

    /// Runs a script with the lookup at hand, which every new document has to be given.
    pub(super) async fn run(&self, script: &str, arguments: Value) -> Result<Value, Refusal> {
        let guarded = format!("if (!window.__stage) return '\u{1}no stage';\n{script}");
        for _ in 0..5 {
            let value = self.session.script(&guarded, arguments.clone()).await?;
            if value.as_str() != Some("\u{1}no stage") {
                return Ok(value);
            }
            self.session.script(lookup(), json!([])).await?;
        }
        Err(Refusal { code: "lookup".into(), message: "the page keeps changing".into() })
    }
}

impl Locator {
    /// Within these: elements by role and name.
    pub fn role(&self, role: &str, name: impl Into<Name>) -> Self {
        let name = name.into();
        let step = json!({ "by": "role", "role": role, "name": name.json() });
        self.step(step, &format!("{role} {name:?}"))
    }

    /// Within these: form fields by label.
    pub fn field(&self, label: impl Into<Name>) -> Self {
        let name = label.into();
        self.step(json!({ "by": "label", "name": name.json() }), &format!("field {name:?}"))
    }

    /// Within these: password fields by label.
    pub fn password(&self, label: impl Into<Name>) -> Self {
        let name = label.into();
        let only = "input[type=password]";
        self.step(
            json!({ "by": "label", "name": name.json(), "only": only }),
            &format!("password {name:?}"),
        )
    }

    /// Within these: the innermost elements with this text.
    pub fn words(&self, text: impl Into<Name>) -> Self {
        let name = text.into();
        self.step(json!({ "by": "text", "name": name.json() }), &format!("words {name:?}"))
    }

    /// Of these, the one at this place, counted from 0.
    pub fn nth(&self, index: usize) -> Self {
        self.step(json!({ "by": "nth", "index": index }), &format!("number {index}"))
    }

    fn step(&self, step: Value, words: &str) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        let words = match self.words.as_str() {
            "" => words.to_owned(),
            outer => format!("{outer} › {words}"),
        };
        Self { page: self.page.clone(), steps, words }
    }

    /// How many there are now.
    pub async fn count(&self) -> usize {
        let script = "return window.__stage.find(arguments[0]).length";
        let result = self.page.run(script, json!([self.steps])).await;
        let count = self.page.must(&self.words, result).await;
        count.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
    }

    /// Whether there is one now, without waiting.
    pub async fn exists(&self) -> bool {
        self.count().await > 0
    }

    /// Waits until there is exactly one.
    pub async fn wait(&self) -> &Self {
        self.state().await;
        self
    }

    /// Waits until there is none.
    pub async fn wait_gone(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.exists().await {
            if Instant::now() > deadline {
                self.page.fail(&format!("still there: {}", self.words)).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until there are this many.
    pub async fn wait_count(&self, wanted: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let count = self.count().await;
            if count == wanted {
                return;
            }
            if Instant::now() > deadline {
                self.page.fail(&format!("{count} instead of {wanted}: {}", self.words)).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until its text has this in it.
    pub async fn wait_text(&self, part: &str) -> String {
        self.wait_state(&format!("with the text {part:?}"), |state| state.text().contains(part))
            .await
            .text()
    }

    /// Waits until its value is this.
    pub async fn wait_value(&self, value: &str) {
        self.wait_state(&format!("with the value {value:?}"), |state| state.value() == value).await;
    }

    /// Waits until the focus is on it.
    pub async fn wait_focused(&self) {
        self.wait_state("with the focus", |state| state.is("focused")).await;
    }

    /// Waits until it can be used.
    pub async fn wait_enabled(&self) {
        self.wait_state("enabled", |state| !state.is("disabled")).await;
    }

    /// Waits until it is marked as wrong (`aria-invalid`).
    pub async fn wait_invalid(&self) {
        self.wait_state("marked as wrong", |state| state.is("invalid")).await;
    }

    /// Its text as a person sees it.
    pub async fn text(&self) -> String {
        self.state().await.text()
    }

    /// The texts of all there are now.
    pub async fn texts(&self) -> Vec<String> {
        let script =
            "return window.__stage.find(arguments[0]).map((e) => window.__stage.state(e).text)";
        let result = self.page.run(script, json!([self.steps])).await;
        let texts = self.page.must(&self.words, result).await;
        let texts = texts.as_array().into_iter().flatten();
        texts.map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What is filled in.
    pub async fn value(&self) -> String {
        self.state().await.value()
    }

    /// Whether a checkbox, radio button or menu item is checked.
    pub async fn is_checked(&self) -> bool {
        self.state().await.is("checked")
    }

    /// Whether an option or a row is selected.
    pub async fn is_selected(&self) -> bool {
        self.state().await.is("selected")
    }

    /// Whether what it discloses is shown.
    pub async fn is_expanded(&self) -> bool {
        self.state().await.is("expanded")
    }

    /// Whether it can be used.
    pub async fn is_enabled(&self) -> bool {
        !self.state().await.is("disabled")
    }

    /// Whether the focus is on it.
    pub async fn is_focused(&self) -> bool {
        self.state().await.is("focused")
    }

    /// An attribute, `None` when it is not there.
    pub async fn attribute(&self, name: &str) -> Option<String> {
        let element = self.element().await;
        let script = "return arguments[0].getAttribute(arguments[1])";
        let result = self.page.run(script, json!([element, name])).await;
        self.page.must(&self.words, result).await.as_str().map(str::to_owned)
    }

    /// Clicks it with the mouse, once it is there, enabled and not covered.
    pub async fn click(&self) {
        self.wait_enabled().await;
        self.retry("click", async |element| {
            let path = format!("/element/{}/click", id(&element));
            self.page.session.post(&path, json!({})).await
        })
        .await;
    }

    /// Clicks it when that ends the program: the driver's answer may be lost with it.
    pub async fn click_to_end(&self) {
        self.wait_enabled().await;
        let element = self.element().await;
        let path = format!("/element/{}/click", id(&element));
        let _ = self.page.session.post(&path, json!({})).await;
    }

    /// The middle of it, for [`Page::click_at`].
    pub async fn place(&self) -> (u32, u32) {
        let element = self.element().await;
        let script = "const box = arguments[0].getBoundingClientRect();\n\
            return [Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)]";
        let result = self.page.run(script, json!([element])).await;
        let place = self.page.must(&self.words, result).await;
        let part = |index: usize| place[index].as_u64().and_then(|part| u32::try_from(part).ok());
        (part(0).unwrap_or_default(), part(1).unwrap_or_default())
    }

    /// Clicks it twice, as fast as a double click.
    pub async fn double_click(&self) {
        self.pointer(&["pointerDown", "pointerUp", "pointerDown", "pointerUp"]).await;
    }

    /// Moves the mouse over it.
    pub async fn hover(&self) {
        self.pointer(&[]).await;
    }

    /// Clicks it while holding keys: `"Shift"`, `"Control"`.
    pub async fn click_holding(&self, held: &str) {
        self.wait_enabled().await;
        let (_, key) = keys::chord(held);
        let key = key.to_string();
        self.retry("click", async |element| {
            let pause = json!({ "type": "pause", "duration": 0 });
            let mouse = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" },
                "actions": [
                    { "type": "pointerMove", "origin": element, "x": 0, "y": 0 }, pause,
                    { "type": "pointerDown", "button": 0 }, { "type": "pointerUp", "button": 0 }, pause,
                ] });
            let keyboard = json!({ "type": "key", "id": "keyboard", "actions": [
                pause, { "type": "keyDown", "value": key }, pause, pause, { "type": "keyUp", "value": key },
            ] });
            self.page.session.post("/actions", json!({ "actions": [keyboard, mouse] })).await
        })
        .await;
    }

    async fn pointer(&self, then: &[&str]) {
        self.wait_enabled().await;
        self.retry("mouse", async |element| {
            let mut actions =
                vec![json!({ "type": "pointerMove", "origin": element, "x": 0, "y": 0 })];
            actions.extend(then.iter().map(|kind| json!({ "type": kind, "button": 0 })));
            let mouse = json!({ "type": "pointer", "id": "mouse",
                "parameters": { "pointerType": "mouse" }, "actions": actions });
            self.page.session.post("/actions", json!({ "actions": [mouse] })).await
        })
        .await;
    }

    /// Scrolls until it is in sight.
    pub async fn scroll_into_view(&self) {
        let element = self.element().await;
        let result = self.page.run("arguments[0].scrollIntoView()", json!([element])).await;
        self.page.must(&self.words, result).await;
    }

    /// Puts the focus on it without a click.
    pub async fn focus(&self) {
        let element = self.element().await;
        let result = self.page.run("arguments[0].focus()", json!([element])).await;
        self.page.must(&self.words, result).await;
    }

    /// Replaces what is filled in, key by key.
    pub async fn fill(&self, text: &str) {
        self.click().await;
        self.page.press("Control+a").await;
        self.page.press("Delete").await;
        if !text.is_empty() {
            self.page.type_text(text).await;
        }
        self.wait_value(text).await;
    }

    /// Replaces what is filled in at once, as a paste does: for long texts, dates and times, and
    /// texts with line breaks.
    pub async fn put(&self, text: &str) {
        self.wait_enabled().await;
        let element = self.element().await;
        let result = self
            .page
            .run("window.__stage.put(arguments[0], arguments[1])", json!([element, text]))
            .await;
        self.page.must(&self.words, result).await;
    }

    /// Hands a file to a file field.
    pub async fn attach(&self, path: &std::path::Path) {
        let element = self.element().await;
        let keys = json!({ "text": path.display().to_string() });
        let result =
            self.page.session.post(&format!("/element/{}/value", id(&element)), keys).await;
        self.page.must(&self.words, result).await;
    }

    /// Chooses an option of a `<select>` by its text.
    pub async fn choose(&self, option: &str) {
        self.wait().await;
        let element = self.element().await;
        let script = "const [select, text] = arguments;\n\
            const option = [...select.options].find((o) => o.text.trim() === text);\n\
            if (!option) return false;\n\
            select.value = option.value;\n\
            select.dispatchEvent(new Event('input', { bubbles: true }));\n\
            select.dispatchEvent(new Event('change', { bubbles: true }));\n\
            return true";
        let result = self.page.run(script, json!([element, option])).await;
        if self.page.must(&self.words, result).await != Value::Bool(true) {
            self.page.fail(&format!("no option {option:?}: {}", self.words)).await;
        }
    }

    /// Checks or unchecks it, unless it is so already.
    pub async fn check(&self, wanted: bool) {
        if self.is_checked().await != wanted {
            self.click().await;
        }
        self.wait_state(if wanted { "checked" } else { "unchecked" }, |state| {
            state.is("checked") == wanted
        })
        .await;
    }

    async fn state(&self) -> State {
        self.wait_state("exactly once", |_| true).await
    }

    async fn wait_state(&self, what: &str, wanted: impl Fn(&State) -> bool) -> State {
        let script = "const found = window.__stage.find(arguments[0]);\n\
            return { count: found.length, state: found.length === 1 ? window.__stage.state(found[0]) : null }";
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A page that is being replaced refuses scripts for a moment.
            let result = self.page.run(script, json!([self.steps])).await;
            let seen = match result {
                Ok(answer) if answer["count"] == 1 => {
                    let state = State(answer["state"].clone());
                    if wanted(&state) {
                        return state;
                    }
                    format!("it is {}", state.0)
                }
                Ok(answer) => format!("there are {}", answer["count"]),
                Err(refusal) => refusal.to_string(),
            };
            if Instant::now() > deadline {
                self.page.fail(&format!("not {what}: {}; {seen}", self.words)).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn element(&self) -> Value {
        self.wait().await;
        let script = "return window.__stage.find(arguments[0])[0] ?? null";
        let result = self.page.run(script, json!([self.steps])).await;
        let element = self.page.must(&self.words, result).await;
        if element.is_null() {
            self.page.fail(&format!("gone in the moment it was used: {}", self.words)).await;
        }
        element
    }

    /// Elements move, are covered for a moment by what fades out, or are drawn anew.
    async fn retry(&self, what: &str, act: impl AsyncFn(Value) -> Result<Value, Refusal>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let element = self.element().await;
            match act(element).await {
                Ok(_) => return,
                // It was the button that closes its window.
                Err(refusal) if refusal.code == "no such window" => return,
                Err(refusal) if Instant::now() > deadline || !passing(&refusal) => {
                    self.page
                        .fail(&format!("the {what} on {} failed: {refusal}", self.words))
                        .await;
                }
                Err(_) => tokio::time::sleep(GLANCE).await,
            }
        }
    }
}

impl State {
    fn is(&self, what: &str) -> bool {
        self.0[what] == Value::Bool(true)
    }

    fn text(&self) -> String {
        self.0["text"].as_str().unwrap_or_default().to_owned()
    }

    fn value(&self) -> String {
        self.0["value"].as_str().unwrap_or_default().to_owned()
    }
}

fn passing(refusal: &Refusal) -> bool {
    [
        "element click intercepted",
        "element not interactable",
        "stale element reference",
        "move target out of bounds",
    ]
    .contains(&refusal.code.as_str())
}

fn id(element: &Value) -> &str {
    element[ELEMENT].as_str().unwrap_or_default()
}

fn write(folder: &std::path::Path, name: &str, bytes: &[u8]) -> PathBuf {
    fs::create_dir_all(folder).expect("the folder can be made");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the picture can be written");
    path
}

fn lookup() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let library = package("@testing-library/dom/dist/@testing-library/dom.umd.min.js");
        format!("{library}\n;{}", include_str!("lookup.js"))
    })
}

/// A file of an npm package of the window.
pub(super) fn package(path: &str) -> String {
    let path = root().join("ui/node_modules").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read: {error}; `cd ui && npm ci` mends it", path.display())
    })
}
