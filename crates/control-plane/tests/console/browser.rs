//! A person at a browser: finds things by what they are called, waits for what should come and never sleeps.

use std::path::Path;
use std::time::Duration;

use novacula_lab::poll;
use serde_json::{Value, json};

use crate::webdriver::{Element, Manner, WebDriver};

/// For whatever should come by itself; slow machines are slow.
const LIMIT: Duration = Duration::from_secs(30);
const FIND: &str = include_str!("find.js");

pub const TAB: char = '\u{E004}';
pub const ENTER: char = '\u{E007}';
pub const ESCAPE: char = '\u{E00C}';

/// A browser at one console.
pub struct Browser {
    pub driver: WebDriver,
    site: String,
}

impl Browser {
    /// A window of usual size on nothing yet.
    pub fn at(site: &str) -> Self {
        Self::with(site, Manner::default())
    }

    pub fn with(site: &str, manner: Manner) -> Self {
        let driver = WebDriver::start(manner);
        driver.resize(1280, 900);
        Self { driver, site: site.to_owned() }
    }

    /// Opens a path of the console.
    pub fn open(&self, path: &str) {
        self.driver.open(&format!("{}{path}", self.site));
    }

    /// Marks the page, so that it is known whether it was loaded again since.
    pub fn mark(&self) {
        self.driver.run("window.isMarked = true", &[]).unwrap();
    }

    /// It was not loaded again since it was marked.
    pub fn is_marked(&self) -> bool {
        self.driver.run("return window.isMarked === true", &[]) == Ok(json!(true))
    }

    pub fn reload(&self) {
        self.driver.refresh();
    }

    /// Where it is: path and query.
    pub fn place(&self) -> String {
        let place = self.driver.run("return location.pathname + location.search", &[]);
        place.ok().and_then(|place| place.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// All that can be read on the page, or in the dialog over it.
    pub fn text(&self) -> String {
        let script =
            "return ([...document.querySelectorAll('dialog[open]')].pop() ?? document.body).innerText";
        let text = self.driver.run(script, &[]).ok().and_then(|text| text.as_str().map(str::to_owned));
        text.unwrap_or_default()
    }

    /// Waits until this can be read.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.until(&format!("`{text}` can be read"), || {
            squeezed(&self.text()).contains(&squeezed(text)).then_some(())
        });
    }

    /// Waits until this cannot be read (any more).
    #[track_caller]
    pub fn sees_no(&self, text: &str) {
        self.until(&format!("`{text}` is gone"), || {
            (!squeezed(&self.text()).contains(&squeezed(text))).then_some(())
        });
    }

    /// Waits until it is at a place that begins like this.
    #[track_caller]
    pub fn is_at(&self, path: &str) {
        self.until(&format!("the page is {path}"), || self.place().starts_with(path).then_some(()));
    }

    /// Waits for something that this finds.
    #[track_caller]
    pub fn until<T>(&self, sentence: &str, look: impl FnMut() -> Option<T>) -> T {
        match poll(LIMIT, look) {
            Some(seen) => seen,
            None => panic!("not within {LIMIT:?}: {sentence}\n──── {}\n{}\n────", self.place(), self.text()),
        }
    }

    /// The link, button, field, heading or row of this name, once it is there.
    #[track_caller]
    pub fn find(&self, what: &str, name: &str) -> Element {
        self.until(&format!("there is the {what} `{name}`"), || self.found(what, name))
    }

    /// The same, if it is there now.
    pub fn found(&self, what: &str, name: &str) -> Option<Element> {
        self.driver.find(FIND, &[json!(what), json!(name)])
    }

    /// The same, in the row, or the group of fields, that says this.
    #[track_caller]
    pub fn find_within(&self, row: &str, what: &str, name: &str) -> Element {
        self.until(&format!("there is the {what} `{name}` where `{row}` stands"), || {
            self.driver.find(FIND, &[json!(what), json!(name), json!(row)])
        })
    }

    /// Presses a button of the row that says this.
    #[track_caller]
    pub fn press_button_of(&self, row: &str, button: &str) {
        self.until(&format!("the button `{button}` where `{row}` stands can be pressed"), || {
            let button = self.driver.find(FIND, &[json!("button"), json!(button), json!(row)])?;
            self.driver.click(&button).ok()
        });
    }

    #[track_caller]
    pub fn follow(&self, link: &str) {
        self.click("link", link);
    }

    #[track_caller]
    pub fn press_button(&self, button: &str) {
        self.click("button", button);
    }

    #[track_caller]
    fn click(&self, what: &str, name: &str) {
        // What a live page exchanges in between is looked for again.
        self.until(&format!("the {what} `{name}` can be clicked"), || {
            self.driver.click(&self.found(what, name)?).ok()
        });
    }

    /// Types into a field, in place of what is there.
    #[track_caller]
    pub fn fill(&self, field: &str, text: &str) {
        self.type_into(&self.find("field", field), field, text);
    }

    /// The same, in the group that says this.
    #[track_caller]
    pub fn fill_within(&self, group: &str, field: &str, text: &str) {
        self.type_into(&self.find_within(group, "field", field), field, text);
    }

    #[track_caller]
    fn type_into(&self, element: &Element, field: &str, text: &str) {
        let typed = self.driver.clear(element).and_then(|()| self.driver.type_into(element, text));
        typed.unwrap_or_else(|e| panic!("`{field}` can be typed into: {e}"));
    }

    /// Sets a field of date and time, which every browser lets people type in another way.
    #[track_caller]
    pub fn fill_time(&self, field: &str, time: &str) {
        let element = self.find("field", field);
        self.driver.run("arguments[0].value = arguments[1]", &[element.as_argument(), json!(time)]).unwrap();
    }

    /// Ticks a box, or chooses one of several.
    #[track_caller]
    pub fn tick(&self, field: &str) {
        self.click("field", field);
    }

    /// Takes what is called so in a list to choose from.
    #[track_caller]
    pub fn choose(&self, field: &str, option: &str) {
        self.take(&self.find("field", field), field, option);
    }

    /// The same, in the group that says this.
    #[track_caller]
    pub fn choose_within(&self, group: &str, field: &str, option: &str) {
        self.take(&self.find_within(group, "field", field), field, option);
    }

    #[track_caller]
    fn take(&self, element: &Element, field: &str, wanted: &str) {
        let script = "return [...arguments[0].options].find((it) => it.text.trim().startsWith(arguments[1]))";
        let option = self.driver.find(script, &[element.as_argument(), json!(wanted)]);
        let option = option.unwrap_or_else(|| panic!("`{field}` can be `{wanted}`"));
        self.driver.choose(&option).unwrap();
    }

    /// Hands a file to a field.
    #[track_caller]
    pub fn attach(&self, field: &str, file: &Path) {
        let element = self.find("field", field);
        self.driver.type_into(&element, file.to_str().unwrap()).unwrap();
    }

    /// What a script finds out about an element, which is its first argument.
    pub fn about(&self, script: &str, element: &Element) -> Value {
        self.driver.run(script, &[element.as_argument()]).unwrap_or(Value::Null)
    }

    /// Why a button does not work, as it is told to whoever reaches it.
    #[track_caller]
    pub fn reason_of(&self, button: &str) -> String {
        self.until(&format!("the button `{button}` is locked and says why"), || {
            let locked = self.found("button", button)?;
            let script = "const it = arguments[0]; it.focus(); \
                 return it.getAttribute('aria-disabled') === 'true' && document.activeElement === it \
                 && it.parentElement.querySelector('.why')?.innerText || null";
            self.about(script, &locked).as_str().map(str::to_owned)
        })
    }

    /// What has the focus, as it is called.
    pub fn focused(&self) -> String {
        let script = "const it = document.activeElement; \
             return (it.getAttribute('aria-label') || it.innerText || it.name || it.tagName).trim()";
        let name = self.driver.run(script, &[]).ok();
        name.and_then(|name| name.as_str().map(squeezed)).unwrap_or_default()
    }

    /// Something that this selects has the focus.
    pub fn is_focused(&self, selector: &str) -> bool {
        let script = "return document.activeElement.matches(arguments[0])";
        self.driver.run(script, &[json!(selector)]) == Ok(json!(true))
    }

    /// What this selects is there for the eyes.
    pub fn is_shown(&self, selector: &str) -> bool {
        let script = "return document.querySelector(arguments[0])?.checkVisibility({ visibilityProperty: true, \
             opacityProperty: true }) === true";
        self.driver.run(script, &[json!(selector)]) == Ok(json!(true))
    }

    /// Signs somebody in.
    #[track_caller]
    pub fn sign_in(&self, name: &str, password: &str) {
        self.open("/sign-in");
        self.fill("Name", name);
        self.fill("Password", password);
        self.press_button("Sign in");
        self.sees(name);
        self.find("heading", "Overview");
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
