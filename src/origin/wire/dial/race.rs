use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    slice,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{Avoided, DialError};

/// Connects to the addresses in turn and takes the connection that stands first (RFC 8305 §5): each has a head start on
/// the next, which begins at once if it fails. What has not answered by then is closed, and avoided for a while.
///
/// An attempt lasts until the deadline, and every address has its turn before: one that swallows packets costs its head
/// start.
pub(super) async fn race(
    addresses: &[SocketAddr],
    deadline: Instant,
    limit: Duration,
    avoided: &Avoided,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let head_start = head_start(left, addresses.len());
    let mut race = Race { waiting: addresses.iter(), underway: Vec::new(), refusal: DialError::NoAddress };
    loop {
        race.begin_next();
        let Some(last) = race.underway.last() else { return Err(race.refusal) };
        let last = last.address;
        let turn = match race.waiting.len() {
            0 => deadline,
            _ => deadline.min(Instant::now() + head_start),
        };
        match timeout_at(turn, poll_fn(|cx| race.poll_any(cx))).await {
            Ok(Ended { address, begun, outcome: Ok(tcp) }) => {
                let beaten = |attempt: &&Attempt| {
                    attempt.begun + head_start <= Instant::now() && attempt.begun < begun
                };
                race.underway.iter().filter(beaten).for_each(|attempt| avoided.add(attempt.address));
                return Ok((tcp, address));
            }
            Ok(Ended { address, outcome: Err(why), .. }) => {
                avoided.add(address);
                race.refusal = DialError::Refused(address, why);
            }
            Err(_) if turn >= deadline => {
                race.underway.iter().for_each(|attempt| avoided.add(attempt.address));
                return Err(DialError::Unanswered(last, addresses.len(), limit));
            }
            Err(_) => {}
        }
    }
}

/// 250 ms (RFC 8305 §8), or less if not every address had its turn within the time that is left.
fn head_start(left: Duration, addresses: usize) -> Duration {
    let turns = u32::try_from(addresses).unwrap_or(u32::MAX).saturating_add(1);
    (left / turns).clamp(LEAST_HEAD_START, HEAD_START)
}

const HEAD_START: Duration = Duration::from_millis(250);

/// RFC 8305 §5 allows no less.
const LEAST_HEAD_START: Duration = Duration::from_millis(10);

struct Race<'a> {
    waiting: slice::Iter<'a, SocketAddr>,
    /// In the order in which they began.
    underway: Vec<Attempt>,
    /// The last one.
    refusal: DialError,
}

struct Attempt {
    address: SocketAddr,
    begun: Instant,
    connecting: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

struct Ended {
    address: SocketAddr,
    begun: Instant,
    outcome: io::Result<TcpStream>,
}

// === impl Race ===

impl Race<'_> {
    fn begin_next(&mut self) {
        self.underway.extend(self.waiting.next().map(|address| Attempt {
            address: *address,
            begun: Instant::now(),
            connecting: Box::pin(TcpStream::connect(*address)),
        }));
    }

    fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let ended = self.underway.iter_mut().enumerate().find_map(|(place, attempt)| {
            match attempt.connecting.as_mut().poll(cx) {
                Poll::Ready(outcome) => Some((place, outcome)),
                Poll::Pending => None,
            }
        });
        let Some((place, outcome)) = ended else { return Poll::Pending };
        let Attempt { address, begun, .. } = self.underway.remove(place);
        Poll::Ready(Ended { address, begun, outcome })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_turn_within_the_limit() {
        for (limit, addresses, expected) in
            [(3000, 1, 250), (3000, 8, 250), (1000, 8, 111), (300, 2, 100), (20, 8, 10), (0, 0, 10)]
        {
            let head_start = head_start(Duration::from_millis(limit), addresses);
            assert_eq!(head_start.as_millis(), expected, "{addresses} in {limit} ms");
        }
    }
}
