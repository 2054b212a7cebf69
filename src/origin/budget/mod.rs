//! What a mount may ask of S3 in a day.

mod account;
mod policy;
mod sdk_calls;
mod spending;
mod state_file;

pub(crate) use self::spending::{Level, Spending, UsedUp};
pub use self::{
    policy::{Budget, UsedUpAnswer},
    spending::BudgetSnapshot,
};
pub(super) use self::{sdk_calls::CountCalls, spending::ByteCount};
