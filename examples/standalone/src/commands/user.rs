//! `user`: a line for the file of users.

use std::{
    error::Error,
    io::{self, BufRead, IsTerminal, Write},
};

use tower_s3_proxy::access::Users;

use super::print;

#[derive(Debug, clap::Args)]
pub(crate) struct UserArgs {
    /// The name of the user
    name: String,

    /// Make up a secret, and print the bearer token with it on standard error
    #[arg(long)]
    token: bool,
}

pub(crate) async fn run(args: UserArgs) -> Result<(), Box<dyn Error>> {
    let UserArgs { name, token } = args;
    if token {
        let (line, token) = Users::token(&name)?;
        print(&format!("{line}\n"))?;
        writeln!(io::stderr(), "the token, which is shown once: {token}")?;
        return Ok(());
    }
    print(&format!("{}\n", Users::line(&name, &password()?)?))?;
    Ok(())
}

/// That of the prompt, or else the first line of standard input.
fn password() -> Result<String, Box<dyn Error>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        let mut line = String::new();
        stdin.lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    match rpassword::prompt_password("Again: ")? == password {
        true => Ok(password),
        false => Err("the two passwords differ: try again".into()),
    }
}
