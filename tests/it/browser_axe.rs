//! Every page in every dress, as axe-core sees it: nothing that shuts somebody out who reads, hears or works differently.

use std::collections::BTreeSet;

use hub::web::console::{May, PAGES, Page};
use tests::browser::Browser;

use crate::console::PASSWORD;
use crate::furnished::{Cases, Furnished};
use crate::injection::{CHOSEN, filled};

/// Both languages, both lights.
const DRESSES: [&str; 4] =
    ["lang=zh&theme=light", "lang=zh&theme=dark", "lang=en&theme=light", "lang=en&theme=dark"];
/// Where the furnished words are.
const PROVINCE: u8 = 22;

/// The pages that are looked at as `role`: of those that several may see, each is looked at once.
fn pages_first_seen_by(role: May, cases: &Cases) -> BTreeSet<String> {
    let screens = PAGES.iter().filter(|it| {
        let shown = !it.path.contains('.') && !it.path.starts_with("/sign-in/");
        it.method == "get" && shown && it.path != "/live" && it.may.has(role)
    });
    let earlier = |it: &&Page| role == May::OPERATOR || !it.may.has(May::OPERATOR);
    let mut paths: BTreeSet<String> =
        screens.filter(earlier).flat_map(|it| filled(it.path, cases, 1, PROVINCE)).collect();
    if role == May::OPERATOR {
        let chosen = CHOSEN.iter().filter(|it| !it.starts_with("/audit"));
        paths.extend(chosen.flat_map(|it| filled(it, cases, 1, PROVINCE)));
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_a_serious_fault_in_any_language_and_light() {
    let Some(browser) = Browser::start("accessibility").await else { return };
    let mut furnished = Furnished::open().await;
    let cases = furnished.say("已电话核实", PROVINCE).await;
    furnished.seen().await;
    let base = format!("http://{}", furnished.console.hub.address);
    let mut found = Vec::new();
    for (who, role) in
        [("operator", May::OPERATOR), ("admin", May::ADMIN), ("auditor", May::AUDITOR)]
    {
        browser.page.delete_all_cookies().await.expect("a new visitor");
        browser.sign_in(&base, who, PASSWORD).await;
        for page in pages_first_seen_by(role, &cases) {
            let joint = if page.contains('?') { '&' } else { '?' };
            for dress in DRESSES {
                let address = format!("{page}{joint}{dress}");
                browser.open(&format!("{base}{address}")).await;
                let Some(faults) = browser.faults("accessibility").await else { return };
                found.extend(faults.into_iter().map(|it| format!("{address}: {it}")));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The judge is awake: a button without a name is called one, and so is grey on grey.
    let faulty = "document.querySelector('main').innerHTML = '<button></button>'; return null";
    browser.value(faulty).await;
    let planted = browser.faults("accessibility").await.unwrap_or_default();
    assert!(planted.iter().any(|it| it.contains("button-name")), "{planted:?}");
    let pale = "const it = document.createElement('p'); it.textContent = 'pale';
        it.style.cssText = 'color:#777;background:#888'; document.querySelector('main').append(it);
        return null";
    browser.value(pale).await;
    let planted = browser.faults("accessibility").await.unwrap_or_default();
    assert!(planted.iter().any(|it| it.contains("color-contrast")), "{planted:?}");
}
