//! The tables of `src/guide/options.md` and the reader know the same keys.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::*;
use crate::config::file::table::{
    BudgetTable, CacheControlRuleTable, CacheHeuristicTable, CacheTable, CacheTtlTable, CircuitBreakerTable,
    CloudFrontTable, CorsTable, CredentialsTable, EncryptionTable, FileTable, ForwardAuthTable, HedgeTable,
    HotlinksTable, LinkKeyTable, LinksTable, ListingTable, MountTable, OwnLinksTable, PresignedTable,
    RedirectTable, ReleasesTable, ReplicaTable, RetryTable, TransportTable, UsersTable, WebsiteTable,
    WritesTable,
};

const OPTIONS: &str = include_str!("../../../guide/options.md");

/// The keys that the reader knows, from its message about an unknown one.
fn known<T: DeserializeOwned>() -> BTreeSet<String> {
    let Err(why) = toml::from_str::<T>("no-such-key = 0") else { panic!("any key is taken") };
    let (_, list) = why.message().split_once("expected ").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of each table, by the first cell of its head.
fn tables() -> BTreeMap<&'static str, Vec<Vec<&'static str>>> {
    let mut tables: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut head = None;
    for line in OPTIONS.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            head = head.filter(|_| line.starts_with('|'));
            continue;
        };
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        match head {
            Some(head) => tables.entry(head).or_default().push(cells),
            None => head = Some(cells[0]),
        }
    }
    tables
}

fn in_ticks(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_tables_of_the_options_list_the_keys_of_the_reader_and_no_others() {
    let mut tables = tables();
    for (head, known) in [
        ("key of the file", known::<FileTable>()),
        ("key of `[[mount]]`", known::<MountTable>()),
        ("key of `[[mount.cache_control_rule]]`", known::<CacheControlRuleTable>()),
        ("key of `[[mount.cache_ttl_rule]]`", known::<CacheTtlTable>()),
        ("key of `[mount.cache_heuristic]`", known::<CacheHeuristicTable>()),
        ("key of `[mount.cors]`", known::<CorsTable>()),
        ("key of `[mount.links]`", known::<LinksTable>()),
        ("key of `[[mount.links.redirect]]`", known::<RedirectTable>()),
        ("key of `[mount.links.cloudfront]`", known::<CloudFrontTable>()),
        ("key of `[mount.encryption]`", known::<EncryptionTable>()),
        ("key of `[mount.retry]`", known::<RetryTable>()),
        ("key of `[mount.circuit_breaker]`", known::<CircuitBreakerTable>()),
        ("key of `[mount.hedge]`", known::<HedgeTable>()),
        ("key of `[mount.budget]`", known::<BudgetTable>()),
        ("key of `[mount.hotlinks]`", known::<HotlinksTable>()),
        ("key of `[mount.replica]`", known::<ReplicaTable>()),
        ("key of `[mount.presigned]`", known::<PresignedTable>()),
        ("key of `[mount.website]`", known::<WebsiteTable>()),
        ("key of `[mount.website.releases]`", known::<ReleasesTable>()),
        ("key of `[mount.listing]`", known::<ListingTable>()),
        ("key of `[mount.writes]`", known::<WritesTable>()),
        ("key of `[mount.forward_auth]`", known::<ForwardAuthTable>()),
        ("key of `[mount.users]`", known::<UsersTable>()),
        ("key of `[mount.own_links]`", known::<OwnLinksTable>()),
        ("key of `[[mount.own_links.key]]`", known::<LinkKeyTable>()),
        ("key of `[cache]`", known::<CacheTable>()),
        ("key of `[transport]`", known::<TransportTable>()),
        ("key of `[credentials.NAME]`", known::<CredentialsTable>()),
    ] {
        let rows = tables.remove(head).unwrap_or_else(|| panic!("no table has the {head}"));
        let listed: Vec<_> = rows.iter().flat_map(|row| in_ticks(row[0])).collect();
        let set: BTreeSet<_> = listed.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(known.difference(&set).collect::<Vec<_>>(), [""; 0], "{head}: not in options.md");
        assert_eq!(set.difference(&known).collect::<Vec<_>>(), [""; 0], "{head}: unknown to the reader");
        assert_eq!(set.len(), listed.len(), "{head}: one is listed twice");
    }
    assert_eq!(tables.keys().collect::<Vec<_>>(), [&"`type` of `[credentials.NAME]`"]);
}

#[test]
fn the_table_of_the_types_of_credentials_lists_the_keys_of_each_type() {
    let rows = &tables()["`type` of `[credentials.NAME]`"];
    let types: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let refusal = error(&format!("[credentials.x]\n{}", mount_with(""))).to_string();
    let all: BTreeSet<_> = refusal.split_once("give one of ").unwrap().1.split(", ").collect();
    assert_eq!(types, all);
    for row in rows {
        let listed: BTreeSet<_> = in_ticks(row[1]).collect();
        for key in known::<CredentialsTable>().iter().filter(|key| *key != "type") {
            let value = match key.as_str() {
                "duration_secs" => "900",
                "policy_arns" => "[\"x\"]",
                _ => "\"x\"",
            };
            let table = format!("[credentials.x]\ntype = {}\n{key} = {value}\n", row[0].trim_matches('`'));
            let read = ConfigFile::parse_with(&format!("{table}{}", mount_with("")), variable);
            let is_refused = read.is_err_and(|why| why.to_string().contains("is for credentials of type"));
            assert!(is_refused != listed.contains(key.as_str()), "{table}");
        }
    }
}

/// The tables have no links that the documentation build would check, since such links lead nowhere when the file is
/// read by itself.
#[test]
fn the_methods_of_a_mount_are_there() {
    let builder = [
        include_str!("../../builder.rs"),
        include_str!("../../builder/access.rs"),
        include_str!("../../builder/answers.rs"),
        include_str!("../../builder/cache.rs"),
        include_str!("../../builder/links.rs"),
        include_str!("../../builder/listing.rs"),
        include_str!("../../builder/origin.rs"),
        include_str!("../../builder/own_links.rs"),
        include_str!("../../builder/resilience.rs"),
        include_str!("../../builder/terms.rs"),
        include_str!("../../builder/website.rs"),
        include_str!("../../builder/writes.rs"),
        include_str!("../../mount.rs"),
    ];
    for row in &tables()["key of `[[mount]]`"] {
        let method = row[3].trim_matches('`').trim_start_matches("Mount::");
        let is_there = |source: &&str| {
            source.contains(&format!("pub fn {method}(")) || source.contains(&format!("pub fn {method}<"))
        };
        assert!(builder.iter().any(is_there), "{method}");
    }
}
