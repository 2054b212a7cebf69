//! `completions` and `man`: what shells and readers of manuals want to know of the command line.

use std::error::Error;

use clap::Command;
use clap_complete::Shell;

use super::print;

/// Print a script that completes the command line, for the shell to read at its start.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tower-s3-proxy completions bash > ~/.local/share/bash-completion/completions/tower-s3-proxy
  tower-s3-proxy completions fish > ~/.config/fish/completions/tower-s3-proxy.fish
  tower-s3-proxy completions zsh > \"${fpath[1]}/_tower-s3-proxy\"")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Print the manual page of the program, or of one of its commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tower-s3-proxy man > /usr/local/share/man/man1/tower-s3-proxy.1
  tower-s3-proxy man check | man -l -")]
pub(crate) struct ManArgs {
    /// The command
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(crate) fn complete(args: &CompletionsArgs, mut command: Command) -> Result<(), Box<dyn Error>> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(print(&String::from_utf8(script)?)?)
}

pub(crate) fn page(args: &ManArgs, command: &Command) -> Result<(), Box<dyn Error>> {
    let page = match &args.command {
        None => command.clone(),
        Some(name) => {
            let names = || {
                let all = command.get_subcommands().map(Command::get_name);
                all.collect::<Vec<_>>().join(", ")
            };
            let found = command.find_subcommand(name);
            let found =
                found.ok_or_else(|| format!("there is no command {name:?}: give one of {}", names()))?;
            found
                .clone()
                .bin_name(format!("{} {name}", command.get_name()))
                .name(format!("{}-{name}", command.get_name()))
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(print(&String::from_utf8(text)?)?)
}
