#[path = "../../src/origin/wire/pace.rs"]
#[expect(dead_code, reason = "no connection is read here")]
mod pace;

pub(crate) use self::pace::Pace;
