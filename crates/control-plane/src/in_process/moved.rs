//! A control plane whose database moves.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::ControlPlane;
use super::database::TestDatabase;
use crate::store::Database;

impl ControlPlane {
    /// On the embedded engine, whatever the engine of the run is.
    pub(crate) async fn embedded() -> Self {
        let (folder, now_ms) = (tempfile::tempdir().unwrap(), AtomicI64::new(1_790_000_000_000));
        let database = Arc::new(TestDatabase::embedded(folder.path()));
        Self::open((Arc::new(folder), database), Arc::new(now_ms), 1 << 20, None, None).await
    }

    /// Ends; a new process goes on with another database, once `by` has filled it from the one before.
    pub(crate) async fn moved_to<T: Send + 'static>(
        self,
        there: TestDatabase,
        by: impl FnOnce(&Database, &Database) -> T + Send + 'static,
    ) -> (Self, T) {
        self.app.keep_presence(std::time::Duration::ZERO).await.unwrap();
        self.app.store.flush().await.unwrap();
        let Self { app, entrance, now_ms, folder, database } = self;
        drop((entrance, app));
        let (from, to) = (database.database.clone(), there.database.clone());
        let moved = tokio::task::spawn_blocking(move || by(&from, &to)).await.unwrap();
        (Self::open((folder, Arc::new(there)), now_ms, 1 << 20, None, None).await, moved)
    }
}
