//! Writing through the embedded cluster.
