//! The broker's configuration for a sandbox: the province's account is exactly that of production, so
//! that a missing permission shows here and not on the first day. `tests/it/conformance.rs` compares
//! it with what the hub renders.

use std::fmt::Write as _;
use std::path::Path;

use events::ids::ProvinceCode;
use events::subjects;

/// Largest message of a province with its headers, in bytes; the hub renders the same.
const PROVINCE_MESSAGE_BYTES_MAX: usize = subjects::PAYLOAD_BYTES_MAX + 8 * 1024;
/// Largest message on the server, in bytes: large enough to hand out an oversize one.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// All that JetStream may write, in bytes.
const STORE_BYTES_MAX: u64 = 512 << 20;

/// Who may connect.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    pub(crate) province: ProvinceCode,
    /// The kit's own public nkey.
    pub(crate) hub: String,
    /// The province's.
    pub(crate) adapter: String,
}

/// The whole file. A port of -1 lets the server choose.
pub(crate) fn render(users: &Users, folder: &Path, port: i32) -> String {
    let mut out = String::from("# A sandbox, rendered by the conformance kit.\n");
    let folder = folder.display();
    let mut line = |text: std::fmt::Arguments<'_>| {
        writeln!(out, "{text}").expect("writing into a String cannot fail");
    };
    line(format_args!("host: \"127.0.0.1\"\nport: {port}\nports_file_dir: \"{folder}/ports\""));
    line(format_args!("max_payload: {MESSAGE_BYTES_MAX}\nmax_control_line: 4096"));
    line(format_args!(
        "jetstream: {{\n  store_dir: \"{folder}/store\"\n  max_file: {STORE_BYTES_MAX}\n}}"
    ));
    line(format_args!("accounts: {{"));
    hub(&mut out, users);
    out.push_str(&province(users));
    out.push_str("}\n");
    out
}

/// The kit may do all that a hub may, and also hears what passes by: acknowledgements and attempts.
fn hub(out: &mut String, users: &Users) {
    let (province, account) = (users.province, subjects::account(users.province));
    let (work, consumer) = (subjects::WORK_STREAM, subjects::consumer(province));
    let report = subjects::report_of(province);
    let exports = [
        (report.clone(), ""),
        (format!("$JS.API.CONSUMER.INFO.{work}.{consumer}"), ""),
        (format!("$JS.API.CONSUMER.MSG.NEXT.{work}.{consumer}"), ", response_type: stream"),
        (format!("$JS.ACK.{work}.{consumer}.>"), ""),
    ];
    let mut lines = vec![
        format!("  {}: {{", subjects::HUB_ACCOUNT),
        format!("    jetstream: {{max_file: {STORE_BYTES_MAX}}}"),
        format!("    users: [{{nkey: \"{}\", permissions: {{", users.hub),
        "      publish: {allow: [\"hub.v1.work.>\", \"$JS.API.>\", \"$JS.ACK.>\"]}".to_owned(),
        format!(
            "      subscribe: {{allow: [\"{}.>\", \"{report}\", \"$JS.ACK.{work}.{consumer}.>\"]}}",
            subjects::HUB_INBOX
        ),
        "    }}]\n    exports: [".to_owned(),
    ];
    lines.extend(exports.map(|(subject, stream)| {
        format!("      {{service: \"{subject}\"{stream}, accounts: [\"{account}\"]}}")
    }));
    lines.push("    ]\n  }".to_owned());
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
}

/// The province's account, character for character as the hub renders it.
pub(crate) fn province(users: &Users) -> String {
    let (province, hub) = (users.province, subjects::HUB_ACCOUNT);
    let (work, consumer) = (subjects::WORK_STREAM, subjects::consumer(province));
    let prefix = subjects::PROVINCE_API_PREFIX;
    let report = subjects::report_of(province);
    let inbox = subjects::inbox(province);
    let ack = format!("$JS.ACK.{work}.{consumer}.>");
    let api = ["CONSUMER.INFO", "CONSUMER.MSG.NEXT"].map(|verb| {
        let rest = format!("{verb}.{work}.{consumer}");
        (format!("$JS.API.{rest}"), format!("{prefix}.{rest}"))
    });
    let import = |subject: &str, to: &str| {
        format!("      {{service: {{account: {hub}, subject: \"{subject}\"}}{to}}}\n")
    };
    let mut out = format!(
        "  {}: {{\n    limits: {{max_conn: 8, max_subs: 64, \
         max_payload: {PROVINCE_MESSAGE_BYTES_MAX}}}\n    users: [\n",
        subjects::account(province)
    );
    out.push_str(&format!("      {{nkey: \"{}\", permissions: {{\n", users.adapter));
    out.push_str(&format!(
        "        publish: {{allow: [\"{report}\", \"{}\", \"{}\", \"{ack}\"]}}\n",
        api[0].1, api[1].1
    ));
    out.push_str(&format!("        subscribe: {{allow: [\"{inbox}.>\"]}}\n      }}}}\n    ]\n"));
    out.push_str("    imports: [\n");
    out.push_str(&import(&report, ""));
    for (subject, to) in &api {
        out.push_str(&import(subject, &format!(", to: \"{to}\"")));
    }
    out.push_str(&import(&ack, ""));
    out.push_str("    ]\n  }\n");
    out
}
