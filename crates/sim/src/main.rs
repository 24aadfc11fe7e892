//! The simulator on its own: `cargo run -p palette-sim -- --port 8787`.

// What it prints is what it is run for.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use palette_sim::{Seed, SimOptions, start};

const USAGE: &str = "\
usage: palette-sim [--port N] [--seed demo|empty] [--keys N] [--users M] [--no-rate-limit]
                   [--token-minutes N] [--no-users-me] [--bad-key-not-found]
                   [--admin-key VALUE] [--user-key VALUE]

A Palette on 127.0.0.1 (default port 8787, 0 takes a free one). --keys and --users make a tenant of
that size. It prints the keys to sign in with and runs until Ctrl-C.";

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("palette-sim: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("palette-sim: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(options))
}

async fn run(options: SimOptions) -> ExitCode {
    let port = options.port;
    let sim = match start(options).await {
        Ok(sim) => sim,
        Err(error) => {
            eprintln!("palette-sim: cannot listen on 127.0.0.1:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (admin, user) = (sim.admin(), sim.user());
    println!("admin key: {}", admin.api_key);
    println!("user key: {}", user.api_key);
    println!("admin login: {} / {}", admin.email, admin.password);
    println!("user login: {} / {}", user.email, user.password);
    println!("tenant uid: {}", sim.tenant_uid());
    println!("listening on {}", sim.origin());
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("palette-sim: cannot wait for Ctrl-C: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The options of a command line; `None` when help was asked for.
fn options(args: impl Iterator<Item = String>) -> Result<Option<SimOptions>, String> {
    let mut options = SimOptions { port: 8787, ..SimOptions::default() };
    let (mut keys, mut users) = (None, None);
    let mut args = args;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--port" => options.port = number(&arg, &value()?)?,
            "--token-minutes" => options.token_minutes = number(&arg, &value()?)?,
            "--keys" => keys = Some(number(&arg, &value()?)?),
            "--users" => users = Some(number(&arg, &value()?)?),
            "--no-rate-limit" => options.rate_limit = false,
            "--no-users-me" => options.users_me = false,
            "--bad-key-not-found" => options.bad_key_not_found = true,
            "--admin-key" => options.admin_key = Some(value()?),
            "--user-key" => options.user_key = Some(value()?),
            "--seed" => match value()?.as_str() {
                "demo" => options.seed = Seed::Demo,
                "empty" => options.seed = Seed::Empty,
                other => return Err(format!("unknown seed {other:?}")),
            },
            other => return Err(format!("unknown option {other:?}")),
        }
    }
    if keys.is_some() || users.is_some() {
        let users = users.unwrap_or(12);
        options.seed = Seed::Size { keys: keys.unwrap_or(40), users };
    }
    Ok(Some(options))
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{name} needs a number, not {text:?}"))
}
