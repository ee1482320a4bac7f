//! Would the exchange tables work? Asked before the first start and whenever somebody wonders.

use super::super::sheet::{ANSWER, WORK};
use super::TableError;
use super::link::Session;
use super::settings::TableSettings;
use crate::check::{Line, chain, line};

const REACHED: &str = "前置库 the front database";
const TABLES: &str = "交换表 the exchange tables";
const RIGHTS: &str = "数据库权限 the database role's rights";
const SAFE: &str = "数据库设置 the database's settings";
const WAITING: &str = "待取 rows that wait";

/// Asks everything; changes nothing.
pub(crate) async fn check(settings: &TableSettings) -> Vec<Line> {
    let session = match Session::open_any(settings).await {
        Ok(session) => session,
        Err(error) => {
            return vec![line(REACHED, Err(format!("{}\n  ({})", chain(&error), advice(&error))))];
        }
    };
    let look = Look { session: &session, schema: &settings.schema };
    vec![
        line(REACHED, look.server().await),
        line(TABLES, look.tables().await),
        line(RIGHTS, look.rights().await),
        line(SAFE, look.safety().await),
        line(WAITING, look.waiting().await),
    ]
}

/// In plain words what to do, by the state that every database of the family gives.
fn advice(error: &TableError) -> &'static str {
    let TableError::Connect { source, .. } = error else {
        return "看 `table.password_file` / see `table.password_file`";
    };
    match source.code().map(|it| it.code()) {
        Some("28P01" | "28000") => {
            "口令不对，或 pg_hba.conf 没有放行此角色 / wrong password, or pg_hba.conf does not let this role in"
        }
        Some("3D000") => {
            "没有这个数据库，看 `table.database` / no such database, see `table.database`"
        }
        Some("57P03") => {
            "数据库正在启动或停止，稍后再试 / the server is starting or stopping, try again"
        }
        Some("53300") => "数据库连接数已满 / the server has no connection left",
        _ => {
            "地址、端口或网络不通，看 `table.host` 和 `table.port` / address, port or network, see `table.host` and `table.port`"
        }
    }
}

struct Look<'a> {
    session: &'a Session,
    schema: &'a str,
}

impl Look<'_> {
    async fn text(&self, sql: &str) -> Result<String, String> {
        let asked = self.session.client.query_typed_one(sql, &[]);
        let answered = self.session.in_time(asked).await.map_err(|it| chain(&it))?;
        let row = answered.map_err(|it| chain(&it))?;
        row.try_get::<_, Option<String>>(0).map(Option::unwrap_or_default).map_err(|it| chain(&it))
    }

    async fn server(&self) -> Result<String, String> {
        let version = self.text("SELECT CAST(version() AS text)").await?;
        Ok(version.split(',').next().unwrap_or_default().to_owned())
    }

    async fn tables(&self) -> Result<String, String> {
        let schema = self.schema;
        let found = self
            .text(&format!("SELECT CAST(version AS text) FROM {schema}.exchange_version"))
            .await
            .map_err(|it| {
                format!("{it}\n  (先执行 deploy/exchange-tables/postgresql.sql / apply deploy/exchange-tables/postgresql.sql first)")
            })?;
        if found != super::link::TABLES_VERSION.to_string() {
            return Err(format!(
                "版本是 {found}，本适配器需要 {} / version {found}, this adapter needs {}",
                super::link::TABLES_VERSION,
                super::link::TABLES_VERSION
            ));
        }
        for (table, columns) in [("work_out", &WORK[..]), ("answer_in", &ANSWER[..])] {
            let names: Vec<&str> = columns.iter().map(|it| it.name).collect();
            let select = format!(
                "SELECT CAST(count({}) AS text) FROM {schema}.{table} WHERE 1 = 0",
                names.join(") + count(")
            );
            self.text(&select).await.map_err(|it| format!("`{table}`: {it}"))?;
        }
        Ok(format!("`{schema}`, version {found}"))
    }

    async fn rights(&self) -> Result<String, String> {
        let schema = self.schema;
        let wanted = [
            ("INSERT", format!("has_table_privilege('{schema}.work_out', 'INSERT')")),
            ("SELECT", format!("has_table_privilege('{schema}.answer_in', 'SELECT')")),
            (
                "UPDATE",
                format!("has_column_privilege('{schema}.answer_in', 'receipt_status', 'UPDATE')"),
            ),
        ];
        for (right, ask) in wanted {
            if self.text(&format!("SELECT CAST({ask} AS text)")).await? != "true" {
                return Err(format!(
                    "没有 {right} 权限 / no right to {right} (deploy/exchange-tables/postgresql.sql)"
                ));
            }
        }
        // Not needed, and therefore not to be had: a stolen password then changes no answer.
        let too_much = [
            ("DELETE", format!("has_table_privilege('{schema}.work_out', 'DELETE')")),
            ("DELETE", format!("has_table_privilege('{schema}.answer_in', 'DELETE')")),
            ("INSERT", format!("has_table_privilege('{schema}.answer_in', 'INSERT')")),
        ];
        for (right, ask) in too_much {
            if self.text(&format!("SELECT CAST({ask} AS text)")).await? == "true" {
                return Err(format!(
                    "多余的 {right} 权限，请收回 / may {right} more than it needs, take that right away"
                ));
            }
        }
        Ok("刚好 / just enough".to_owned())
    }

    async fn safety(&self) -> Result<String, String> {
        let encoding = self.text("SHOW server_encoding").await?;
        if encoding != "UTF8" {
            return Err(format!(
                "编码是 {encoding}，生僻字会被拒绝，应为 UTF8 / encoding {encoding}: rare characters of names are refused, use UTF8"
            ));
        }
        for setting in ["fsync", "full_page_writes"] {
            if self.text(&format!("SHOW {setting}")).await? == "off" {
                return Err(format!(
                    "{setting} 已关闭，断电会丢失办件 / {setting} is off: a power cut loses cases"
                ));
            }
        }
        Ok("UTF8, fsync".to_owned())
    }

    async fn waiting(&self) -> Result<String, String> {
        let schema = self.schema;
        let unread = format!(
            "SELECT CAST(count(*) AS text) FROM {schema}.answer_in WHERE receipt_status IS NULL"
        );
        let refused = format!(
            "SELECT CAST(count(*) AS text) FROM {schema}.answer_in WHERE receipt_status IN ('refused', 'changed', 'hub-refused')"
        );
        let (unread, refused) = (self.text(&unread).await?, self.text(&refused).await?);
        Ok(format!(
            "答复待取 {unread}，未采用 {refused} / {unread} answers unread, {refused} refused"
        ))
    }
}
