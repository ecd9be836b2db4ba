//! How many connections may be open at a time: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the connections of one listener.
#[derive(Debug)]
pub struct Limit {
    free: Arc<Semaphore>,
    most_per_address: usize,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's seat; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    _permit: OwnedSemaphorePermit,
    address: IpAddr,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Limit {
    #[must_use]
    pub fn new(most: usize, most_per_address: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            most_per_address,
            per_address: Arc::default(),
        }
    }

    /// Waits until fewer than the most connections are open. `None` never happens while the
    /// listener lives.
    pub async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Seats a connection from `address`; `None` when that address has too many open.
    #[must_use]
    pub fn seat(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<Seat> {
        // An IPv4 client on a dual-stack socket is the same client.
        let address = address.to_canonical();
        let mut counts = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= self.most_per_address {
            return None;
        }
        *count += 1;
        Some(Seat { _permit: permit, address, per_address: Arc::clone(&self.per_address) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn seats_are_counted_per_address_and_given_back() {
        let limit = Limit::new(3, 1);
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let first = limit.seat(limit.permit().await.unwrap(), here).unwrap();
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert!(limit.seat(limit.permit().await.unwrap(), mapped).is_none());
        let _other = limit.seat(limit.permit().await.unwrap(), "127.0.0.2".parse().unwrap()).unwrap();
        drop(first);
        assert!(limit.seat(limit.permit().await.unwrap(), here).is_some());
        assert_eq!(limit.per_address.lock().unwrap().len(), 1);
        assert_eq!(limit.free.available_permits(), 2);
    }
}
