use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{ConfigError, ConfigErrorKind};

/// So many bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ConfigError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled
        .map_err(|_| ConfigError::new(ConfigErrorKind::File, "the system has no random numbers to give"))?;
    Ok(bytes)
}
