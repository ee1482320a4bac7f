//! Seats for connections: so many in all, so many an address. Leaving gives the seat back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::ListenConfig;

/// All seats.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inside>);

struct Inside {
    taken: Mutex<HashMap<IpAddr, usize>>,
    all_max: usize,
    address_max: usize,
    loopback_max: usize,
}

impl Connections {
    pub(super) fn new(config: &ListenConfig) -> Self {
        Self(Arc::new(Inside {
            taken: Mutex::default(),
            all_max: config.connections_max,
            address_max: config.connections_per_address_max,
            loopback_max: config.connections_loopback_max,
        }))
    }

    /// A seat, unless there is none left for this address or at all.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        let address = address.to_canonical();
        let inside = &self.0;
        let mine_max = if address.is_loopback() { inside.loopback_max } else { inside.address_max };
        let mut taken = inside.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let mine = taken.get(&address).copied().unwrap_or(0);
        if all >= inside.all_max || mine >= mine_max {
            return None;
        }
        taken.insert(address, mine + 1);
        metrics::gauge!("hub_connections").set((all + 1) as f64);
        Some(Seat { of: self.clone(), address })
    }
}

/// One connection's place; dropped when it ends, however it ends.
pub(super) struct Seat {
    of: Connections,
    address: IpAddr,
}

impl Seat {
    /// Whose place it is.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.of.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.address);
            }
        }
        metrics::gauge!("hub_connections").set(taken.values().sum::<usize>() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_seats_and_leaving_gives_them_back() {
        let config = ListenConfig {
            connections_max: 3,
            connections_per_address_max: 2,
            ..ListenConfig::default()
        };
        let seats = Connections::new(&config);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let first = seats.take(one);
        let second = seats.take(mapped);
        assert!(first.is_some() && second.is_some());
        assert!(seats.take(one).is_none(), "a third of one address");
        let third = seats.take(other);
        assert!(third.is_some());
        assert!(seats.take("192.0.2.3".parse().unwrap()).is_none(), "a fourth of all");
        drop(second);
        assert!(seats.take(one).is_some());
    }
}
