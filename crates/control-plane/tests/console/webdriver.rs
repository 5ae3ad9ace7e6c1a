//! The little of WebDriver (https://www.w3.org/TR/webdriver2/) that walks through the console need. A client of it would
//! bring two dozen crates; this brings none, and waits for nothing by itself.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use novacula_lab::guard::Guarded;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How the protocol marks an element among values.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The middle of the first line of an element, where nothing covers it.
const PLACE: &str = "const it = arguments[0];
    it.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const { left, top, width, height } = it.getClientRects()[0];
    const [x, y] = [Math.floor(left + width / 2), Math.floor(top + height / 2)];
    const hit = document.elementFromPoint(x, y);
    return it.contains(hit) || hit?.contains(it) && hit.matches('label, a, button') ? [x, y] : null";
/// A page that takes longer than this to load has failed.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// How a browser is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Pages may run no scripts.
    pub is_without_scripts: bool,
}

/// A running browser with one window. Ends with all it started when dropped, and when this process is killed.
pub struct WebDriver {
    http: ureq::Agent,
    session: String,
    // In this order: the driver ends before its folder goes.
    _driver: Guarded,
    _stdout: Lines<BufReader<ChildStdout>>,
    _profile: TempDir,
}

/// Something on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

impl Element {
    /// For a script.
    pub fn as_argument(&self) -> Value {
        json!({ELEMENT: self.0})
    }
}

impl WebDriver {
    pub fn start(manner: Manner) -> Self {
        let profile = tempfile::Builder::new().prefix("novacula-browser-").tempdir().unwrap();
        // In a namespace of its own everything that the driver starts ends with it, whatever group it is in.
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "chromedriver", "--port=0"]);
        command.env("HOME", profile.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = Guarded::spawn(&mut command, profile.path());
        let mut stdout = BufReader::new(driver.program().stdout.take().unwrap()).lines();
        let port = stdout.by_ref().map_while(Result::ok).find_map(|line| {
            line.strip_prefix("ChromeDriver was started successfully on port ")?
                .trim_end_matches('.')
                .parse()
                .ok()
        });
        let port: u16 = port.expect("chromedriver says where it listens (tests/prepare.sh installs it)");
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let http: ureq::Agent = config.timeout_global(Some(CALL_LIMIT)).build().into();
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-first-run".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--lang=en-GB".to_owned(),
            format!("--user-data-dir={}", profile.path().join("profile").display()),
        ];
        let mut options = json!({"args": arguments});
        if manner.is_without_scripts {
            options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let sessions = format!("http://127.0.0.1:{port}/session");
        let begun = answered(http.post(&sessions).send(wanted.to_string())).expect("chromium starts");
        let session = format!("{sessions}/{}", begun["sessionId"].as_str().unwrap());
        Self { http, session, _driver: driver, _stdout: stdout, _profile: profile }
    }

    pub fn open(&self, url: &str) {
        self.must("url", &json!({"url": url}));
    }

    pub fn refresh(&self) {
        self.must("refresh", &json!({}));
    }

    /// What a script in the page returns; the error where it cannot be run, as while another page loads.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        self.post("execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// The same for a script that calls its last argument when it is done.
    pub fn run_to_its_call(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        self.post("execute/async", &json!({"script": script, "args": arguments}))
    }

    /// The element that a script in the page returns.
    pub fn find(&self, script: &str, arguments: &[Value]) -> Option<Element> {
        let found = self.run(script, arguments).ok()?;
        found[ELEMENT].as_str().map(|id| Element(id.to_owned()))
    }

    /// Takes an entry of a list.
    pub fn choose(&self, Element(id): &Element) -> Result<(), String> {
        self.post(&format!("element/{id}/click"), &json!({})).map(drop)
    }

    /// As a person clicks: moves to it, and only where nothing covers it. What the protocol's own click takes for hidden
    /// is not what people see.
    pub fn click(&self, element: &Element) -> Result<(), String> {
        let place = self.run(PLACE, &[element.as_argument()])?;
        let [x, y] = [&place[0], &place[1]];
        if !x.is_number() {
            return Err("something covers it".to_owned());
        }
        let moves = json!([
            {"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]);
        let mouse = json!({"type": "pointer", "id": "mouse", "actions": moves});
        self.post("actions", &json!({"actions": [mouse]})).map(drop)
    }

    pub fn clear(&self, Element(id): &Element) -> Result<(), String> {
        self.post(&format!("element/{id}/clear"), &json!({})).map(drop)
    }

    pub fn type_into(&self, Element(id): &Element, text: &str) -> Result<(), String> {
        self.post(&format!("element/{id}/value"), &json!({"text": text})).map(drop)
    }

    /// Presses a key, wherever the focus is.
    pub fn press(&self, key: char) {
        let key = key.to_string();
        let presses = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.must("actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": presses}]}));
    }

    /// Looks at pages as on a screen of this size, however small.
    pub fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// The visitor prefers pages to be `light` or `dark`.
    pub fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.must("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// What is on the screen, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let answer = answered(self.http.get(format!("{}/screenshot", self.session)).call());
        BASE64_STANDARD.decode(answer.expect("a page can be drawn").as_str().unwrap()).unwrap()
    }

    /// What the browser's console has said since it was last asked.
    pub fn log(&self) -> Vec<String> {
        let log = self.must("se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(|line| format!("{}: {}", line["level"], line["message"])).collect()
    }

    fn post(&self, command: &str, body: &Value) -> Result<Value, String> {
        answered(self.http.post(format!("{}/{command}", self.session)).send(body.to_string()))
    }

    fn must(&self, command: &str, body: &Value) -> Value {
        self.post(command, body).unwrap_or_else(|e| panic!("{command} {body}: {e}"))
    }
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn answered(answer: Answer) -> Result<Value, String> {
    let mut answer = answer.map_err(|e| e.to_string())?;
    let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().map_err(|e| e.to_string())?;
    let mut json: Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
    match answer.status().is_success() {
        true => Ok(json["value"].take()),
        false => Err(format!("{}: {}", json["value"]["error"], json["value"]["message"])),
    }
}
