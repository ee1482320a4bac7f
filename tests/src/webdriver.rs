//! The few words of the WebDriver protocol (W3C) that our tests speak. A library for it would switch features of others on in the whole test build, and what is tested must be what is shipped.

use std::time::Duration;

use serde_json::{Value, json};

/// How an element is named in an answer (WebDriver 2, section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One window of one browser.
pub struct Page {
    http: reqwest::Client,
    session: String,
}

/// What is on a page. It may be gone when the page was drawn anew: then every word is an error.
pub struct Element<'a> {
    page: &'a Page,
    id: String,
}

impl Page {
    /// Asks the driver at `base` for a browser with these flags.
    pub async fn start(base: &str, flags: &[String], answer_max: Duration) -> Result<Self, String> {
        let http = reqwest::Client::builder().no_proxy().timeout(answer_max).build();
        let http = http.map_err(|it| it.to_string())?;
        let mut page = Self { http, session: format!("{base}/session") };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": flags},
        }}});
        let told = page.post("", &wanted).await?;
        let id = told["sessionId"].as_str().ok_or("no session")?;
        page.session = format!("{}/{id}", page.session);
        Ok(page)
    }

    /// Goes there, and waits until it is loaded.
    pub async fn goto(&self, address: &str) -> Result<(), String> {
        self.post("/url", &json!({"url": address})).await.map(drop)
    }

    /// Where it is.
    pub async fn address(&self) -> Result<String, String> {
        let told = self.get("/url").await?;
        told.as_str().map(str::to_owned).ok_or_else(|| "no address".to_owned())
    }

    /// The page as the browser has it now.
    pub async fn source(&self) -> Result<String, String> {
        let told = self.get("/source").await?;
        told.as_str().map(str::to_owned).ok_or_else(|| "no source".to_owned())
    }

    /// The first element that fits.
    pub async fn find(&self, css: &str) -> Result<Element<'_>, String> {
        let told = self.post("/element", &json!({"using": "css selector", "value": css})).await?;
        let id = told[ELEMENT].as_str().ok_or("no element")?.to_owned();
        Ok(Element { page: self, id })
    }

    /// What a script returns.
    pub async fn execute(&self, script: &str) -> Result<Value, String> {
        self.post("/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// What a script hands to the function that is its last argument.
    pub async fn execute_async(&self, script: &str) -> Result<Value, String> {
        self.post("/execute/async", &json!({"script": script, "args": []})).await
    }

    /// Forgets who it was.
    pub async fn delete_all_cookies(&self) -> Result<(), String> {
        let request = self.http.delete(format!("{}/cookie", self.session));
        value(request).await.map(drop)
    }

    /// A word of Chromium's own protocol.
    pub async fn devtools(&self, command: &str, given: &Value) -> Result<Value, String> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": given})).await
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        value(self.http.get(format!("{}{path}", self.session))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        value(self.http.post(format!("{}{path}", self.session)).json(body)).await
    }
}

impl Element<'_> {
    /// Clicks on it.
    pub async fn click(&self) -> Result<(), String> {
        self.page.post(&format!("/element/{}/click", self.id), &json!({})).await.map(drop)
    }

    /// Types into it.
    pub async fn type_text(&self, text: &str) -> Result<(), String> {
        let path = format!("/element/{}/value", self.id);
        self.page.post(&path, &json!({"text": text})).await.map(drop)
    }

    /// How it looks, as a PNG in base64.
    pub async fn picture(&self) -> Result<String, String> {
        let told = self.page.get(&format!("/element/{}/screenshot", self.id)).await?;
        told.as_str().map(str::to_owned).ok_or_else(|| "no picture".to_owned())
    }

    /// What can be read on it.
    pub async fn text(&self) -> Result<String, String> {
        let told = self.page.get(&format!("/element/{}/text", self.id)).await?;
        told.as_str().map(str::to_owned).ok_or_else(|| "no text".to_owned())
    }
}

async fn value(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let answer = request.send().await.map_err(|it| it.to_string())?;
    let fine = answer.status().is_success();
    let told: Value = answer.json().await.map_err(|it| it.to_string())?;
    if fine {
        Ok(told["value"].clone())
    } else {
        Err(format!("{}: {}", told["value"]["error"], told["value"]["message"]))
    }
}
