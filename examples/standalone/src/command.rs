//! The command line, read.

use std::ffi::OsString;

use clap::{
    Arg, Command, CommandFactory, Error, FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{args::Args, server_table::ServerTable};

/// Reads a command line, or tells what is wrong with it, or the help. Of a file, it reads the table `[server]`, too.
pub(crate) fn parse(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Args, Error> {
    let mut command = command();
    let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
    let given = command.try_get_matches_from_mut(&line).map_err(|why| misplaced(&mut command, why))?;
    let args = Args::from_arg_matches(&given).map_err(|why| why.format(&mut command))?;
    let (None, Some(path)) = (&args.command, &args.source.config) else { return Ok(args) };
    let table = ServerTable::read(&command, path, &given);
    let table = table.map_err(in_file)?;
    let all = command.try_get_matches_from_mut(table.behind(&line));
    let all = all.map_err(|why| table.told(path, why))?;
    Args::from_arg_matches(&all).map_err(|why| why.format(&mut command))
}

/// A mistake in a file: how the program is called has nothing to do with it.
pub(crate) fn in_file(why: String) -> Error {
    Error::raw(ErrorKind::ValueValidation, why + "\n")
}

/// The subcommands take the flags of serving, too, and leave aside what they do not need: the command line of a proxy
/// becomes that of its check by one word.
pub(crate) fn command() -> Command {
    let serving = Args::command();
    let all: Vec<_> = serving.get_arguments().cloned().collect();
    // The role of a policy is given by flags of its own.
    let all_but_credentials = all.iter().filter(|flag| flag.get_help_heading() != Some("Whose credentials"));
    let all_but_credentials: Vec<_> = all_but_credentials.cloned().collect();
    serving
        .mut_subcommand("check", |check| with_flags(check, all.clone()))
        .mut_subcommand("presign", |presign| with_flags(presign, all.clone()))
        .mut_subcommand("link", |link| with_flags(link, all))
        .mut_subcommand("policies", |policies| with_flags(policies, all_but_credentials))
}

fn with_flags(subcommand: Command, flags: Vec<Arg>) -> Command {
    let is_own = |flag: &Arg| subcommand.get_arguments().any(|own| own.get_id() == flag.get_id());
    let others: Vec<_> = flags.into_iter().filter(|flag| !is_own(flag)).map(|flag| flag.hide(true)).collect();
    // What the cache is made of counts only where `-o` says more of it.
    let subcommand = subcommand.mut_args(|own| match own.get_help_heading() {
        Some("The cache") => own.hide(true),
        // It has nothing that could be tried.
        Some("TLS") if own.get_id() == "redirect_http" => own.hide(true),
        _ => own,
    });
    subcommand.args(others)
}

/// Says of flags before a subcommand where they belong.
fn misplaced(command: &mut Command, why: Error) -> Error {
    let Some(ContextValue::String(subcommand)) = why.get(ContextKind::InvalidSubcommand) else { return why };
    let flags = match why.get(ContextKind::PriorArg) {
        Some(ContextValue::Strings(flags)) => flags.join(" "),
        Some(ContextValue::String(flag)) => flag.clone(),
        _ => return why,
    };
    let message = format!("flags stand behind the command: tower-s3-proxy {subcommand} {flags}");
    command.error(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subcommands_take_the_flags_of_serving() {
        command().debug_assert();
        let of_all = [
            "--bucket=media",
            "--region=us-west-2",
            "--listen=localhost:8091",
            "--threads=2",
            "--ping-path=/p",
            "--ready-path=",
            "--drain-timeout=5",
            "--cache-size=64MiB",
            "--cache-ttl=5m",
            "--cache-admin-path=/_cache",
            "--warm=a/",
            "-ocache.negative_ttl_ms=100",
        ];
        let role = ["--role-arn=arn:aws:iam::111122223333:role/media-reader", "--external-id=studio:2031"];
        let parsed = |begin: &[&str], end: &[&str]| {
            parse(["tower-s3-proxy"].iter().chain(begin).chain(&of_all).chain(end))
        };
        for (begin, end) in [
            (&[][..], &role[..]),
            (&["check"], &role),
            (&["check", "--json"], &[]),
            (&["policies"], &[]),
            (&["presign", "a"], &role),
            (&["link", "a/"], &role),
        ] {
            let parsed = parsed(begin, end).map(|args| args.command.is_some());
            assert_eq!(parsed.map_err(|why| why.to_string()), Ok(!begin.is_empty()), "{begin:?} {end:?}");
        }
    }

    #[test]
    fn the_help_of_a_check_is_about_checking() {
        let help = parse(["tower-s3-proxy", "check", "--help"]).unwrap_err().to_string();
        assert!(help.contains("--canary") && help.contains("--bucket"), "{help}");
        assert!(!help.contains("--listen") && !help.contains("--cache-size"), "{help}");
    }

    #[test]
    fn flags_before_a_command_are_told_where_they_belong() {
        for (line, hint) in [
            (&["--ping-path", "/p", "check"][..], "tower-s3-proxy check --ping-path <PATH>"),
            (&["--bucket", "media", "--path-style", "policies"], "tower-s3-proxy policies --bucket <BUCKET>"),
        ] {
            let refusal = parse(["tower-s3-proxy"].iter().chain(line)).unwrap_err();
            assert!(refusal.to_string().contains("flags stand behind the command"), "{refusal}");
            assert!(refusal.to_string().contains(hint), "{line:?}: {refusal}");
        }
        let other = parse(["tower-s3-proxy", "--no-such-flag"]).unwrap_err().to_string();
        assert!(other.contains("unexpected argument"), "{other}");
    }
}
